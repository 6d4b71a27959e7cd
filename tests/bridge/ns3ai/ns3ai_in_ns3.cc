// SPDX-License-Identifier: GPL-2.0-only
// The thermostat inside ns-3's event loop, as a user of ns3-ai writes it.
#include "ns3ai_test_structs.h"

#include <ns3/ai-module.h>
#include <ns3/core-module.h>

using namespace ns3;

static double g_temperature = 20.0;

static void Step(uint32_t step)
{
    auto* msg = Ns3AiMsgInterface::Get()->GetInterface<EnvStruct, ActStruct>();
    msg->CppSendBegin();
    msg->GetCpp2PyStruct()->step = step;
    msg->GetCpp2PyStruct()->temperature = g_temperature;
    msg->CppSendEnd();
    msg->CppRecvBegin();
    g_temperature += msg->GetPy2CppStruct()->power - 0.1 * (g_temperature - 10.0);
    msg->CppRecvEnd();
    Simulator::Schedule(Seconds(1), &Step, step + 1);
}

int main(int argc, char* argv[])
{
    uint32_t seconds = 10;
    CommandLine cmd(__FILE__);
    cmd.AddValue("seconds", "simulated time", seconds);
    cmd.Parse(argc, argv);
    Ns3AiMsgInterface::Get()->SetHandleFinish(true);
    Simulator::Schedule(Seconds(0.5), &Step, 0);
    Simulator::Stop(Seconds(seconds));
    Simulator::Run();
    Simulator::Destroy();
    return 0;
}
