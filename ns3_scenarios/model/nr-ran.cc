// SPDX-License-Identifier: GPL-2.0-only
#include "nr-ran.h"

#include "nr-pf-scheduler.h"
#include "nr-tbs.h"

#include "ns3/boolean.h"
#include "ns3/double.h"
#include "ns3/object-factory.h"
#include "ns3/simulator.h"
#include "ns3/type-id.h"
#include "ns3/uinteger.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <stdexcept>

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
            .AddAttribute("UlScheduler",
                          "Class of the uplink's schedulers; ns3::NrScheduler: as Scheduler",
                          TypeIdValue(NrScheduler::GetTypeId()),
                          MakeTypeIdAccessor(&NrRan::m_ulSchedulerType),
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
            .AddAttribute("HarqMemory",
                          "A block that was lost is more likely than others to be lost again: one "
                          "draw decides on all its transmissions; if false, each has its own",
                          BooleanValue(true),
                          MakeBooleanAccessor(&NrRan::m_harqMemory),
                          MakeBooleanChecker())
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
                          "Slots from a scheduling request until the gNB can grant",
                          UintegerValue(8),
                          MakeUintegerAccessor(&NrRan::m_grantDelaySlots),
                          MakeUintegerChecker<uint32_t>())
            .AddAttribute("SrPeriod",
                          "Slots between a UE's occasions for a scheduling request",
                          UintegerValue(1),
                          MakeUintegerAccessor(&NrRan::m_requestPeriodSlots),
                          MakeUintegerChecker<uint32_t>(1))
            .AddAttribute("SrGrantBytes",
                          "Bytes that a scheduling request is worth to the gNB until a buffer "
                          "status report comes; 0: it grants what the buffer holds",
                          UintegerValue(0),
                          MakeUintegerAccessor(&NrRan::m_firstGrantBytes),
                          MakeUintegerChecker<uint32_t>())
            .AddAttribute("BsrDelay",
                          "Slots from a decoded buffer status report to its use",
                          UintegerValue(0),
                          MakeUintegerAccessor(&NrRan::m_reportDelaySlots),
                          MakeUintegerChecker<uint32_t>())
            .AddAttribute("ConfiguredGrantPeriod",
                          "Slots between the configured grants of a UE (TS 38.321 clause 5.8.2), "
                          "0 for none",
                          UintegerValue(0),
                          MakeUintegerAccessor(&NrRan::m_configuredPeriod),
                          MakeUintegerChecker<uint32_t>())
            .AddAttribute("ConfiguredGrantBytes",
                          "Bytes of a configured grant",
                          UintegerValue(128),
                          MakeUintegerAccessor(&NrRan::m_configuredBytes),
                          MakeUintegerChecker<uint32_t>(1))
            .AddAttribute("MaxLayers",
                          "Spatial layers of a downlink block at most",
                          UintegerValue(1),
                          MakeUintegerAccessor(&NrRan::m_maxLayersDl),
                          MakeUintegerChecker<uint32_t>(1, 4))
            .AddAttribute("MaxUlLayers",
                          "Spatial layers of an uplink block at most",
                          UintegerValue(1),
                          MakeUintegerAccessor(&NrRan::m_maxLayersUl),
                          MakeUintegerChecker<uint32_t>(1, 4))
            .AddAttribute("KpiPeriod",
                          "Period of KPI records",
                          TimeValue(MilliSeconds(100)),
                          MakeTimeAccessor(&NrRan::m_kpiPeriod),
                          MakeTimeChecker(NanoSeconds(1)))
            .AddAttribute("DataForwarding",
                          "At a handover, downlink packets that were not delivered go to the "
                          "target; without it they are lost",
                          BooleanValue(true),
                          MakeBooleanAccessor(&NrRan::m_forward),
                          MakeBooleanChecker())
            .AddAttribute("SlotTrace",
                          "Record every transport block",
                          BooleanValue(true),
                          MakeBooleanAccessor(&NrRan::m_slotTrace),
                          MakeBooleanChecker())
            .AddAttribute("TruthFraction",
                          "Share of transport blocks that are given to truth replay, with the "
                          "SINR of every PRB, at each of their transmissions",
                          DoubleValue(0.0),
                          MakeDoubleAccessor(&NrRan::m_truthFraction),
                          MakeDoubleChecker<double>(0.0, 1.0))
            .AddAttribute("HeaderBackoff",
                          "With flows that deliver bits or symbols: MCS indices of a block's "
                          "headers below the chosen one",
                          UintegerValue(6),
                          MakeUintegerAccessor(&NrRan::m_headerBackoff),
                          MakeUintegerChecker<uint32_t>(0, 28));
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
    if (!m_packets)
    {
        m_packets = std::make_shared<uint64_t>(0);
    }
    const uint32_t prbs = carrier->GetPrbs();
    const double noise = BOLTZMANN_J_PER_K * TEMPERATURE_K * carrier->GetPrbBandwidth();
    m_gnbNoise = noise * FromDb(m_gnbNoiseFigureDb);
    m_ueNoise = noise * FromDb(m_ueNoiseFigureDb);
    m_gnbPower = FromDbm(m_gnbTxPowerDbm) / prbs;
    m_uplinkPower = NrUplinkPower(m_p0Dbm, m_alpha, m_ueTxPowerDbm);
    m_bufferConfig = {
        m_requestPeriodSlots, m_grantDelaySlots, m_firstGrantBytes, m_reportDelaySlots};
    m_combining = CreateObject<NrHarqCombining>();
    ObjectFactory factory;
    m_cells.resize(cells);
    uint32_t index = 0;
    for (Cell& cell : m_cells)
    {
        for (const bool uplink : {false, true})
        {
            const bool own = uplink && m_ulSchedulerType != NrScheduler::GetTypeId();
            const TypeId type = own ? m_ulSchedulerType : m_schedulerType;
            if (!type.IsChildOf(NrScheduler::GetTypeId()) || !type.HasConstructor())
            {
                throw std::invalid_argument(type.GetName() +
                                            " is no scheduler: one is derived from "
                                            "ns3::NrScheduler and has AddConstructor");
            }
            factory.SetTypeId(type);
            cell.schedulers[uplink] = factory.Create<NrScheduler>();
            cell.schedulers[uplink]->SetCell(m_firstCell + index, uplink);
        }
        ++index;
    }
    m_interference = CreateObject<NrInterference>();
    m_interference->Configure(channel, cells, prbs);
    m_handover = CreateObject<NrHandoverController>();
}

