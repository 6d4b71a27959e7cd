// SPDX-License-Identifier: GPL-2.0-only
/**
 * \file
 * The simulator that the engine starts: `cosim-ns3 --channel-slots=N --channel-block-bytes=N`.
 * Everything else comes through the bridge.
 */
#include "agent-client.h"
#include "bridge-trace-sink.h"
#include "nr-animation.h"
#include "nr-bridge-channel-source.h"
#include "nr-channel-slice.h"
#include "nr-simulation.h"
#include "scheduler-client.h"

#include "cosim/bridge/bridge.hpp"
#include "cosim/sim/records.hpp"

#include "ns3/command-line.h"
#include "ns3/point-to-point-helper.h"
#include "ns3/simulator.h"
#include "ns3/string.h"
#include "ns3/uinteger.h"

#include <dlfcn.h>

#include <cstdlib>
#include <cstring>
#include <iostream>

using namespace ns3;

namespace
{

constexpr uint32_t PROTOCOL = 1;
constexpr std::size_t SETUP_BYTES = 64U << 20U;
constexpr std::size_t MAX_EVENTS = 131072;
constexpr std::size_t EVENT_BYTES = 4U << 20U;
constexpr std::size_t MAX_ACTIONS = 131072;
constexpr std::size_t MAX_CANDIDATES = 65536; // UEs of a cell
constexpr std::size_t ACTION_BYTES = 16U << 20U;

/// What the engine answers to the setup request.
struct Answer
{
    SimulationSetup setup;               //!< what to simulate
    std::vector<float> bler;             //!< table, see records.hpp
    std::array<uint32_t, 3> blerShape{}; //!< MCS, sizes, SINRs
    std::vector<float> beta;             //!< of each MCS
};

using SetupExchange = cosim::bridge::Exchange<cosim::sim::SetupRequest, cosim::sim::SetupPart>;

/// \return a part's payload as floats
std::vector<float> Floats(std::span<const uint8_t> bytes)
{
    std::vector<float> floats(bytes.size() / sizeof(float));
    std::memcpy(floats.data(), bytes.data(), floats.size() * sizeof(float));
    return floats;
}

/// Asks the engine what to simulate.
Answer AskSetup(SetupExchange& exchange)
{
    exchange.Append().protocol = PROTOCOL;
    Answer answer;
    std::string text;
    for (const auto& part : exchange.Call())
    {
        const auto payload = exchange.Payload(part);
        switch (part.kind)
        {
        case 1:
            text.assign(payload.begin(), payload.end());
            break;
        case 2:
            answer.bler = Floats(payload);
            answer.blerShape = {part.dims[0], part.dims[1], part.dims[2]};
            break;
        case 3:
            answer.beta = Floats(payload);
            break;
        default:
            throw SetupError("a setup part of the unknown kind " + std::to_string(part.kind));
        }
    }
    answer.setup = SimulationSetup::Parse(text);
    const auto [mcs, sizes, sinrs] = answer.blerShape;
    const uint64_t expected = uint64_t{sizes} + sinrs + uint64_t{mcs} * sizes * sinrs;
    if (answer.bler.empty() || answer.bler.size() != expected || answer.beta.empty())
    {
        throw SetupError("the setup's block error table or EESM betas are missing or damaged");
    }
    return answer;
}

/// Loads a library whose classes register themselves, as if they had been built in.
void Load(const std::string& library)
{
    // Never closed: objects of its classes live as long as the simulation.
    if (dlopen(library.c_str(), RTLD_NOW | RTLD_GLOBAL) == nullptr)
    {
        throw SetupError("the plugin " + library + " cannot be loaded: " + dlerror());
    }
}

/// \return the bandwidth parts of a setup, on neighbouring PRBs of the channel's blocks
std::vector<NrBandwidthPart> BuildParts(const Answer& answer, NrBridgeChannelSource::Reader& blocks)
{
    const auto [mcs, sizes, sinrs] = answer.blerShape;
    const std::span<const float> table(answer.bler);
    const auto bler = std::make_shared<NrBlerTable>(
        table.subspan(0, sizes), table.subspan(sizes, sinrs), table.subspan(sizes + sinrs));
    const auto eesm = std::make_shared<NrEesm>(std::span<const float>(answer.beta));
    std::vector<Ptr<NrCarrier>> carriers{CreateObject<NrCarrier>()};
    for (const auto& part : answer.setup.parts)
    {
        auto carrier = CreateObject<NrCarrier>();
        carrier->SetAttribute("Numerology", UintegerValue(part.numerology));
        carrier->SetAttribute("Prbs", UintegerValue(part.prbs));
        carrier->SetAttribute("TddPattern", StringValue(part.tddPattern));
        carriers.push_back(carrier);
    }
    uint32_t prbs = 0;
    for (const auto& carrier : carriers)
    {
        carrier->Initialize();
        prbs += carrier->GetPrbs();
    }
    auto whole = CreateObject<NrBridgeChannelSource>();
    whole->SetReader(&blocks,
                     static_cast<uint32_t>(answer.setup.cells.size()),
                     static_cast<uint32_t>(answer.setup.ues.size()),
                     prbs);
    std::vector<NrBandwidthPart> parts;
    uint32_t firstPrb = 0;
    for (const auto& carrier : carriers)
    {
        auto phy = CreateObject<NrPhyAbstraction>();
        phy->Set(carrier, bler, eesm);
        Ptr<NrChannelSource> channel = whole;
        if (carriers.size() > 1)
        {
            auto slice = CreateObject<NrChannelSlice>();
            slice->SetSource(whole, firstPrb, carrier->GetPrbs());
            channel = slice;
        }
        firstPrb += carrier->GetPrbs();
        parts.push_back({carrier, phy, channel});
    }
    return parts;
}

/// Runs the simulation that the engine asks for.
void Simulate(uint32_t channelSlots,
              uint32_t channelBlockBytes,
              const std::vector<std::string>& libraries)
{
    auto bridge = cosim::bridge::Bridge::FromEnvironment();
    try
    {
        auto& setupExchange = bridge->AddExchange<cosim::sim::SetupRequest, cosim::sim::SetupPart>(
            cosim::sim::kSetupChannel, 1, 0, 8, SETUP_BYTES);
        auto& agents = bridge->AddExchange<cosim::sim::NodeEvent, cosim::sim::NodeAction>(
            cosim::sim::kAgentChannel, MAX_EVENTS, EVENT_BYTES, MAX_ACTIONS, ACTION_BYTES);
        auto& decisions =
            bridge->AddExchange<cosim::sim::SchedulerCandidate, cosim::sim::SchedulerDecision>(
                cosim::sim::kSchedulerChannel, MAX_CANDIDATES, 0, MAX_CANDIDATES, 0);
        auto sink = Create<BridgeTraceSink>(*bridge);
        auto& blocks = bridge->AddBlocks<cosim::sim::ChannelBlock>(
            cosim::sim::kChannelBlockChannel, channelSlots, channelBlockBytes);
        bridge->Start();

        for (const auto& library : libraries)
        {
            Load(library);
        }
        const Answer answer = AskSetup(setupExchange);
        const auto& setup = answer.setup;
        NrSimulation simulation(setup, BuildParts(answer, blocks), sink);
        SchedulerClient schedulers(decisions);
        for (const auto& part : simulation.GetParts())
        {
            schedulers.Serve(*part);
        }
        AgentClient client(agents, simulation, setup.duration);
        simulation.SetDeliveryCallback(
            [&](const SetupFlow& flow, const std::vector<uint8_t>& data) {
                if (flow.background)
                {
                    return;
                }
                cosim::sim::DeliveryRecord record{};
                record.t_s = Simulator::Now().GetSeconds();
                record.flow = flow.radio.flow;
                const uint32_t ue = flow.radio.ue;
                record.node = flow.radio.uplink ? simulation.GetEdgeNode() : ue;
                record.source_node = flow.radio.uplink ? ue : simulation.GetEdgeNode();
                sink->Delivery(record, data.data(), data.size());
                if (flow.notify)
                {
                    client.NotifyPacket(record.flow, record.source_node, record.node, data);
                }
            });
        if (const char* prefix = std::getenv("COSIM_PCAP"); prefix && *prefix)
        {
            // The IP side as it is between edge server, UPF and gNBs; what is simulated stays
            // equal.
            PointToPointHelper().EnablePcapAll(prefix, false);
        }
        std::unique_ptr<NrAnimation> animation;
        if (const char* file = std::getenv("COSIM_NETANIM"); file && *file)
        {
            animation = std::make_unique<NrAnimation>(simulation, file);
        }
        client.Start();
        simulation.Run();
        sink->Flush();
        animation.reset(); // closes its file
        bridge->Finish();
        Simulator::Destroy();
    }
    catch (const std::exception& error)
    {
        // The engine reports it; standard error is for whoever runs this program by hand.
        bridge->Fail(std::string("ns-3: ") + error.what());
        throw;
    }
}

} // namespace

