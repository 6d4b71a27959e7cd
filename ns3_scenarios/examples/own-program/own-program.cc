// SPDX-License-Identifier: GPL-2.0-only
// A sender on a 5 Mbit/s link whose rate Python decides every 100 ms. Everything here is plain ns-3
// except the lines with a `bridge`.
#include "records.hpp"

#include "cosim/bridge/bridge.hpp"

#include "ns3/applications-module.h"
#include "ns3/core-module.h"
#include "ns3/internet-module.h"
#include "ns3/point-to-point-module.h"

#include <iostream>

using namespace ns3;

int main(int argc, char** argv)
{
    double duration = 5.0;
    CommandLine cmd(__FILE__);
    cmd.AddValue("duration", "simulated time in seconds", duration);
    cmd.Parse(argc, argv);

    NodeContainer nodes(2);
    PointToPointHelper link;
    link.SetDeviceAttribute("DataRate", StringValue("5Mbps"));
    link.SetChannelAttribute("Delay", StringValue("5ms"));
    const auto devices = link.Install(nodes);
    InternetStackHelper().Install(nodes);
    const auto addresses = Ipv4AddressHelper("10.0.0.0", "255.255.255.0").Assign(devices);
    const InetSocketAddress target(addresses.GetAddress(1), 9);
    PacketSinkHelper sinks("ns3::UdpSocketFactory", target);
    const auto sink = DynamicCast<PacketSink>(sinks.Install(nodes.Get(1)).Get(0));
    OnOffHelper sources("ns3::UdpSocketFactory", target);
    sources.SetConstantRate(DataRate("1Mbps"), 1000);
    const auto source = sources.Install(nodes.Get(0)).Get(0);
    double sent = 0.0;
    source->TraceConnectWithoutContext(
        "Tx",
        Callback<void, Ptr<const Packet>>([&sent](Ptr<const Packet> p) { sent += p->GetSize(); }));

    auto bridge = cosim::bridge::Bridge::FromEnvironment();
    auto& rates = bridge->AddExchange<Observation, Decision>("rates", 1, 0, 1, 0);
    bridge->Start();

    const double interval = 0.1;
    double before = 0.0;
    std::function<void()> ask = [&] {
        const auto received = static_cast<double>(sink->GetTotalRx());
        Observation& observation = rates.Append();
        observation.t_s = Simulator::Now().GetSeconds();
        observation.throughput_bps = 8.0 * (received - before) / interval;
        observation.backlog_bytes = sent - received;
        before = received;
        const auto decisions = rates.Call(); // Python answers here
        source->SetAttribute("DataRate",
                             DataRateValue(DataRate(static_cast<uint64_t>(decisions[0].rate_bps))));
        Simulator::Schedule(Seconds(interval), ask);
    };
    Simulator::Schedule(Seconds(interval), ask);
    Simulator::Stop(Seconds(duration));
    Simulator::Run();
    std::cout << "delivered " << sink->GetTotalRx() << " of " << sent << " bytes" << std::endl;
    Simulator::Destroy();
    bridge->Finish();
    return 0;
}