uint32_t NrRan::AddUe(uint32_t cell)
{
    const auto number = static_cast<uint32_t>(m_ues.size());
    Ue ue;
    ue.cell = cell;
    ue.buffer = NrBufferStatus(m_bufferConfig, number);
    for (const bool uplink : {false, true})
    {
        auto link = CreateObject<NrLink>();
        link->Configure(
            m_firstCell + cell, number, uplink, m_sink, [this, number, uplink](Ptr<Packet> packet) {
                (uplink ? m_toNetwork : m_toUe)(number, packet);
            });
        if (uplink)
        {
            link->SetPendingCallback([this, number] { m_ues[number].buffer.NoteData(m_slot); });
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
    m_ues[ue].links[uplink]->Enqueue(packet, ++*m_packets);
    if (uplink)
    {
        m_ues[ue].buffer.NoteData(m_slot);
    }
}

void NrRan::SetNumbers(uint32_t firstCell, std::shared_ptr<uint64_t> packets)
{
    m_firstCell = firstCell;
    m_packets = std::move(packets);
}

void NrRan::Follow(Ptr<NrRan> part)
{
    m_follows = true;
    part->m_followers.push_back(this);
}

void NrRan::Start(Time end)
{
    m_end = end;
    m_nextKpi = m_kpiPeriod;
    std::vector<uint32_t> serving;
    for (const Ue& ue : m_ues)
    {
        serving.push_back(ue.cell);
    }
    // Reference signals have the power of any other resource element: a twelfth of a PRB's.
    const double elementDbm = 10.0 * std::log10(1e3 * m_gnbPower / 12.0);
    if (m_follows)
    {
        m_handover->SetAttribute("Enabled", BooleanValue(false));
    }
    m_handover->Configure(m_channel, elementDbm, static_cast<uint32_t>(m_cells.size()), serving);
    m_handover->SetCallbacks([this](uint32_t ue, uint32_t target) { Leave(ue, target); },
                             [this](uint32_t ue, uint32_t cell) { Enter(ue, cell); },
                             [this](uint32_t ue, uint32_t cell) {
                                 if (m_switchPath)
                                 {
                                     m_switchPath(ue, cell);
                                 }
                             });
    if (m_interference->IsBounded())
    {
        m_handover->SetGainsCallback(
            [this](uint32_t ue, uint32_t cell, const std::vector<double>& gains) {
                m_interference->Update(ue, cell, gains);
            });
    }
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
            Ue& ue = m_ues[transmission.ue];
            ue.links[transmission.uplink]->Receive(*transmission.process);
            if (transmission.uplink)
            {
                ue.buffer.Decoded(m_slot, transmission.process->report);
            }
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
    for (Ue& ue : m_ues)
    {
        ue.links[0]->ApplyFeedback(m_slot);
        for (uint32_t lost = ue.links[1]->ApplyFeedback(m_slot); lost > 0; --lost)
        {
            ue.buffer.Lost(m_slot, ue.links[1]->GetDemandBytes());
        }
    }
    if (m_cells.size() > 1)
    {
        m_handover->Step(now);
    }
    Measure();
    for (Cell& cell : m_cells)
    {
        cell.ues.clear();
    }
    for (uint32_t number = 0; number < m_ues.size(); ++number)
    {
        if (m_ues[number].cell != NO_CELL)
        {
            m_cells[m_ues[number].cell].ues.push_back(number);
        }
    }
    const uint32_t dlSymbols = m_carrier->GetDlDataSymbols(m_slot);
    const uint32_t ulSymbols = m_carrier->GetUlDataSymbols(m_slot);
    m_interference->BeginSlot(dlSymbols > 0, ulSymbols > 0);
    for (uint32_t cell = 0; cell < m_cells.size(); ++cell)
    {
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
    for (uint32_t number = 0; number < m_ues.size(); ++number)
    {
        // UEs measure in turn, so that the work is spread over the period.
        Ue& ue = m_ues[number];
        const bool due = m_slot == 0 || (m_slot + number) % m_cqiPeriodSlots == 0 || ue.arrived;
        if (!due || ue.cell == NO_CELL)
        {
            continue;
        }
        ue.arrived = false;
        const auto gains = m_channel->GetGains(ue.cell, number, 0);
        double mean = 0.0;
        for (const float gain : gains)
        {
            mean += gain;
        }
        mean /= prbs;
        // Layer-3 filter with coefficient 1/4 (TS 38.331 clause 5.5.3.2: a = 1/2^(k/4), k = 8).
        ue.gain = ue.gain > 0.0 ? ue.gain + 0.25 * (mean - ue.gain) : mean;
        // What the neighbours sent in the latest slot: as old as the measurement itself.
        std::vector<double> interference(prbs, 0.0);
        m_interference->AddDownlink(number, ue.cell, 0, interference);
        const uint32_t channelLayers = m_channel->GetLayers();
        const double target = m_uplinkPower.GetTarget(ue.gain);
        for (const bool uplink : {false, true})
        {
            const uint32_t layers = std::min(uplink ? m_maxLayersUl : m_maxLayersDl, channelLayers);
            std::vector<float> sinr(std::size_t{layers} * prbs);
            for (uint32_t layer = 0; layer < layers; ++layer)
            {
                const auto own = m_channel->GetGains(ue.cell, number, layer);
                for (uint32_t prb = 0; prb < prbs; ++prb)
                {
                    sinr[layer * prbs + prb] = static_cast<float>(
                        uplink ? target * own[prb] / m_gnbNoise
                               : m_gnbPower * own[prb] / (m_ueNoise + interference[prb]));
                }
            }
            ue.links[uplink]->GetLinkAdaptation()->Report(m_slot, std::move(sinr), layers);
        }
    }
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
        const uint32_t direct = m_candidates[i].leastPrbs;
        const bool wide = direct > 0 ? share >= direct
                                     : m_carrier->GetTransportBlockBits(share, symbols, 1, mcs) >=
                                           LEAST_BLOCK_BITS;
        if (share == 0 || wide)
        {
            continue;
        }
        const uint32_t least = direct > 0 ? direct : GetLeastPrbs(mcs, symbols);
        // Too narrow for headers and a byte: take what is left over, or leave it to the others.
        spare += share;
        share = spare >= least ? least : 0;
        spare -= share;
    }
}

double NrRan::GetBytesPerPrb(uint32_t symbols, const NrTransportFormat& format) const
{
    constexpr uint32_t SAMPLE_PRBS = 10; // TBS is quantised: one PRB alone would mislead
    return m_carrier->GetTransportBlockBits(SAMPLE_PRBS, symbols, format.layers, format.mcs) /
           (8.0 * SAMPLE_PRBS);
}

void NrRan::DescribeGroups(uint32_t groups, uint32_t firstPrb, uint32_t symbols, bool uplink)
{
    const uint32_t prbs = m_carrier->GetPrbs() - firstPrb;
    groups = std::min(groups, prbs);
    m_groups.clear();
    for (const NrCandidate& candidate : m_candidates)
    {
        auto adaptation = m_ues[candidate.ue].links[uplink]->GetLinkAdaptation();
        for (uint32_t group = 0; group < groups; ++group)
        {
            const uint32_t first = group * prbs / groups;
            const uint32_t width = (group + 1) * prbs / groups - first;
            const auto format =
                adaptation->SelectPart(m_slot, *m_phy, 0.0, firstPrb + first, width);
            m_groups.push_back(static_cast<float>(GetBytesPerPrb(symbols, format)));
        }
    }
    for (std::size_t i = 0; i < m_candidates.size(); ++i)
    {
        m_candidates[i].groupBytesPerPrb =
            std::span<const float>(m_groups).subspan(i * groups, groups);
    }
}

double NrRan::SendNewBlock(uint32_t number,
                           bool uplink,
                           const NrTransportFormat& format,
                           uint32_t firstPrb,
                           uint32_t prbs,
                           uint32_t symbols,
                           bool backedOff)
{
    Ue& ue = m_ues[number];
    NrLink& link = *ue.links[uplink];
    NrHarqProcess* const process = link.GetIdleProcess();
    if (process == nullptr)
    {
        return 0.0;
    }
    process->mcs = format.mcs;
    process->layers = format.layers;
    process->backedOff = backedOff;
    process->prbs = prbs;
    process->symbols = symbols;
    process->elements = m_carrier->GetDataElements(symbols) * prbs * format.layers;
    process->transmissions = 0;
    process->sinr.clear();
    process->delivery = link.GetHeadDelivery();
    if (process->delivery == cosim::sim::Delivery::PACKET)
    {
        process->tbsBits =
            m_carrier->GetTransportBlockBits(prbs, symbols, format.layers, format.mcs);
        link.FillBlock(*process, m_maxHarqTx);
    }
    else
    {
        process->headerMcs = GetHeaderMcs(format.mcs);
        process->backedOff = true; // whether headers come says nothing about the MCS of contents
        link.FillDirect(*process, GetDirectCost(process->delivery, format.mcs));
    }
    if (process->segments.empty())
    {
        return 0.0;
    }
    if (uplink)
    {
        process->report = ue.buffer.Sent(process->tbsBits / 8, link.GetDemandBytes());
    }
    Transmit(number, uplink, *process, firstPrb);
    return process->tbsBits / 8.0;
}

uint32_t NrRan::ServeConfiguredGrants(uint32_t cell, uint32_t symbols, uint32_t nextPrb)
{
    if (m_configuredPeriod == 0)
    {
        return nextPrb;
    }
    for (const uint32_t number : m_cells[cell].ues)
    {
        Ue& ue = m_ues[number];
        // Every UE has its own slot of the period; one that is no uplink slot is left out.
        if ((m_slot + number) % m_configuredPeriod != 0)
        {
            continue;
        }
        NrLink& link = *ue.links[1];
        const auto format = link.GetLinkAdaptation()->Select(m_slot, *m_phy, 0.0);
        const double needed = std::ceil(m_configuredBytes / GetBytesPerPrb(symbols, format));
        const double reach = std::max(std::floor(m_uplinkPower.GetReach(ue.gain)), 1.0);
        const auto prbs = static_cast<uint32_t>(
            std::clamp(std::min(needed, reach), 1.0, double(m_carrier->GetPrbs() - nextPrb)));
        if (nextPrb >= m_carrier->GetPrbs())
        {
            break;
        }
        if (link.GetDemandBytes() > 0)
        {
            SendNewBlock(number, true, format, nextPrb, prbs, symbols, false);
        }
        nextPrb += prbs;
    }
    return nextPrb;
}

void NrRan::Schedule(uint32_t cell, bool uplink, uint32_t symbols)
{
    uint32_t nextPrb = 0;
    const uint32_t prbs = m_carrier->GetPrbs();
    NrScheduler& scheduler = *m_cells[cell].schedulers[uplink];
    const bool wantsQueue = scheduler.WantsQueue();
    m_candidates.clear();
    for (const uint32_t number : m_cells[cell].ues)
    {
        Ue& ue = m_ues[number];
        NrLink& link = *ue.links[uplink];
        if (!link.HasBlocks())
        {
            continue;
        }
        // Retransmissions first. They keep their PRBs and need as many symbols as the first one
        // had.
        for (NrHarqProcess& process : link.GetProcesses())
        {
            if (process.state == NrHarqProcess::State::RETRANSMIT && process.symbols <= symbols &&
                process.prbs <= prbs - nextPrb)
            {
                Transmit(number, uplink, process, nextPrb);
                nextPrb += process.prbs;
            }
        }
    }
    if (uplink)
    {
        nextPrb = ServeConfiguredGrants(cell, symbols, nextPrb);
    }
    for (const uint32_t number : m_cells[cell].ues)
    {
        Ue& ue = m_ues[number];
        NrLink& link = *ue.links[uplink];
        NrCandidate candidate;
        candidate.ue = number;
        link.Describe(candidate, wantsQueue);
        if (uplink)
        {
            candidate.demandBytes = ue.buffer.GetKnownBytes(m_slot, candidate.demandBytes);
        }
        if (candidate.demandBytes == 0 || link.GetIdleProcess() == nullptr)
        {
            continue;
        }
        candidate.maxPrbs = prbs;
        if (uplink)
        {
            // More PRBs than the power reaches would only thin it out.
            const double reach = m_uplinkPower.GetReach(ue.gain);
            const uint32_t least = GetLeastPrbs(m_phy->GetLowestMcs(), symbols);
            candidate.maxPrbs =
                std::max(least, static_cast<uint32_t>(std::clamp(reach, 1.0, double(prbs))));
        }
        const auto format =
            BackOff(link.GetLinkAdaptation()->Select(m_slot, *m_phy, 0.0), candidate);
        candidate.bytesPerPrb = GetBytesPerPrb(symbols, format);
        candidate.layers = format.layers;
        // The uplink's power is spread over the share, so its MCS may yet fall.
        candidate.lowestMcs = uplink ? m_phy->GetLowestMcs() : format.mcs;
        if (candidate.delivery != cosim::sim::Delivery::PACKET)
        {
            DescribeDirect(candidate, format, symbols);
        }
        candidate.averageRate = link.GetAverageRate();
        m_candidates.push_back(candidate);
    }
    const uint32_t groups = scheduler.GetGroups(m_candidates.size());
    if (groups > 0 && nextPrb < prbs)
    {
        DescribeGroups(groups, nextPrb, symbols, uplink);
    }
    m_shares.assign(m_candidates.size(), 0);
    scheduler.Share(m_candidates, prbs - nextPrb, m_shares);
    WidenNarrowShares(prbs - nextPrb, symbols);
    const auto places = scheduler.GetPlaces();
    m_served.assign(m_candidates.size(), 0.0);
    for (std::size_t place = 0; place < m_candidates.size(); ++place)
    {
        const std::size_t at = places.empty() ? place : places[place];
        const uint32_t share = m_shares[at];
        if (share == 0)
        {
            continue;
        }
        const uint32_t number = m_candidates[at].ue;
        const Ue& ue = m_ues[number];
        const double penaltyDb = uplink ? 10.0 * std::log10(m_uplinkPower.GetTarget(ue.gain) /
                                                            m_uplinkPower.GetPower(ue.gain, share))
                                        : 0.0;
        NrLinkAdaptation& adaptation = *ue.links[uplink]->GetLinkAdaptation();
        const auto chosen = groups > 0
                                ? adaptation.SelectPart(m_slot, *m_phy, penaltyDb, nextPrb, share)
                                : adaptation.Select(m_slot, *m_phy, penaltyDb);
        const auto format = BackOff(chosen, m_candidates[at]);
        m_served[at] =
            SendNewBlock(number, uplink, format, nextPrb, share, symbols, format.mcs < chosen.mcs);
        nextPrb += m_served[at] > 0.0 ? share : 0;
    }
    std::size_t at = 0;
    for (const uint32_t number : m_cells[cell].ues)
    {
        const bool asked = at < m_candidates.size() && m_candidates[at].ue == number;
        m_ues[number].links[uplink]->UpdateAverage(asked ? m_served[at++] : 0.0);
    }
}

uint8_t NrRan::GetHeaderMcs(uint8_t mcs) const
{
    const int lower = static_cast<int>(mcs) - static_cast<int>(m_headerBackoff);
    return static_cast<uint8_t>(std::max(static_cast<int>(m_phy->GetLowestMcs()), lower));
}

NrDirectCost NrRan::GetDirectCost(cosim::sim::Delivery delivery, uint8_t mcs) const
{
    return NrDirectCost(
        delivery, m_phy->GetEfficiency(GetHeaderMcs(mcs)), m_phy->GetEfficiency(mcs));
}

void NrRan::DescribeDirect(NrCandidate& candidate,
                           const NrTransportFormat& format,
                           uint32_t symbols) const
{
    const uint32_t elements = m_carrier->GetDataElements(symbols);
    const NrDirectCost cost = GetDirectCost(candidate.delivery, format.mcs);
    const double contentByte = cost.GetElements(0, 1);
    candidate.bytesPerPrb = elements * format.layers / contentByte;
    // Demand in bytes of contents; headers take more elements each.
    const double headers =
        std::min(1.0, double(candidate.headerBytes) / double(candidate.demandBytes));
    candidate.demandBytes = static_cast<uint64_t>(
        std::ceil(double(candidate.demandBytes) *
                  (1.0 - headers + headers * cost.GetElements(1, 0) / contentByte)));
    // A first piece has all headers, also at the MCS that the block may fall to.
    constexpr uint32_t MAC_RLC_BYTES = 7;
    const NrDirectCost lowest = GetDirectCost(candidate.delivery, candidate.lowestMcs);
    const double first = lowest.GetHeaderElements(candidate.headHeaderBytes + MAC_RLC_BYTES) +
                         lowest.GetElements(0, NrDirectCost::SYMBOL_BYTES) + 1.0;
    const auto least = static_cast<uint32_t>(std::ceil(first / elements));
    candidate.leastPrbs = std::min(least, m_carrier->GetPrbs());
    candidate.maxPrbs = std::max(candidate.maxPrbs, candidate.leastPrbs);
}

NrTransportFormat NrRan::BackOff(NrTransportFormat format, const NrCandidate& candidate) const
{
    const uint32_t lowest = m_phy->GetLowestMcs();
    if (candidate.mcsBackoff > 0 && format.mcs > lowest)
    {
        format.mcs = static_cast<uint8_t>(std::max(
            static_cast<int>(lowest), static_cast<int>(format.mcs) - candidate.mcsBackoff));
    }
    return format;
}

void NrRan::Transmit(uint32_t number, bool uplink, NrHarqProcess& process, uint32_t firstPrb)
{
    Ue& ue = m_ues[number];
    const double power = uplink ? m_uplinkPower.GetPower(ue.gain, process.prbs) : m_gnbPower;
    if (uplink)
    {
        m_interference->NoteUplink(ue.cell, number, firstPrb, process.prbs, power);
    }
    else
    {
        m_interference->NoteDownlink(ue.cell, firstPrb, process.prbs, power);
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
    m_sinr.resize(std::size_t{process.prbs} * process.layers);
    m_noise.assign(process.prbs, t.uplink ? m_gnbNoise : m_ueNoise);
    if (t.uplink)
    {
        m_interference->AddUplink(ue.cell, t.firstPrb, m_noise);
    }
    else
    {
        m_interference->AddDownlink(t.ue, ue.cell, t.firstPrb, m_noise);
    }
    for (uint32_t layer = 0; layer < process.layers; ++layer)
    {
        const auto gains = m_channel->GetGains(ue.cell, t.ue, layer);
        for (uint32_t i = 0; i < process.prbs; ++i)
        {
            m_sinr[layer * process.prbs + i] =
                static_cast<float>(t.power / process.layers * gains[t.firstPrb + i] / m_noise[i]);
        }
    }
    const bool direct = process.delivery != cosim::sim::Delivery::PACKET;
    const uint8_t mcs = direct ? process.headerMcs : process.mcs;
    const uint32_t bits = direct ? process.headerBits : process.tbsBits;
    const double sinr = m_phy->GetEffectiveSinr(m_sinr, mcs);
    process.sinr.push_back(static_cast<float>(sinr));
    const double combined =
        process.transmissions == 1
            ? sinr
            : m_phy->GetCombinedSinr(
                  process.mcs,
                  m_combining->Combine(
                      process.sinr,
                      m_carrier->GetCodeRate(process.mcs),
                      NrSegment(process.tbsBits, m_carrier->GetCodeRate(process.mcs)).baseGraph));
    const double bler = m_phy->GetBler(mcs, bits, 10.0 * std::log10(std::max(combined, 1e-20)));
    if (process.transmissions == 1 || !m_harqMemory)
    {
        process.draw = m_draw->GetValue();
    }
    process.decoded = process.draw >= bler;
    const double sinrDb = 10.0 * std::log10(std::max(sinr, 1e-20));
    NrLink& link = *ue.links[t.uplink];
    link.CountTransmission(process, sinrDb, process.decoded);
    if (m_slotTrace)
    {
        cosim::sim::SlotRecord record{};
        record.t_s = Simulator::Now().GetSeconds();
        record.cell = m_firstCell + ue.cell;
        record.direction = t.uplink;
        record.ue = t.ue;
        record.tbs_bits = process.tbsBits;
        record.prb_first = static_cast<uint16_t>(t.firstPrb);
        record.prb_count = static_cast<uint16_t>(process.prbs);
        record.layers = process.layers;
        record.mcs = process.mcs;
        record.harq_process = static_cast<uint8_t>(&process - link.GetProcesses().data());
        record.redundancy_version = m_combining->GetRedundancyVersion(process.transmissions);
        record.sinr_eff_db = static_cast<float>(sinrDb);
        record.bler_predicted = static_cast<float>(bler);
        record.ack = process.decoded;
        m_sink->Slot(record);
    }
    if (direct)
    {
        process.chosen = false; // its contents go through the real code in any case
        if (process.decoded)
        {
            EmitDirect(t);
        }
    }
    else if (process.transmissions == 1)
    {
        process.chosen = m_truthSampler.Take(m_truthFraction);
        process.elementSinr.clear();
    }
    if (process.chosen)
    {
        process.elementSinr.insert(process.elementSinr.end(), m_sinr.begin(), m_sinr.end());
        EmitTruth(t, sinrDb, bler);
    }
}

void NrRan::EmitTruth(const Transmission& t, double sinrDb, double bler) const
{
    const NrHarqProcess& process = *t.process;
    cosim::sim::TruthRecord record{};
    record.t_s = Simulator::Now().GetSeconds();
    record.cell = m_firstCell + m_ues[t.ue].cell;
    record.direction = t.uplink;
    record.ue = t.ue;
    record.tbs_bits = process.tbsBits;
    record.elements = m_carrier->GetDataElements(process.symbols);
    record.prb_count = static_cast<uint16_t>(process.prbs);
    record.layers = process.layers;
    record.mcs = process.mcs;
    record.sinr_eff_db = static_cast<float>(sinrDb);
    record.bler_predicted = static_cast<float>(bler);
    record.ack = process.decoded;
    record.transmission = process.transmissions;
    m_sink->Truth(record, process.elementSinr);
}

void NrRan::EmitDirect(const Transmission& t) const
{
    const NrHarqProcess& process = *t.process;
    std::vector<cosim::sim::DirectPiece> pieces;
    uint32_t at = 0;
    for (const auto& segment : process.segments)
    {
        const NrSdu& sdu = *segment.sdu;
        const uint32_t head = sdu.GetProtected(segment.offset, segment.bytes);
        cosim::sim::DirectPiece piece{};
        piece.message_id = sdu.messageId;
        piece.packet = sdu.packetNumber;
        // Contents end where the packet does: counted from there, lower layers do not matter.
        piece.offset = sdu.Size() - segment.offset - head;
        piece.bytes = segment.bytes - head;
        piece.at = at;
        at += piece.bytes;
        pieces.push_back(piece);
    }
    cosim::sim::DirectBlock record{};
    record.t_s = Simulator::Now().GetSeconds();
    record.cell = m_firstCell + m_ues[t.ue].cell;
    record.direction = t.uplink;
    record.ue = t.ue;
    record.delivery = static_cast<uint32_t>(process.delivery);
    record.elements = m_carrier->GetDataElements(process.symbols);
    record.header_elements = process.headerElements;
    record.content_bytes = process.contentBytes;
    record.prb_count = static_cast<uint16_t>(process.prbs);
    record.layers = process.layers;
    record.mcs = process.mcs;
    record.header_mcs = process.headerMcs;
    record.pieces = static_cast<uint32_t>(pieces.size());
    m_sink->Direct(record, pieces, m_sinr);
}

void NrRan::Finish(const std::function<uint64_t(uint32_t, bool)>& appBytes,
                   const std::function<uint64_t(uint32_t, bool)>& appHeaderBytes)
{
    for (uint32_t number = 0; number < m_ues.size(); ++number)
    {
        for (const bool uplink : {false, true})
        {
            m_ues[number].links[uplink]->Finish(appBytes(number, uplink),
                                                appHeaderBytes(number, uplink));
        }
    }
}

Ptr<NrLink> NrRan::GetLink(uint32_t ue, bool uplink) const
{
    return m_ues.at(ue).links[uplink];
}

uint32_t NrRan::GetCell(uint32_t ue) const
{
    return m_ues.at(ue).cell;
}

void NrRan::SetHandoverCallbacks(NrHandoverController::LeaveCallback leave,
                                 NrHandoverController::CellCallback switchPath)
{
    m_leave = std::move(leave);
    m_switchPath = std::move(switchPath);
}

Ptr<NrHandoverController> NrRan::GetHandoverController() const
{
    return m_handover;
}

void NrRan::LoseInAir(uint32_t number)
{
    // A bandwidth part that follows may be in the middle of a slot of its own.
    for (const Transmission& transmission : m_now)
    {
        if (transmission.ue == number)
        {
            transmission.process->decoded = false;
        }
    }
    std::erase_if(m_now, [number](const Transmission& t) { return t.ue == number; });
}

void NrRan::Leave(uint32_t number, uint32_t target)
{
    Ue& ue = m_ues[number];
    LoseInAir(number);
    for (NrRan* const follower : m_followers)
    {
        follower->Leave(number, target);
    }
    ue.links[0]->Reestablish(m_forward);
    ue.links[1]->Reestablish(true); // the UE takes its own queue along
    ue.cell = NO_CELL;
    if (m_leave)
    {
        m_leave(number, target);
    }
}

void NrRan::Enter(uint32_t number, uint32_t cell)
{
    Ue& ue = m_ues[number];
    ue.cell = cell;
    ue.gain = 0.0;
    ue.arrived = true;
    ue.buffer = NrBufferStatus(m_bufferConfig, number);
    for (const auto& link : ue.links)
    {
        link->SetCell(m_firstCell + cell);
    }
    for (NrRan* const follower : m_followers)
    {
        follower->Enter(number, cell);
        follower->m_handover->SetServing(number, cell);
    }
    if (ue.links[1]->GetDemandBytes() > 0)
    {
        ue.buffer.NoteData(m_slot);
    }
}

uint32_t NrRan::GetCells() const
{
    return static_cast<uint32_t>(m_cells.size());
}

Ptr<NrScheduler> NrRan::GetScheduler(uint32_t cell, bool uplink) const
{
    return m_cells.at(cell).schedulers[uplink];
}

int64_t NrRan::AssignStreams(int64_t stream)
{
    m_draw->SetStream(stream);
    return 1;
}

} // namespace ns3
