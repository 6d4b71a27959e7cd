// SPDX-License-Identifier: GPL-2.0-only
#include "nr-ran.h"

#include "nr-pf-scheduler.h"

#include "ns3/boolean.h"
#include "ns3/double.h"
#include "ns3/object-factory.h"
#include "ns3/simulator.h"
#include "ns3/type-id.h"
#include "ns3/uinteger.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace ns3
{

NS_OBJECT_ENSURE_REGISTERED(NrRan);

namespace
{

constexpr double BOLTZMANN_J_PER_K = 1.380649e-23;
constexpr double TEMPERATURE_K = 290.0;

/// 2 bytes of MAC subheader, 2 of RLC, 3 of PDCP, and something to carry.
constexpr uint32_t LEAST_BLOCK_BITS = 8 * 10;

double FromDb(double db)
{
    return std::pow(10.0, db / 10.0);
}

double FromDbm(double dbm)
{
    return 1e-3 * FromDb(dbm);
}

} // namespace

TypeId NrRan::GetTypeId()
{
    static TypeId tid =
        TypeId("ns3::NrRan")
            .SetParent<Object>()
            .SetGroupName("Cosim")
            .AddConstructor<NrRan>()
            .AddAttribute("Scheduler",
                          "Class of the schedulers, one object a cell and direction",
                          TypeIdValue(NrPfScheduler::GetTypeId()),
                          MakeTypeIdAccessor(&NrRan::m_schedulerType),
                          MakeTypeIdChecker())
            .AddAttribute("GnbTxPower",
                          "Transmit power of a cell over all PRBs, in dBm",
                          DoubleValue(33.0),
                          MakeDoubleAccessor(&NrRan::m_gnbTxPowerDbm),
                          MakeDoubleChecker<double>())
            .AddAttribute("GnbNoiseFigure",
                          "Receiver noise figure in dB",
                          DoubleValue(5.0),
                          MakeDoubleAccessor(&NrRan::m_gnbNoiseFigureDb),
                          MakeDoubleChecker<double>(0.0))
            .AddAttribute("UeTxPower",
                          "Maximum transmit power of a UE, in dBm",
                          DoubleValue(23.0),
                          MakeDoubleAccessor(&NrRan::m_ueTxPowerDbm),
                          MakeDoubleChecker<double>())
            .AddAttribute("UeNoiseFigure",
                          "Receiver noise figure in dB",
                          DoubleValue(9.0),
                          MakeDoubleAccessor(&NrRan::m_ueNoiseFigureDb),
                          MakeDoubleChecker<double>(0.0))
            .AddAttribute("UlP0",
                          "Power of a PRB at the gNB that power control aims at, in dBm "
                          "(TS 38.213 clause 7.1.1)",
                          DoubleValue(-80.0),
                          MakeDoubleAccessor(&NrRan::m_p0Dbm),
                          MakeDoubleChecker<double>())
            .AddAttribute("UlAlpha",
                          "Share of the path loss that power control compensates",
                          DoubleValue(0.8),
                          MakeDoubleAccessor(&NrRan::m_alpha),
                          MakeDoubleChecker<double>(0.0, 1.0))
            .AddAttribute("MaxHarqTx",
                          "Transmissions of a transport block, the first included",
                          UintegerValue(4),
                          MakeUintegerAccessor(&NrRan::m_maxHarqTx),
                          MakeUintegerChecker<uint32_t>(1))
            .AddAttribute("K1",
                          "Slots from data to its feedback, at least (TS 38.213 clause 9.2.3)",
                          UintegerValue(4),
                          MakeUintegerAccessor(&NrRan::m_k1Slots),
                          MakeUintegerChecker<uint32_t>(1))
            .AddAttribute("CqiPeriod",
                          "Slots between measurements of a UE",
                          UintegerValue(10),
                          MakeUintegerAccessor(&NrRan::m_cqiPeriodSlots),
                          MakeUintegerChecker<uint32_t>(1))
            .AddAttribute("UlGrantDelay",
                          "Slots from data in an empty UE buffer until the gNB can grant",
                          UintegerValue(8),
                          MakeUintegerAccessor(&NrRan::m_grantDelaySlots),
                          MakeUintegerChecker<uint32_t>())
            .AddAttribute("KpiPeriod",
                          "Period of KPI records",
                          TimeValue(MilliSeconds(100)),
                          MakeTimeAccessor(&NrRan::m_kpiPeriod),
                          MakeTimeChecker(NanoSeconds(1)))
            .AddAttribute("SlotTrace",
                          "Record every transport block",
                          BooleanValue(true),
                          MakeBooleanAccessor(&NrRan::m_slotTrace),
                          MakeBooleanChecker());
    return tid;
}

void NrRan::Configure(Ptr<NrCarrier> carrier,
                      Ptr<NrPhyAbstraction> phy,
                      Ptr<NrChannelSource> channel,
                      Ptr<NrTraceSink> sink,
                      uint32_t cells)
{
    m_carrier = carrier;
    m_phy = phy;
    m_channel = channel;
    m_sink = sink;
    m_draw = CreateObject<UniformRandomVariable>();
    const uint32_t prbs = carrier->GetPrbs();
    const double noise = BOLTZMANN_J_PER_K * TEMPERATURE_K * carrier->GetPrbBandwidth();
    m_gnbNoise = noise * FromDb(m_gnbNoiseFigureDb);
    m_ueNoise = noise * FromDb(m_ueNoiseFigureDb);
    m_gnbPower = FromDbm(m_gnbTxPowerDbm) / prbs;
    ObjectFactory factory;
    factory.SetTypeId(m_schedulerType);
    m_cells.resize(cells);
    for (Cell& cell : m_cells)
    {
        cell.schedulers[0] = factory.Create<NrScheduler>();
        cell.schedulers[1] = factory.Create<NrScheduler>();
        cell.power.resize(prbs);
        cell.sender.resize(prbs);
        cell.sentPower.resize(prbs);
    }
}

uint32_t NrRan::AddUe(uint32_t cell)
{
    const auto number = static_cast<uint32_t>(m_ues.size());
    Ue ue;
    ue.cell = cell;
    for (const bool uplink : {false, true})
    {
        auto link = CreateObject<NrLink>();
        link->Configure(cell, number, uplink, m_sink, [this, number, uplink](Ptr<Packet> packet) {
            (uplink ? m_toNetwork : m_toUe)(number, packet);
        });
        if (uplink)
        {
            link->SetPendingCallback([this, number] { NoteUplinkData(m_ues[number]); });
        }
        ue.links[uplink] = link;
    }
    m_ues.push_back(ue);
    return number;
}

void NrRan::AddFlow(const NrFlowConfig& flow)
{
    auto& links = m_ues.at(flow.ue).links;
    if (Ptr<NrRlcStatus> status = links[flow.uplink]->AddBearer(flow))
    {
        links[!flow.uplink]->AddStatusBearer(flow, status);
    }
}

void NrRan::SetDelivery(DeliverCallback toUe, DeliverCallback toNetwork)
{
    m_toUe = std::move(toUe);
    m_toNetwork = std::move(toNetwork);
}

void NrRan::Enqueue(uint32_t ue, bool uplink, Ptr<Packet> packet)
{
    // Packet numbers from 1, in the order of arrival at the radio.
    m_ues[ue].links[uplink]->Enqueue(packet, ++m_packets);
    if (uplink)
    {
        NoteUplinkData(m_ues[ue]);
    }
}

void NrRan::NoteUplinkData(Ue& ue)
{
    // A UE whose buffer the gNB believes empty has to ask first; after that, buffer status reports
    // ride on its transmissions.
    if (ue.knownBytes == 0 && !ue.requested)
    {
        ue.requested = true;
        ue.knownFrom = m_slot + m_grantDelaySlots;
    }
}

void NrRan::Start(Time end)
{
    m_end = end;
    m_nextKpi = m_kpiPeriod;
    Simulator::ScheduleNow(&NrRan::Slot, this);
}

void NrRan::Slot()
{
    const Time now = Simulator::Now();
    for (const auto& transmission : m_now)
    {
        // A retransmission of a block that was decoded before cannot be here: its process is free.
        if (transmission.process->decoded)
        {
            m_ues[transmission.ue].links[transmission.uplink]->Receive(*transmission.process);
        }
    }
    m_now.clear();
    if (now >= m_nextKpi || now >= m_end)
    {
        const Time start = m_nextKpi - m_kpiPeriod;
        const Time end = std::min(m_nextKpi, now);
        if (end > start)
        {
            for (const Ue& ue : m_ues)
            {
                ue.links[0]->EmitKpi(end, (end - start).GetSeconds());
                ue.links[1]->EmitKpi(end, (end - start).GetSeconds());
            }
        }
        m_nextKpi += m_kpiPeriod;
    }
    if (now >= m_end)
    {
        return;
    }
    m_channel->Advance(now);
    for (const Ue& ue : m_ues)
    {
        ue.links[0]->ApplyFeedback(m_slot, m_maxHarqTx);
        ue.links[1]->ApplyFeedback(m_slot, m_maxHarqTx);
    }
    Measure();
    const uint32_t dlSymbols = m_carrier->GetDlDataSymbols(m_slot);
    const uint32_t ulSymbols = m_carrier->GetUlDataSymbols(m_slot);
    for (uint32_t cell = 0; cell < m_cells.size(); ++cell)
    {
        std::fill(m_cells[cell].power.begin(), m_cells[cell].power.end(), 0.0);
        std::fill(m_cells[cell].sender.begin(), m_cells[cell].sender.end(), -1);
        if (dlSymbols > 0)
        {
            Schedule(cell, false, dlSymbols);
        }
        if (ulSymbols > 0)
        {
            Schedule(cell, true, ulSymbols);
        }
    }
    for (const auto& transmission : m_now)
    {
        Decode(transmission);
    }
    ++m_slot;
    Simulator::Schedule(m_carrier->GetSlotDuration(), &NrRan::Slot, this);
}

void NrRan::Measure()
{
    const uint32_t prbs = m_carrier->GetPrbs();
    m_sinr.resize(prbs);
    for (uint32_t number = 0; number < m_ues.size(); ++number)
    {
        // UEs measure in turn, so that the work is spread over the period.
        if (m_slot != 0 && (m_slot + number) % m_cqiPeriodSlots != 0)
        {
            continue;
        }
        Ue& ue = m_ues[number];
        const auto gains = m_channel->GetGains(ue.cell, number, 0);
        double mean = 0.0;
        for (const float gain : gains)
        {
            mean += gain;
        }
        mean /= prbs;
        // Layer-3 filter with coefficient 1/4 (TS 38.331 clause 5.5.3.2: a = 1/2^(k/4), k = 8).
        ue.gain = ue.gain > 0.0 ? ue.gain + 0.25 * (mean - ue.gain) : mean;
        std::vector<double> interference(prbs, 0.0);
        for (uint32_t other = 0; other < m_cells.size(); ++other)
        {
            if (other == ue.cell)
            {
                continue;
            }
            const auto from = m_channel->GetGains(other, number, 0);
            for (uint32_t prb = 0; prb < prbs; ++prb)
            {
                // What the neighbour sent in the latest slot: as old as the measurement itself.
                interference[prb] += m_cells[other].power[prb] * from[prb];
            }
        }
        for (uint32_t prb = 0; prb < prbs; ++prb)
        {
            m_sinr[prb] =
                static_cast<float>(m_gnbPower * gains[prb] / (m_ueNoise + interference[prb]));
        }
        ue.links[0]->GetLinkAdaptation()->Report(m_slot, m_phy->GetReport(m_sinr));
        const double target = GetUplinkTarget(ue);
        for (uint32_t prb = 0; prb < prbs; ++prb)
        {
            m_sinr[prb] = static_cast<float>(target * gains[prb] / m_gnbNoise);
        }
        ue.links[1]->GetLinkAdaptation()->Report(m_slot, m_phy->GetReport(m_sinr));
    }
}

double NrRan::GetUplinkTarget(const Ue& ue) const
{
    const double pathLossDb = -10.0 * std::log10(std::max(ue.gain, 1e-30));
    const double target = FromDbm(m_p0Dbm + m_alpha * pathLossDb);
    return std::min(target, FromDbm(m_ueTxPowerDbm));
}

double NrRan::GetUplinkPower(const Ue& ue, uint32_t prbs) const
{
    return std::min(GetUplinkTarget(ue), FromDbm(m_ueTxPowerDbm) / prbs);
}

uint32_t NrRan::GetLeastPrbs(uint8_t mcs, uint32_t symbols) const
{
    uint32_t prbs = 1;
    while (prbs < m_carrier->GetPrbs() &&
           m_carrier->GetTransportBlockBits(prbs, symbols, 1, mcs) < LEAST_BLOCK_BITS)
    {
        ++prbs;
    }
    return prbs;
}

void NrRan::WidenNarrowShares(uint32_t prbs, uint32_t symbols)
{
    uint32_t spare = prbs - std::accumulate(m_shares.begin(), m_shares.end(), 0U);
    for (std::size_t i = 0; i < m_shares.size(); ++i)
    {
        uint32_t& share = m_shares[i];
        const uint8_t mcs = m_candidates[i].lowestMcs;
        if (share == 0 ||
            m_carrier->GetTransportBlockBits(share, symbols, 1, mcs) >= LEAST_BLOCK_BITS)
        {
            continue;
        }
        const uint32_t least = GetLeastPrbs(mcs, symbols);
        // Too narrow for headers and a byte: take what is left over, or leave it to the others.
        spare += share;
        share = spare >= least ? least : 0;
        spare -= share;
    }
}

void NrRan::Schedule(uint32_t cell, bool uplink, uint32_t symbols)
{
    uint32_t nextPrb = 0;
    const uint32_t prbs = m_carrier->GetPrbs();
    m_candidates.clear();
    for (uint32_t number = 0; number < m_ues.size(); ++number)
    {
        Ue& ue = m_ues[number];
        if (ue.cell != cell)
        {
            continue;
        }
        NrLink& link = *ue.links[uplink];
        if (uplink && ue.requested && m_slot >= ue.knownFrom)
        {
            ue.requested = false;
            ue.knownBytes = link.GetDemandBytes();
        }
        // Retransmissions first. They keep their PRBs and need as many symbols as the first one
        // had.
        for (auto& process : link.GetProcesses())
        {
            if (process.state == NrHarqProcess::State::RETRANSMIT && process.symbols <= symbols &&
                process.prbs <= prbs - nextPrb)
            {
                Transmit(number, uplink, process, nextPrb);
                nextPrb += process.prbs;
            }
        }
        NrCandidate candidate;
        candidate.ue = number;
        link.Describe(candidate);
        if (uplink)
        {
            candidate.demandBytes = std::min(candidate.demandBytes, ue.knownBytes);
        }
        if (candidate.demandBytes == 0 || link.GetIdleProcess() == nullptr)
        {
            continue;
        }
        candidate.maxPrbs = prbs;
        if (uplink)
        {
            // More PRBs than the power reaches would only thin it out.
            const double reach = FromDbm(m_ueTxPowerDbm) / GetUplinkTarget(ue);
            const uint32_t least = GetLeastPrbs(m_phy->GetLowestMcs(), symbols);
            candidate.maxPrbs =
                std::max(least, static_cast<uint32_t>(std::clamp(reach, 1.0, double(prbs))));
        }
        const uint8_t mcs = link.GetLinkAdaptation()->Select(m_slot, *m_phy, 0.0);
        constexpr uint32_t SAMPLE_PRBS = 10; // TBS is quantised: one PRB alone would mislead
        candidate.bytesPerPrb =
            m_carrier->GetTransportBlockBits(SAMPLE_PRBS, symbols, 1, mcs) / (8.0 * SAMPLE_PRBS);
        // The uplink's power is spread over the share, so its MCS may yet fall.
        candidate.lowestMcs = uplink ? m_phy->GetLowestMcs() : mcs;
        candidate.averageRate = link.GetAverageRate();
        m_candidates.push_back(candidate);
    }
    m_shares.assign(m_candidates.size(), 0);
    m_cells[cell].schedulers[uplink]->Share(m_candidates, prbs - nextPrb, m_shares);
    WidenNarrowShares(prbs - nextPrb, symbols);
    std::size_t at = 0;
    for (uint32_t number = 0; number < m_ues.size(); ++number)
    {
        Ue& ue = m_ues[number];
        if (ue.cell != cell)
        {
            continue;
        }
        NrLink& link = *ue.links[uplink];
        double served = 0.0;
        if (at < m_candidates.size() && m_candidates[at].ue == number)
        {
            const uint32_t share = m_shares[at++];
            if (share > 0)
            {
                const double penaltyDb =
                    uplink ? 10.0 * std::log10(GetUplinkTarget(ue) / GetUplinkPower(ue, share))
                           : 0.0;
                NrHarqProcess& process = *link.GetIdleProcess();
                process.mcs = link.GetLinkAdaptation()->Select(m_slot, *m_phy, penaltyDb);
                process.layers = 1;
                process.prbs = share;
                process.symbols = symbols;
                process.tbsBits =
                    m_carrier->GetTransportBlockBits(share, symbols, process.layers, process.mcs);
                process.transmissions = 0;
                process.sinrSum = 0.0;
                link.FillBlock(process);
                if (!process.segments.empty())
                {
                    Transmit(number, uplink, process, nextPrb);
                    nextPrb += share;
                    served = process.tbsBits / 8.0;
                }
                if (uplink)
                {
                    // The buffer status report in the block; an empty buffer must ask anew.
                    ue.knownBytes = link.GetDemandBytes();
                }
            }
        }
        link.UpdateAverage(served);
    }
}

void NrRan::Transmit(uint32_t number, bool uplink, NrHarqProcess& process, uint32_t firstPrb)
{
    Ue& ue = m_ues[number];
    Cell& cell = m_cells[ue.cell];
    const double power = uplink ? GetUplinkPower(ue, process.prbs) : m_gnbPower;
    for (uint32_t prb = firstPrb; prb < firstPrb + process.prbs; ++prb)
    {
        if (uplink)
        {
            cell.sender[prb] = static_cast<int32_t>(number);
            cell.sentPower[prb] = power;
        }
        else
        {
            cell.power[prb] = power;
        }
    }
    ++process.transmissions;
    process.state = NrHarqProcess::State::SENT;
    const uint64_t earliest = m_slot + m_k1Slots;
    process.feedbackSlot = uplink ? earliest : m_carrier->GetFeedbackSlot(earliest);
    m_now.push_back({number, uplink, &process, firstPrb, power});
}

void NrRan::Decode(const Transmission& t)
{
    NrHarqProcess& process = *t.process;
    const Ue& ue = m_ues[t.ue];
    const auto gains = m_channel->GetGains(ue.cell, t.ue, 0);
    m_sinr.resize(process.prbs);
    for (uint32_t i = 0; i < process.prbs; ++i)
    {
        const uint32_t prb = t.firstPrb + i;
        double noise = t.uplink ? m_gnbNoise : m_ueNoise;
        for (uint32_t other = 0; other < m_cells.size(); ++other)
        {
            if (other == ue.cell)
            {
                continue;
            }
            if (!t.uplink)
            {
                noise += m_cells[other].power[prb] * m_channel->GetGains(other, t.ue, 0)[prb];
            }
            else if (const int32_t sender = m_cells[other].sender[prb]; sender >= 0)
            {
                const auto from = static_cast<uint32_t>(sender);
                noise += m_cells[other].sentPower[prb] * m_channel->GetGains(ue.cell, from, 0)[prb];
            }
        }
        m_sinr[i] = static_cast<float>(t.power * gains[prb] / noise);
    }
    const double sinr = m_phy->GetEffectiveSinr(m_sinr, process.mcs);
    process.sinrSum += sinr;
    const double sumDb = 10.0 * std::log10(std::max(process.sinrSum, 1e-20));
    const double bler = m_phy->GetBler(process.mcs, process.tbsBits, sumDb);
    process.decoded = m_draw->GetValue() >= bler;
    const double sinrDb = 10.0 * std::log10(std::max(sinr, 1e-20));
    NrLink& link = *ue.links[t.uplink];
    link.CountTransmission(process, sinrDb, process.decoded);
    if (m_slotTrace)
    {
        cosim::sim::SlotRecord record{};
        record.t_s = Simulator::Now().GetSeconds();
        record.cell = ue.cell;
        record.direction = t.uplink;
        record.ue = t.ue;
        record.tbs_bits = process.tbsBits;
        record.prb_first = static_cast<uint16_t>(t.firstPrb);
        record.prb_count = static_cast<uint16_t>(process.prbs);
        record.layers = process.layers;
        record.mcs = process.mcs;
        record.harq_process = static_cast<uint8_t>(&process - link.GetProcesses().data());
        record.redundancy_version = process.GetRedundancyVersion();
        record.sinr_eff_db = static_cast<float>(sinrDb);
        record.bler_predicted = static_cast<float>(bler);
        record.ack = process.decoded;
        m_sink->Slot(record);
    }
}

void NrRan::Finish(const std::function<uint64_t(uint32_t, bool)>& appBytes,
                   const std::function<uint64_t(uint32_t, bool)>& appPackets)
{
    for (uint32_t number = 0; number < m_ues.size(); ++number)
    {
        for (const bool uplink : {false, true})
        {
            m_ues[number].links[uplink]->Finish(appBytes(number, uplink),
                                                appPackets(number, uplink));
        }
    }
}

Ptr<NrLink> NrRan::GetLink(uint32_t ue, bool uplink) const
{
    return m_ues.at(ue).links[uplink];
}

int64_t NrRan::AssignStreams(int64_t stream)
{
    m_draw->SetStream(stream);
    return 1;
}

} // namespace ns3
