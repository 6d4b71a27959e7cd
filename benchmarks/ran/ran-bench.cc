// SPDX-License-Identifier: GPL-2.0-only
/**
 * \file
 * CPU time of saturated cells, in three programs of one executable: our NR, ns-3's own LTE, and the
 * floor: the same packets over plain point-to-point links, which is what ns-3's IP costs anyway.
 *
 *     ran-bench --kind=nr|lte|p2p --cells=1 --ues=20 --prbs=106 --seconds=1 --dl=5e6 --ul=2e6
 *
 * Rates are offered to each UE, UDP payload. It prints one line of name=value pairs; cpu_s is what
 * the simulation took, without setting up.
 */
#include "nr-constant-channel-source.h"
#include "nr-simulation.h"

#include "ns3/command-line.h"
#include "ns3/config.h"
#include "ns3/internet-stack-helper.h"
#include "ns3/ipv4-address-helper.h"
#include "ns3/ipv4-global-routing-helper.h"
#include "ns3/ipv4-static-routing-helper.h"
#include "ns3/lte-helper.h"
#include "ns3/mobility-helper.h"
#include "ns3/point-to-point-epc-helper.h"
#include "ns3/point-to-point-helper.h"
#include "ns3/simulator.h"
#include "ns3/string.h"
#include "ns3/uinteger.h"

#include <ctime>
#include <iostream>
#include <sstream>

using namespace ns3;