int main(int argc, char* argv[])
{
    uint32_t channelSlots = 2;
    uint32_t channelBlockBytes = 1U << 20U;
    for (int i = 1; i < argc; ++i)
    {
        if (std::string(argv[i]) == "--version")
        {
            std::cout << "cosim-ns3 " COSIM_VERSION ", ns-3 " COSIM_NS3_VERSION << std::endl;
            return 0;
        }
    }
    CommandLine command(__FILE__);
    command.Usage("Simulates what a SemCoSim engine asks for; started by `cosim run`.");
    command.AddValue("channel-slots", "channel blocks in flight", channelSlots);
    command.AddValue("channel-block-bytes", "bytes of a channel block", channelBlockBytes);
    std::vector<std::string> libraries;
    command.AddValue("load",
                     "a shared library with classes of your own; repeatable",
                     ns3::Callback<bool, const std::string&>([&libraries](const std::string& file) {
                         libraries.push_back(file);
                         return true;
                     }));
    command.Parse(argc, argv);
    try
    {
        Simulate(channelSlots, channelBlockBytes, libraries);
    }
    catch (const SetupError& error)
    {
        std::cerr << "cosim-ns3: " << error.what() << std::endl;
        return 2;
    }
    catch (const std::exception& error)
    {
        std::cerr << "cosim-ns3: " << error.what() << std::endl;
        return 1;
    }
    return 0;
}
