// SPDX-License-Identifier: MIT
// The C++ half of the thermostat. Rooms start at 20, lose a tenth of their excess over 10 a step,
// and gain what Python's heater gives; with `--vector=N` there are N rooms, room i i degrees
// warmer.
#include "ns3ai_test_structs.h"

#include <ns3/ai-module.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <unistd.h>
#include <vector>

namespace
{

long Option(int argc, char** argv, const char* name, long otherwise)
{
    const std::string prefix = std::string("--") + name + "=";
    for (int i = 1; i < argc; ++i)
    {
        if (std::strncmp(argv[i], prefix.c_str(), prefix.size()) == 0)
        {
            return std::atol(argv[i] + prefix.size());
        }
    }
    return otherwise;
}

} // namespace

int main(int argc, char** argv)
{
    const auto steps = static_cast<uint32_t>(Option(argc, argv, "steps", 10));
    const auto rooms = static_cast<std::size_t>(Option(argc, argv, "vector", 0));
    const auto hang = Option(argc, argv, "hang", -1);
    const auto status = Option(argc, argv, "status", 0);
    if (status != 0)
    {
        std::fprintf(stderr, "the configuration is wrong\n");
        return static_cast<int>(status);
    }
    auto interface = ns3::Ns3AiMsgInterface::Get();
    interface->SetIsMemoryCreator(false);
    interface->SetUseVector(rooms > 0);
    interface->SetHandleFinish(Option(argc, argv, "finish", 1) != 0);
    auto* msg = interface->GetInterface<EnvStruct, ActStruct>();

    std::vector<double> temperatures(std::max<std::size_t>(rooms, 1));
    for (std::size_t i = 0; i < temperatures.size(); ++i)
    {
        temperatures[i] = 20.0 + static_cast<double>(i);
    }
    for (uint32_t step = 0; step < steps; ++step)
    {
        if (static_cast<long>(step) == hang)
        {
            ::pause();
        }
        msg->CppSendBegin();
        if (rooms > 0)
        {
            msg->GetCpp2PyVector()->resize(rooms);
            for (std::size_t i = 0; i < rooms; ++i)
            {
                msg->GetCpp2PyVector()->at(i) = {step, temperatures[i]};
            }
        }
        else
        {
            msg->GetCpp2PyStruct()->step = step;
            msg->GetCpp2PyStruct()->temperature = temperatures[0];
        }
        msg->CppSendEnd();

        msg->CppRecvBegin();
        for (std::size_t i = 0; i < temperatures.size(); ++i)
        {
            const ActStruct& act =
                rooms > 0 ? (*msg->GetPy2CppVector())[i] : *msg->GetPy2CppStruct();
            if (act.step != step)
            {
                std::fprintf(stderr, "an answer belongs to step %u, not %u\n", act.step, step);
                return 2;
            }
            temperatures[i] += act.power - 0.1 * (temperatures[i] - 10.0);
        }
        msg->CppRecvEnd();
    }
    std::printf("%.17g\n", temperatures.back());
    return 0;
}