namespace
{

/// What to simulate.
struct Load
{
    std::string kind{"nr"};                      //!< nr, lte or p2p
    std::string scheduler{"ns3::NrPfScheduler"}; //!< of nr
    uint32_t cells{1};                           //!< number
    uint32_t ues{20};                            //!< in a cell
    uint32_t prbs{106};                          //!< of the carrier
    uint32_t numerology{1};                      //!< of nr
    std::string pattern{"DDDSU"};                //!< TDD pattern of nr
    double seconds{1.0};                         //!< simulated
    double dl{5e6};                              //!< bit/s offered to a UE
    double ul{2e6};                              //!< bit/s offered by a UE
    uint32_t bytes{1200};                        //!< of a UDP payload
    uint32_t cqiPeriod{10};                      //!< slots
    bool slotTrace{true};                        //!< records of transport blocks
};

/// What came of it.
struct Outcome
{
    double cpuS{0.0};    //!< CPU time of the simulation
    uint64_t packets{0}; //!< delivered
    uint64_t bytes{0};   //!< delivered
    uint64_t records{0}; //!< of transport blocks
};

double CpuSeconds()
{
    timespec now{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return double(now.tv_sec) + 1e-9 * double(now.tv_nsec);
}

/// Counts what arrives.
class CountingSink : public NrTraceSink
{
  public:
    void Slot(const cosim::sim::SlotRecord&) override
    {
        ++slots;
    }

    void Counter(const cosim::sim::CounterRecord& record) override
    {
        bytes += record.app_delivered;
        packets += record.ip_udp_header / 28;
    }

    uint64_t slots{0};   //!< transport blocks
    uint64_t bytes{0};   //!< UDP payload
    uint64_t packets{0}; //!< UDP datagrams
};

Outcome RunNr(const Load& load)
{
    std::ostringstream text;
    text << "default ns3::NrCarrier::Numerology " << load.numerology << "\n"
         << "default ns3::NrCarrier::Prbs " << load.prbs << "\n"
         << "default ns3::NrCarrier::TddPattern " << load.pattern << "\n"
         << "default ns3::NrRan::Scheduler " << load.scheduler << "\n"
         << "default ns3::NrRan::GnbTxPower 46\n"
         << "default ns3::NrRan::CqiPeriod " << load.cqiPeriod << "\n"
         << "default ns3::NrRan::SlotTrace " << (load.slotTrace ? "true" : "false") << "\n"
         << "duration_s " << load.seconds << "\n"
         << "backhaul rate_bps=1e11 delay_s=0.001 mtu_bytes=1500\n";
    for (uint32_t cell = 0; cell < load.cells; ++cell)
    {
        text << "cell " << cell << " " << 500 * cell << " 0 10\n";
    }
    const uint32_t ues = load.cells * load.ues;
    std::vector<std::vector<double>> gains(load.cells, std::vector<double>(ues));
    for (uint32_t ue = 0; ue < ues; ++ue)
    {
        const uint32_t own = ue / load.ues;
        text << "ue " << ue << " 0 0 1.5 cell=" << own << "\n";
        for (uint32_t cell = 0; cell < load.cells; ++cell)
        {
            // -95 to -110 dB to the own cell, 25 dB less to the others.
            const double ownDb = -95.0 - 15.0 * (ue % load.ues) / load.ues;
            gains[cell][ue] = std::pow(10.0, (cell == own ? ownDb : ownDb - 25.0) / 10.0);
        }
    }
    for (uint32_t ue = 0; ue < ues; ++ue)
    {
        for (const bool uplink : {false, true})
        {
            text << "flow " << 1 + 2 * ue + uplink << " ue=" << ue
                 << " direction=" << (uplink ? "ul" : "dl") << " port=" << 5001 + 2 * ue + uplink
                 << " kind=cbr rate_bps=" << (uplink ? load.ul : load.dl)
                 << " packet_bytes=" << load.bytes << " start_s=" << 0.001 * (ue % 97) / 97.0
                 << " stop_s=" << load.seconds << "\n";
        }
    }
    const auto setup = SimulationSetup::Parse(text.str());
    auto carrier = CreateObject<NrCarrier>();
    carrier->Initialize();
    // Block errors of a logistic waterfall a dB wide, 0.75 dB from one MCS to the next.
    const std::vector<float> sizes{24.0F, 8448.0F};
    std::vector<float> snrs;
    for (int i = 0; i <= 400; ++i)
    {
        snrs.push_back(static_cast<float>(-15.0 + 0.1 * i));
    }
    std::vector<float> bler;
    for (uint32_t mcs = 0; mcs < carrier->GetMcsCount(); ++mcs)
    {
        for (std::size_t size = 0; size < sizes.size(); ++size)
        {
            for (const float snr : snrs)
            {
                bler.push_back(
                    static_cast<float>(1.0 / (1.0 + std::exp(5.0 * (snr + 6.0 - 0.75 * mcs)))));
            }
        }
    }
    auto phy = CreateObject<NrPhyAbstraction>();
    const std::vector<float> beta(carrier->GetMcsCount(), 5.0F);
    phy->Set(carrier,
             std::make_shared<NrBlerTable>(sizes, snrs, bler),
             std::make_shared<NrEesm>(std::span<const float>(beta)));
    auto channel = CreateObject<NrConstantChannelSource>();
    channel->SetGains(load.prbs, gains);
    auto sink = Create<CountingSink>();
    const NrBandwidthPart part{carrier, phy, channel};
    NrSimulation simulation(setup, {part}, sink);
    const double start = CpuSeconds();
    simulation.Run();
    return {CpuSeconds() - start, sink->packets, sink->bytes, sink->slots};
}

/// A constant bit rate over a socket, as NrSimulation's background flows.
struct Flow
{
    Ptr<MessageApp> app; //!< both ends
    double rateBps;      //!< offered
};

void SendNext(Flow* flow, const std::vector<uint8_t>* payload, Time end)
{
    if (Simulator::Now() < end)
    {
        flow->app->Send(payload->data(), static_cast<uint32_t>(payload->size()), NrMessageTag());
        Simulator::Schedule(
            Seconds(8.0 * double(payload->size()) / flow->rateBps), &SendNext, flow, payload, end);
    }
}

/// Runs flows to the end of the load.
Outcome RunFlows(std::vector<Flow>& flows, const Load& load)
{
    const std::vector<uint8_t> payload(load.bytes);
    uint32_t number = 0;
    for (Flow& flow : flows)
    {
        Simulator::Schedule(Seconds(0.001 * (number++ % 97) / 97.0 + 0.05),
                            &SendNext,
                            &flow,
                            &payload,
                            Seconds(load.seconds + 0.05));
    }
    Simulator::Stop(Seconds(load.seconds + 0.06));
    const double start = CpuSeconds();
    Simulator::Run();
    Outcome outcome;
    outcome.cpuS = CpuSeconds() - start;
    for (const Flow& flow : flows)
    {
        outcome.packets += flow.app->GetReceivedPackets();
        outcome.bytes += flow.app->GetReceivedBytes();
    }
    return outcome;
}

Ptr<MessageApp> Connect(Ptr<Node> from, Ptr<Node> to, Ipv4Address address, uint16_t port)
{
    auto app = CreateObject<MessageApp>();
    app->Configure(from, to, address, port, 0, nullptr);
    return app;
}

/// The floor: edge server - router - a link to each UE, with the IP stack and sockets of the
/// others.
Outcome RunPointToPoint(const Load& load)
{
    const uint32_t ues = load.cells * load.ues;
    NodeContainer core(2);
    NodeContainer nodes(ues);
    InternetStackHelper internet;
    internet.SetIpv6StackInstall(false);
    internet.Install(core);
    internet.Install(nodes);
    PointToPointHelper link;
    link.SetDeviceAttribute("DataRate", StringValue("100Gbps"));
    link.SetChannelAttribute("Delay", StringValue("1ms"));
    Ipv4AddressHelper addresses("10.0.0.0", "255.255.255.252");
    const auto edge = addresses.Assign(link.Install(core));
    std::vector<Flow> flows;
    std::vector<Ipv4Address> ueAddresses;
    for (uint32_t ue = 0; ue < ues; ++ue)
    {
        addresses.NewNetwork();
        ueAddresses.push_back(
            addresses.Assign(link.Install(core.Get(1), nodes.Get(ue))).GetAddress(1));
    }
    Ipv4GlobalRoutingHelper::PopulateRoutingTables();
    for (uint32_t ue = 0; ue < ues; ++ue)
    {
        const auto port = static_cast<uint16_t>(5001 + 2 * ue);
        flows.push_back({Connect(core.Get(0), nodes.Get(ue), ueAddresses[ue], port), load.dl});
        flows.push_back(
            {Connect(nodes.Get(ue), core.Get(0), edge.GetAddress(0), port + 1), load.ul});
    }
    return RunFlows(flows, load);
}

Outcome RunLte(const Load& load)
{
    Config::SetDefault("ns3::LteRlcUm::MaxTxBufferSize", UintegerValue(100000));
    Config::SetDefault("ns3::LteEnbRrc::SrsPeriodicity", UintegerValue(320));
    auto lte = CreateObject<LteHelper>();
    auto epc = CreateObject<PointToPointEpcHelper>();
    lte->SetEpcHelper(epc);
    lte->SetSchedulerType("ns3::PfFfMacScheduler");
    lte->SetEnbDeviceAttribute("DlBandwidth", UintegerValue(load.prbs));
    lte->SetEnbDeviceAttribute("UlBandwidth", UintegerValue(load.prbs));
    NodeContainer remote(1);
    InternetStackHelper internet;
    internet.SetIpv6StackInstall(false);
    internet.Install(remote);
    PointToPointHelper link;
    link.SetDeviceAttribute("DataRate", StringValue("100Gbps"));
    link.SetChannelAttribute("Delay", StringValue("1ms"));
    Ipv4AddressHelper addresses("1.0.0.0", "255.0.0.0");
    const auto edge = addresses.Assign(link.Install(epc->GetPgwNode(), remote.Get(0)));
    Ipv4StaticRoutingHelper routing;
    routing.GetStaticRouting(remote.Get(0)->GetObject<Ipv4>())
        ->AddNetworkRouteTo("7.0.0.0", "255.0.0.0", 1);
    NodeContainer enbs(load.cells);
    NodeContainer nodes(load.cells * load.ues);
    MobilityHelper mobility;
    mobility.Install(enbs);
    mobility.Install(nodes);
    for (uint32_t cell = 0; cell < load.cells; ++cell)
    {
        enbs.Get(cell)->GetObject<MobilityModel>()->SetPosition(Vector(500.0 * cell, 0, 10));
    }
    for (uint32_t ue = 0; ue < nodes.GetN(); ++ue)
    {
        const double angle = 6.2831853 * ue / load.ues;
        const double radius = 30.0 + 120.0 * (ue % load.ues) / load.ues;
        nodes.Get(ue)->GetObject<MobilityModel>()->SetPosition(Vector(
            500.0 * (ue / load.ues) + radius * std::cos(angle), radius * std::sin(angle), 1.5));
    }
    const auto enbDevices = lte->InstallEnbDevice(enbs);
    const auto ueDevices = lte->InstallUeDevice(nodes);
    internet.Install(nodes);
    const auto ueInterfaces = epc->AssignUeIpv4Address(ueDevices);
    for (uint32_t ue = 0; ue < nodes.GetN(); ++ue)
    {
        routing.GetStaticRouting(nodes.Get(ue)->GetObject<Ipv4>())
            ->SetDefaultRoute(epc->GetUeDefaultGatewayAddress(), 1);
        lte->Attach(ueDevices.Get(ue), enbDevices.Get(ue / load.ues));
    }
    std::vector<Flow> flows;
    for (uint32_t ue = 0; ue < nodes.GetN(); ++ue)
    {
        const auto port = static_cast<uint16_t>(5001 + 2 * ue);
        flows.push_back(
            {Connect(remote.Get(0), nodes.Get(ue), ueInterfaces.GetAddress(ue), port), load.dl});
        flows.push_back(
            {Connect(nodes.Get(ue), remote.Get(0), edge.GetAddress(1), port + 1), load.ul});
    }
    return RunFlows(flows, load);
}

} // namespace

int main(int argc, char* argv[])
{
    Load load;
    CommandLine command(__FILE__);
    command.AddValue("kind", "nr, lte or p2p", load.kind);
    command.AddValue("scheduler", "class of nr's schedulers", load.scheduler);
    command.AddValue("cells", "cells", load.cells);
    command.AddValue("ues", "UEs in a cell", load.ues);
    command.AddValue("prbs", "PRBs", load.prbs);
    command.AddValue("numerology", "of nr", load.numerology);
    command.AddValue("pattern", "TDD pattern of nr", load.pattern);
    command.AddValue("seconds", "simulated time", load.seconds);
    command.AddValue("dl", "bit/s offered to a UE", load.dl);
    command.AddValue("ul", "bit/s offered by a UE", load.ul);
    command.AddValue("bytes", "UDP payload", load.bytes);
    command.AddValue("cqi", "slots between measurements of nr", load.cqiPeriod);
    command.AddValue("slots", "whether nr records transport blocks", load.slotTrace);
    command.Parse(argc, argv);
    const Outcome outcome = load.kind == "nr"    ? RunNr(load)
                            : load.kind == "lte" ? RunLte(load)
                                                 : RunPointToPoint(load);
    std::cout << "kind=" << load.kind << " cells=" << load.cells << " ues=" << load.ues
              << " prbs=" << load.prbs << " seconds=" << load.seconds << " cpu_s=" << outcome.cpuS
              << " packets=" << outcome.packets
              << " mbps=" << 8e-6 * double(outcome.bytes) / load.seconds
              << " blocks=" << outcome.records << std::endl;
    Simulator::Destroy();
    return 0;
}
