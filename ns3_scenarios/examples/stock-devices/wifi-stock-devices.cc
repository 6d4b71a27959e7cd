// SPDX-License-Identifier: GPL-2.0-only
// ns-3's own Wi-Fi (802.11ax, SpectrumWifiPhy) on Sionna's channel: one access point, whose
// stations are served one after the other. The lines with a `channel`, `links` or `loss` are all
// that is not plain ns-3. Started by wifi.py.
#include "cosim-spectrum-propagation-loss-model.h"
#include "stock-channel.h"

#include "ns3/applications-module.h"
#include "ns3/core-module.h"
#include "ns3/internet-module.h"
#include "ns3/mobility-module.h"
#include "ns3/network-module.h"
#include "ns3/propagation-module.h"
#include "ns3/spectrum-module.h"
#include "ns3/traffic-control-module.h"
#include "ns3/wifi-module.h"

#include <iostream>

using namespace ns3;

namespace
{

/// A station's time with the access point.
struct Turn
{
    Ptr<PacketSink> sink; //!< what arrives
    double start{0.0};    //!< in seconds
    double end{0.0};      //!< in seconds
    RunningMean snr;      //!< of its frames, linear
    uint64_t bytes{0};    //!< that arrived
};

void Run(StockChannel& channel, double setup, double turnSeconds, double txDbm)
{
    NodeContainer points(channel.m_cells);
    NodeContainer stations(channel.m_ues);
    MobilityHelper mobility; // positions are the channel's: ns-3 needs none
    mobility.Install(points);
    mobility.Install(stations);
    const auto links = channel.Connect(points, stations);
    // Stations hear each other too, on links that the channel does not have.
    auto between = CreateObject<MatrixPropagationLossModel>();
    between->SetDefaultLoss(70.0);
    links->SetAttribute("Fallback", PointerValue(between));

    auto loss = CreateObject<CosimSpectrumPropagationLossModel>();
    loss->SetAttribute("Links", PointerValue(links));
    loss->SetAttribute("CarrierFrequency", DoubleValue(5180e6));
    loss->SetAttribute("PrbBandwidth", DoubleValue(180e3));
    auto air = CreateObject<MultiModelSpectrumChannel>();
    air->AddSpectrumPropagationLossModel(loss);

    // What is left of a turn is dropped, not sent in the next.
    Config::SetDefault("ns3::WifiMacQueue::MaxDelay", TimeValue(MilliSeconds(10)));
    SpectrumWifiPhyHelper phy;
    phy.SetChannel(air);
    phy.Set("ChannelSettings", StringValue("{36, 20, BAND_5GHZ, 0}"));
    phy.Set("TxPowerStart", DoubleValue(txDbm));
    phy.Set("TxPowerEnd", DoubleValue(txDbm));
    WifiHelper wifi;
    wifi.SetStandard(WIFI_STANDARD_80211ax);
    wifi.SetRemoteStationManager("ns3::IdealWifiManager");
    WifiMacHelper mac;
    const Ssid ssid("stock");
    mac.SetType("ns3::StaWifiMac", "Ssid", SsidValue(ssid));
    const auto stationDevices = wifi.Install(phy, mac, stations);
    mac.SetType("ns3::ApWifiMac", "Ssid", SsidValue(ssid));
    const auto pointDevices = wifi.Install(phy, mac, points);
    InternetStackHelper internet;
    internet.Install(points);
    internet.Install(stations);
    Ipv4AddressHelper ip("10.0.0.0", "255.255.255.0");
    ip.Assign(pointDevices);
    const auto addresses = ip.Assign(stationDevices);
    TrafficControlHelper().Uninstall(pointDevices); // its queue holds more than a turn

    std::vector<Turn> turns(channel.m_ues);
    for (uint32_t sta = 0; sta < channel.m_ues; ++sta)
    {
        Turn& turn = turns[sta];
        turn.start = setup + sta * turnSeconds;
        turn.end = turn.start + turnSeconds;
        const InetSocketAddress target(addresses.GetAddress(sta), 9);
        PacketSinkHelper sink("ns3::UdpSocketFactory", target);
        turn.sink = DynamicCast<PacketSink>(sink.Install(stations.Get(sta)).Get(0));
        OnOffHelper sender("ns3::UdpSocketFactory", target);
        sender.SetConstantRate(DataRate("160Mbps"), 1400); // above the fastest rate of 20 MHz
        auto app = sender.Install(points.Get(0));
        app.Start(Seconds(turn.start));
        app.Stop(Seconds(turn.end));
        Simulator::Schedule(Seconds(turn.end), [&turn] { turn.bytes = turn.sink->GetTotalRx(); });
        // Frames in HE are the access point's data: beacons and acknowledgements are not.
        DynamicCast<WifiNetDevice>(stationDevices.Get(sta))
            ->GetPhy()
            ->TraceConnectWithoutContext(
                "MonitorSnifferRx",
                Callback<void,
                         Ptr<const Packet>,
                         uint16_t,
                         WifiTxVector,
                         MpduInfo,
                         SignalNoiseDbm,
                         uint16_t>([&turn](Ptr<const Packet>,
                                           uint16_t,
                                           WifiTxVector vector,
                                           MpduInfo,
                                           SignalNoiseDbm level,
                                           uint16_t) {
                    const Time now = Simulator::Now();
                    if (vector.GetModulationClass() == WIFI_MOD_CLASS_HE &&
                        now >= Seconds(turn.start) && now < Seconds(turn.end))
                    {
                        turn.snr.Add(std::pow(10.0, (level.signal - level.noise) / 10.0));
                    }
                }));
    }
    Simulator::Stop(Seconds(setup + channel.m_ues * turnSeconds + 1e-6));
    Simulator::Run();
    for (uint32_t sta = 0; sta < channel.m_ues; ++sta)
    {
        std::cout << "ue=" << sta << " sinr_db=" << turns[sta].snr.Db()
                  << " throughput_bps=" << 8.0 * static_cast<double>(turns[sta].bytes) / turnSeconds
                  << std::endl;
    }
}

} // namespace

int main(int argc, char* argv[])
{
    StockChannel channel;
    double setup = 0.5;
    double turnSeconds = 0.25;
    double txDbm = 16.0;
    CommandLine command(__FILE__);
    channel.AddOptions(command);
    command.AddValue("set-up", "seconds in which stations associate", setup);
    command.AddValue("turn", "seconds for which each station is served", turnSeconds);
    command.AddValue("tx-power-dbm", "of all devices", txDbm);
    command.Parse(argc, argv);
    try
    {
        Run(channel, setup, turnSeconds, txDbm);
        channel.GetBridge()->Finish();
    }
    catch (const std::exception& error)
    {
        std::cerr << "wifi-stock-devices: " << error.what() << std::endl;
        if (channel.GetBridge() != nullptr)
        {
            channel.GetBridge()->Fail(error.what());
        }
        return 1;
    }
    Simulator::Destroy();
    return 0;
}
