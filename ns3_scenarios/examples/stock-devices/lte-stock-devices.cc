// SPDX-License-Identifier: GPL-2.0-only
// ns-3's own LTE on Sionna's channel: saturated downlinks, one UE a cell. The lines with a
// `channel` or `links` are all that is not plain ns-3. Started by lte.py.
#include "cosim-spectrum-propagation-loss-model.h"
#include "stock-channel.h"

#include "ns3/applications-module.h"
#include "ns3/core-module.h"
#include "ns3/internet-module.h"
#include "ns3/lte-module.h"
#include "ns3/mobility-module.h"
#include "ns3/network-module.h"
#include "ns3/point-to-point-module.h"
#include "ns3/spectrum-module.h"

#include <iostream>

using namespace ns3;

namespace
{

constexpr uint32_t DL_EARFCN = 100;   // 2120 MHz
constexpr uint32_t UL_EARFCN = 18100; // 1930 MHz

/// Puts the PRBs of the channel where the carrier of a direction lies: fading is taken to be the
/// same on both carriers of the duplex pair.
void SetCarrier(Ptr<SpectrumChannel> channel, uint32_t earfcn)
{
    channel->GetSpectrumPropagationLossModel()->SetAttribute(
        "CarrierFrequency", DoubleValue(LteSpectrumValueHelper::GetCarrierFrequency(earfcn)));
}

void Run(StockChannel& channel, double seconds, double warmUp, double txDbm)
{
    NodeContainer enbs(channel.m_cells);
    NodeContainer ues(channel.m_ues);
    NodeContainer remote(1);
    MobilityHelper mobility; // positions are the channel's: ns-3 needs none
    mobility.Install(enbs);
    mobility.Install(ues);
    const auto links = channel.Connect(enbs, ues);

    Config::SetDefault("ns3::LteEnbPhy::TxPower", DoubleValue(txDbm));
    auto lte = CreateObject<LteHelper>();
    auto epc = CreateObject<PointToPointEpcHelper>();
    lte->SetEpcHelper(epc);
    // SINRs of the control region, which all cells send on all PRBs: the schedulers of ns-3's LTE
    // leave a PRB of 25 without data.
    lte->SetAttribute("UsePdschForCqiGeneration", BooleanValue(false));
    lte->SetPathlossModelType(CosimSpectrumPropagationLossModel::GetTypeId());
    lte->SetPathlossModelAttribute("Links", PointerValue(links));
    lte->SetPathlossModelAttribute("PrbBandwidth", DoubleValue(180e3));
    lte->SetEnbDeviceAttribute("DlBandwidth", UintegerValue(channel.m_prbs));
    lte->SetEnbDeviceAttribute("UlBandwidth", UintegerValue(channel.m_prbs));
    lte->SetEnbDeviceAttribute("DlEarfcn", UintegerValue(DL_EARFCN));
    lte->SetEnbDeviceAttribute("UlEarfcn", UintegerValue(UL_EARFCN));
    const auto enbDevices = lte->InstallEnbDevice(enbs);
    const auto ueDevices = lte->InstallUeDevice(ues);
    SetCarrier(lte->GetDownlinkSpectrumChannel(), DL_EARFCN);
    SetCarrier(lte->GetUplinkSpectrumChannel(), UL_EARFCN);

    InternetStackHelper internet;
    internet.Install(remote);
    internet.Install(ues);
    PointToPointHelper wire;
    wire.SetDeviceAttribute("DataRate", StringValue("10Gbps"));
    Ipv4AddressHelper("1.0.0.0", "255.0.0.0")
        .Assign(wire.Install(epc->GetPgwNode(), remote.Get(0)));
    Ipv4StaticRoutingHelper routing;
    routing.GetStaticRouting(remote.Get(0)->GetObject<Ipv4>())
        ->AddNetworkRouteTo("7.0.0.0", "255.0.0.0", 1);
    const auto addresses = epc->AssignUeIpv4Address(ueDevices);
    std::vector<Ptr<PacketSink>> sinks;
    std::vector<uint64_t> before(channel.m_ues);
    std::vector<RunningMean> sinr(channel.m_ues);
    for (uint32_t ue = 0; ue < channel.m_ues; ++ue)
    {
        routing.GetStaticRouting(ues.Get(ue)->GetObject<Ipv4>())
            ->SetDefaultRoute(epc->GetUeDefaultGatewayAddress(), 1);
        lte->Attach(ueDevices.Get(ue), enbDevices.Get(ue));
        const InetSocketAddress target(addresses.GetAddress(ue), 9);
        PacketSinkHelper sink("ns3::UdpSocketFactory", target);
        sinks.push_back(DynamicCast<PacketSink>(sink.Install(ues.Get(ue)).Get(0)));
        OnOffHelper sender("ns3::UdpSocketFactory", target);
        sender.SetConstantRate(DataRate("25Mbps"), 1000); // above what 25 PRBs carry
        sender.Install(remote.Get(0)).Start(Seconds(0.05));
        Ptr<LteUePhy> phy = DynamicCast<LteUeNetDevice>(ueDevices.Get(ue))->GetPhy();
        phy->TraceConnectWithoutContext(
            "ReportCurrentCellRsrpSinr",
            Callback<void, uint16_t, uint16_t, double, double, uint8_t>(
                [&sinr, ue, warmUp](uint16_t, uint16_t, double, double value, uint8_t) {
                    if (Simulator::Now() >= Seconds(warmUp))
                    {
                        sinr[ue].Add(value);
                    }
                }));
    }
    Simulator::Schedule(Seconds(warmUp), [&] {
        for (uint32_t ue = 0; ue < channel.m_ues; ++ue)
        {
            before[ue] = sinks[ue]->GetTotalRx();
        }
    });
    Simulator::Stop(Seconds(seconds));
    Simulator::Run();
    for (uint32_t ue = 0; ue < channel.m_ues; ++ue)
    {
        const auto bytes = static_cast<double>(sinks[ue]->GetTotalRx() - before[ue]);
        std::cout << "ue=" << ue << " sinr_db=" << sinr[ue].Db()
                  << " throughput_bps=" << 8.0 * bytes / (seconds - warmUp) << std::endl;
    }
}

} // namespace

int main(int argc, char* argv[])
{
    StockChannel channel;
    double seconds = 1.0;
    double warmUp = 0.2;
    double txDbm = 30.0;
    CommandLine command(__FILE__);
    channel.AddOptions(command);
    command.AddValue("duration", "simulated seconds", seconds);
    command.AddValue("warm-up", "seconds before anything is counted", warmUp);
    command.AddValue("tx-power-dbm", "of an eNB", txDbm);
    command.Parse(argc, argv);
    try
    {
        Run(channel, seconds, warmUp, txDbm);
        channel.GetBridge()->Finish();
    }
    catch (const std::exception& error)
    {
        std::cerr << "lte-stock-devices: " << error.what() << std::endl;
        if (channel.GetBridge() != nullptr)
        {
            channel.GetBridge()->Fail(error.what());
        }
        return 1;
    }
    Simulator::Destroy();
    return 0;
}
