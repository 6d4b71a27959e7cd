// SPDX-License-Identifier: GPL-2.0-only
#include "nr-test-bench.h"

#include "nr-message-tag.h"

#include "ns3/boolean.h"
#include "ns3/config.h"
#include "ns3/double.h"
#include "ns3/ipv4-header.h"
#include "ns3/rng-seed-manager.h"
#include "ns3/simulator.h"
#include "ns3/string.h"
#include "ns3/udp-header.h"
#include "ns3/uinteger.h"

#include <cmath>

namespace ns3
{

namespace
{

// The bench sets the gNB's power to 0 dBm a PRB and the noise figure to 0, so that the gain alone
// gives the SINR: gain = SINR x kTB / 1 mW.
constexpr double BOLTZMANN_J_PER_K = 1.380649e-23;
constexpr double PRB_HZ = 180e3;
constexpr double NOISE_W = BOLTZMANN_J_PER_K * 290.0 * PRB_HZ;

} // namespace

void KeepingSink::Slot(const cosim::sim::SlotRecord& record)
{
    slots.push_back(record);
}

void KeepingSink::Packet(const cosim::sim::PacketRecord& record)
{
    packets.push_back(record);
}

void KeepingSink::Direct(const cosim::sim::DirectBlock& record,
                         std::span<const cosim::sim::DirectPiece> parts,
                         std::span<const float> sinr)
{
    directSinr.assign(sinr.begin(), sinr.end());
    direct.push_back(record);
    pieces.insert(pieces.end(), parts.begin(), parts.end());
}

void KeepingSink::Counter(const cosim::sim::CounterRecord& record)
{
    counters.push_back(record);
}

double NrTestBench::Threshold(uint32_t mcs)
{
    return -6.0 + mcs;
}

double NrTestBench::Gain(double snrDb)
{
    return std::pow(10.0, snrDb / 10.0) * NOISE_W / 1e-3;
}

double NrTestBench::Step(uint32_t mcs, double snrDb)
{
    return snrDb < Threshold(mcs) ? 1.0 : 0.0;
}

Ptr<NrPhyAbstraction> NrTestBench::MakePhy(Ptr<NrCarrier> carrier, const BlerFunction& bler)
{
    const std::vector<float> sizes{24.0F, 8448.0F};
    std::vector<float> snrs;
    for (int i = 0; i <= 1600; ++i)
    {
        snrs.push_back(static_cast<float>(-40.0 + 0.05 * i));
    }
    std::vector<float> table;
    for (uint32_t mcs = 0; mcs < carrier->GetMcsCount(); ++mcs)
    {
        for (std::size_t size = 0; size < sizes.size(); ++size)
        {
            for (const float snr : snrs)
            {
                table.push_back(static_cast<float>(bler(mcs, snr)));
            }
        }
    }
    auto phy = CreateObject<NrPhyAbstraction>();
    const std::vector<float> beta(carrier->GetMcsCount(), 1.0F);
    phy->Set(carrier,
             std::make_shared<NrBlerTable>(sizes, snrs, table),
             std::make_shared<NrEesm>(std::span<const float>(beta)));
    return phy;
}

NrTestBench::NrTestBench(const Options& options)
    : sink(Create<KeepingSink>()),
      ran(CreateObject<NrRan>()),
      carrier(CreateObject<NrCarrier>()),
      m_received(options.snrDb.size())
{
    RngSeedManager::SetSeed(1);
    RngSeedManager::SetRun(1);
    Config::SetDefault("ns3::NrLinkAdaptation::OuterLoop", BooleanValue(options.outerLoop));
    Config::SetDefault("ns3::NrLinkAdaptation::BlerTarget", DoubleValue(options.blerTarget));
    carrier->SetAttribute("Numerology", UintegerValue(0));
    carrier->SetAttribute("Prbs", UintegerValue(PRBS));
    carrier->SetAttribute("TddPattern", StringValue(""));
    carrier->SetAttribute("McsTable", UintegerValue(options.mcsTable));
    carrier->Initialize();
    auto phy = MakePhy(carrier, options.bler);
    std::vector<double> gains;
    for (const double snr : options.snrDb)
    {
        gains.push_back(Gain(snr));
    }
    auto channel = CreateObject<NrConstantChannelSource>();
    channel->SetGains(PRBS, {gains}, options.layers);
    ran->SetAttribute("Scheduler", StringValue(options.scheduler));
    ran->SetAttribute("GnbTxPower", DoubleValue(10.0 * std::log10(double(PRBS))));
    ran->SetAttribute("UeNoiseFigure", DoubleValue(0.0));
    ran->SetAttribute("GnbNoiseFigure", DoubleValue(0.0));
    // Uplink: 0 dBm a PRB too, without power control.
    ran->SetAttribute("UlP0", DoubleValue(0.0));
    ran->SetAttribute("UlAlpha", DoubleValue(0.0));
    ran->SetAttribute("MaxHarqTx", UintegerValue(options.maxHarqTx));
    Ptr<NrChannelSource> source = channel;
    ran->Configure(carrier, phy, options.channel ? options.channel : source, sink, 1);
    ran->AssignStreams(1);
    for (std::size_t ue = 0; ue < options.snrDb.size(); ++ue)
    {
        ran->AddUe(0);
    }
    ran->SetDelivery(
        [this](uint32_t ue, Ptr<Packet> packet) { m_received[ue] += packet->GetSize(); },
        [this](uint32_t ue, Ptr<Packet> packet) { m_received[ue] += packet->GetSize(); });
}

NrTestBench::~NrTestBench()
{
    Simulator::Destroy();
    Config::Reset();
}

void NrTestBench::TopUp(uint32_t ue, uint32_t bytes, bool uplink)
{
    constexpr uint64_t FULL = 60000; // more than three blocks of the largest size
    while (ran->GetLink(ue, uplink)->GetDemandBytes() < FULL)
    {
        ran->Enqueue(ue, uplink, Create<Packet>(bytes));
    }
    Simulator::Schedule(carrier->GetSlotDuration(), &NrTestBench::TopUp, this, ue, bytes, uplink);
}

void NrTestBench::Saturate(uint32_t ue, uint32_t bytes, bool uplink)
{
    Simulator::ScheduleNow(&NrTestBench::TopUp, this, ue, bytes, uplink);
}

void NrTestBench::SendAt(Time at, uint32_t ue, uint32_t bytes, bool uplink)
{
    Simulator::Schedule(
        at, [this, ue, bytes, uplink] { ran->Enqueue(ue, uplink, Create<Packet>(bytes)); });
}

void NrTestBench::SendTagged(
    Time at, uint32_t ue, uint32_t bytes, uint16_t port, double importance, uint32_t headerBytes)
{
    Simulator::Schedule(at, [this, ue, bytes, port, importance, headerBytes] {
        auto packet = Create<Packet>(bytes);
        NrMessageTag tag;
        tag.m_messageId = 1;
        tag.m_importance = importance;
        tag.m_headerBytes = headerBytes;
        packet->AddPacketTag(tag);
        UdpHeader udp;
        udp.SetDestinationPort(port);
        packet->AddHeader(udp);
        Ipv4Header ip;
        ip.SetProtocol(17);
        ip.SetPayloadSize(static_cast<uint16_t>(packet->GetSize()));
        packet->AddHeader(ip);
        ran->Enqueue(ue, false, packet);
    });
}

void NrTestBench::Run(double seconds)
{
    ran->Start(Seconds(seconds));
    Simulator::Stop(Seconds(seconds) + NanoSeconds(1));
    Simulator::Run();
    ran->Finish([](uint32_t, bool) { return 0; }, [](uint32_t, bool) { return 0; });
}

uint64_t NrTestBench::GetReceived(uint32_t ue) const
{
    return m_received[ue];
}

} // namespace ns3
