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
#include <stdexcept>

namespace ns3
{

NS_OBJECT_ENSURE_REGISTERED(NrRan);

namespace
{

constexpr double BOLTZMANN_J_PER_K = 1.380649e-23;
constexpr double TEMPERATURE_K = 290.0;

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
                          UintegerValue(2),
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
