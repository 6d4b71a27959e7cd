// SPDX-License-Identifier: GPL-2.0-only
#include "nr-link.h"

#include "nr-message-tag.h"
#include "nr-rlc-am.h"
#include "nr-rlc-um.h"

#include "ns3/boolean.h"
#include "ns3/double.h"
#include "ns3/simulator.h"
#include "ns3/uinteger.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace ns3
{

using Delivery = NrDelivery;
using cosim::sim::Direction;
using cosim::sim::PacketEvent;
using cosim::sim::PacketReason;

NS_OBJECT_ENSURE_REGISTERED(NrLink);

namespace
{

constexpr uint32_t IP_UDP_BYTES = 28; // IPv4 without options, UDP

} // namespace

TypeId NrLink::GetTypeId()
{
    static TypeId tid =
        TypeId("ns3::NrLink")
            .SetParent<Object>()
            .SetGroupName("Cosim")
            .AddConstructor<NrLink>()
            .AddAttribute("HarqProcesses",
                          "HARQ processes (TS 38.214 clause 5.1)",
                          UintegerValue(16),
                          MakeUintegerAccessor(&NrLink::m_processCount),
                          MakeUintegerChecker<uint32_t>(1, 32))
            .AddAttribute("AverageSlots",
                          "Time constant of the average rate of proportional fair, in slots",
                          DoubleValue(100.0),
                          MakeDoubleAccessor(&NrLink::m_averageSlots),
                          MakeDoubleChecker<double>(1.0))
            .AddAttribute("DescribedPackets",
                          "Waiting packets that a scheduler is told of, the first ones",
                          UintegerValue(32),
                          MakeUintegerAccessor(&NrLink::m_describedPackets),
                          MakeUintegerChecker<uint32_t>(1));
    return tid;
}

void NrLink::Configure(
    uint32_t cell, uint32_t ue, bool uplink, Ptr<NrTraceSink> sink, DeliverCallback deliver)
{
    m_cell = cell;
    m_ue = ue;
    m_uplink = uplink;
    m_sink = sink;
    m_deliver = std::move(deliver);
    m_adaptation = CreateObject<NrLinkAdaptation>();
    m_processes.resize(m_processCount);
    m_meter.Configure(cell, ue, uplink);
    NrFlowConfig other;
    other.ue = ue;
    other.uplink = uplink;
    other.priority = 128; // behind every flow
    AddBearer(other);
}

Ptr<NrRlcStatus> NrLink::AddBearer(const NrFlowConfig& flow)
{
    Bearer bearer{flow, nullptr, CreateObject<NrPdcp>(), 0.0, Simulator::Now()};
    Ptr<NrRlcStatus> status;
    bearer.pdcp->SetAttribute("SnBits", UintegerValue(flow.snBits));
    bearer.pdcp->SetAttribute("InOrder", BooleanValue(flow.inOrder));
    bearer.pdcp->SetAttribute("DiscardTime", TimeValue(flow.discardTimer));
    if (flow.reordering.IsStrictlyPositive())
    {
        bearer.pdcp->SetAttribute("ReorderingTime", TimeValue(flow.reordering));
    }
    else if (flow.acknowledged)
    {
        // Longer than RLC tries: what is missing comes, or was given up.
        bearer.pdcp->SetAttribute("ReorderingTime", TimeValue(Seconds(1)));
    }
    if (flow.acknowledged)
    {
        auto am = CreateObject<NrRlcAm>();
        am->SetAttribute("SnBits", UintegerValue(flow.snBits));
        status = am->GetStatusEntity();
        bearer.rlc = am;
    }
    else
    {
        bearer.rlc = CreateObject<NrRlcUm>();
    }
    if (flow.queueBytes > 0)
    {
        bearer.rlc->SetAttribute("QueueLimit", UintegerValue(flow.queueBytes));
    }
    bearer.rlc->SetDiscard(flow.discard, flow.discardTimer.IsStrictlyPositive());
    bearer.rlc->SetCallback(
        [pdcp = PeekPointer(bearer.pdcp)](const NrSduPtr& sdu, PacketEvent event) {
            pdcp->OnRlc(sdu, event);
        });
    bearer.pdcp->SetCallback([this](const NrSduPtr& sdu, PacketEvent event) { OnSdu(sdu, event); });
    InsertBearer(std::move(bearer));
    return status;
}

void NrLink::AddStatusBearer(const NrFlowConfig& flow, Ptr<NrRlcStatus> status)
{
    NrFlowConfig own = flow;
    own.filter = {}; // no packet is classified into it
    InsertBearer({own, status, nullptr, 0.0, Simulator::Now()});
}

void NrLink::InsertBearer(Bearer bearer)
{
    bearer.rlc->SetPendingCallback([this] {
        if (m_pending)
        {
            m_pending();
        }
    });
    m_bearers.push_back(std::move(bearer));
    std::stable_sort(m_bearers.begin(), m_bearers.end(), [](const Bearer& a, const Bearer& b) {
        return a.flow.priority < b.flow.priority;
    });
    m_order.resize(m_bearers.size());
    std::iota(m_order.begin(), m_order.end(), std::size_t{0});
}

void NrLink::SetPendingCallback(NrRlc::PendingCallback callback)
{
    m_pending = std::move(callback);
}

void NrLink::Reestablish(bool forward)
{
    for (auto& process : m_processes)
    {
        if (process.state != NrHarqProcess::State::IDLE && !process.decoded)
        {
            for (const auto& segment : process.segments)
            {
                segment.entity->Lose(segment, PacketReason::HANDOVER);
            }
        }
        process.segments.clear();
        process.state = NrHarqProcess::State::IDLE;
    }
    m_busy = 0;
    for (Bearer& bearer : m_bearers)
    {
        bearer.rlc->Reestablish(forward);
        bearer.credit = 0.0; // TS 38.321 clause 5.12
        bearer.creditTime = Simulator::Now();
    }
}

void NrLink::SetCell(uint32_t cell)
{
    m_cell = cell;
    m_meter.SetCell(cell);
    m_adaptation = CreateObject<NrLinkAdaptation>();
    m_averageRate = 0.0;
}

NrLink::Bearer& NrLink::Classify(Ptr<const Packet> packet)
{
    const NrPacketHead head = NrPacketHead::Read(*packet);
    // A filter by DSCP takes a packet before the port of the packet's own flow does.
    for (const bool byDscp : {true, false})
    {
        for (Bearer& bearer : m_bearers)
        {
            const NrPacketFilter& filter = bearer.flow.filter;
            if ((filter.kind == NrPacketFilter::Kind::DSCP) == byDscp && filter.Matches(head))
            {
                return bearer;
            }
        }
    }
    return m_bearers.back();
}

bool NrLink::HasFlowFor(const NrPacketHead& head) const
{
    return std::any_of(m_bearers.begin(), m_bearers.end(), [&head](const Bearer& bearer) {
        return bearer.flow.filter.Matches(head);
    });
}

void NrLink::Enqueue(Ptr<Packet> packet, uint64_t id)
{
    Bearer& bearer = Classify(packet);
    auto sdu = std::make_shared<NrSdu>();
    sdu->packet = packet;
    sdu->id = id;
    sdu->flow = bearer.flow.flow;
    sdu->bytes = packet->GetSize();
    NrMessageTag tag;
    const bool tagged = packet->PeekPacketTag(tag);
    if (tagged)
    {
        sdu->packetNumber = tag.m_packet;
        sdu->messageId = tag.m_messageId;
        sdu->importance = tag.m_importance;
        sdu->share = tag.m_share;
        sdu->deadline = tag.m_deadline;
    }
    else if (bearer.flow.budget != Time::Max())
    {
        sdu->deadline = Simulator::Now() + bearer.flow.budget;
    }
    bearer.pdcp->Prepare(*sdu);
    if (bearer.flow.delivery != Delivery::PACKET)
    {
        // Of a packet whose headers nobody knows all is protected.
        const bool known = tagged && tag.m_headerBytes > 0;
        sdu->protectedBytes =
            known ? std::min(sdu->pdcpHeader + IP_UDP_BYTES + tag.m_headerBytes, sdu->Size())
                  : sdu->Size();
    }
    bearer.rlc->Enqueue(sdu);
}

void NrLink::Describe(NrCandidate& candidate, bool withQueue)
{
    m_described.clear();
    candidate.demandBytes = 0;
    candidate.headerBytes = 0;
    candidate.priority = 127;
    for (const std::size_t at : m_order)
    {
        Bearer& bearer = m_bearers[at];
        bearer.rlc->DiscardLate();
        const NrSduPtr head = bearer.rlc->GetHead();
        if (head == nullptr || (m_directHeld && bearer.flow.delivery != Delivery::PACKET))
        {
            continue;
        }
        if (candidate.demandBytes == 0)
        {
            const Time now = Simulator::Now();
            candidate.priority = bearer.flow.priority;
            candidate.headDelayS = (now - head->enqueued).GetSeconds();
            candidate.headBudgetS =
                head->deadline == Time::Max() ? HUGE_VAL : (head->deadline - now).GetSeconds();
            candidate.headImportance = head->importance;
            candidate.mcsBackoff =
                head->importance >= bearer.flow.importantFrom ? bearer.flow.mcsBackoff : 0;
            const NrFiveQi& qos = NrFiveQi::Get(bearer.flow.fiveqi);
            const Time budget = bearer.flow.budget == Time::Max() ? qos.budget : bearer.flow.budget;
            candidate.delayBudgetS = budget.GetSeconds();
            candidate.lossTarget = qos.lossTarget;
            candidate.semanticValue = bearer.flow.semantic.GetValuePerByte();
            candidate.delivery = bearer.flow.delivery;
            candidate.headHeaderBytes = head->GetProtected(head->sent, head->Size());
        }
        else if (bearer.flow.delivery != candidate.delivery)
        {
            continue; // not in the same block
        }
        if (candidate.delivery != Delivery::PACKET)
        {
            // What a packet costs at most besides itself, as in its demand.
            constexpr uint32_t MAC_RLC_BYTES = 7;
            for (const NrSduPtr& sdu : bearer.rlc->GetQueue())
            {
                candidate.headerBytes += sdu->GetProtected(sdu->sent, sdu->Size()) + MAC_RLC_BYTES;
            }
        }
        if (withQueue)
        {
            DescribeQueue(bearer);
        }
        candidate.demandBytes += bearer.rlc->GetDemandBytes();
    }
    candidate.queue = m_described;
}

void NrLink::DescribeQueue(const Bearer& bearer)
{
    // MAC subheader and RLC header of a packet in one piece: 3 and 1 (TS 38.321, TS 38.322).
    constexpr uint32_t HEADER_BYTES = 4;
    const Time now = Simulator::Now();
    const NrSemanticProfile& profile = bearer.flow.semantic;
    uint64_t message = 0;
    double covered = 0.0;
    for (const NrSduPtr& sdu : bearer.rlc->GetQueue())
    {
        if (m_described.size() == m_describedPackets)
        {
            break;
        }
        NrQueueItem item;
        item.bytes = sdu->Size() - sdu->sent + HEADER_BYTES;
        item.importance = sdu->importance;
        item.messageId = sdu->messageId;
        item.budgetS = sdu->deadline == Time::Max() ? HUGE_VAL : (sdu->deadline - now).GetSeconds();
        if (profile.IsKnown() && sdu->share > 0.0)
        {
            // A packet counts on top of its message's packets that were sent or come before it. A
            // packet of which a part was sent is among the sent ones; its rest earns it all.
            if (sdu->messageId != message)
            {
                message = sdu->messageId;
                const auto found = m_covered.find(message);
                covered = found == m_covered.end() ? 0.0 : found->second;
                covered -= sdu->started ? sdu->share : 0.0;
            }
            item.utility = profile.GetAccuracy(covered + sdu->share) - profile.GetAccuracy(covered);
            covered += sdu->share;
        }
        m_described.push_back(item);
    }
}

uint64_t NrLink::GetDemandBytes() const
{
    uint64_t bytes = 0;
    for (const Bearer& bearer : m_bearers)
    {
        bytes += bearer.rlc->GetDemandBytes();
    }
    return bytes;
}

NrHarqProcess* NrLink::GetIdleProcess()
{
    for (auto& process : m_processes)
    {
        if (process.state == NrHarqProcess::State::IDLE)
        {
            return &process;
        }
    }
    return nullptr;
}

uint32_t NrLink::ApplyFeedback(uint64_t slot)
{
    uint32_t lost = 0;
    if (m_busy == 0)
    {
        return lost;
    }
    for (auto& process : m_processes)
    {
        if (process.state != NrHarqProcess::State::SENT || process.feedbackSlot > slot)
        {
            continue;
        }
        // A block with an MCS below the chosen one says nothing about the choice.
        if (process.transmissions == 1 && !process.backedOff)
        {
            m_adaptation->Feedback(process.decoded);
        }
        if (!process.decoded && process.transmissions < process.maxTransmissions)
        {
            process.state = NrHarqProcess::State::RETRANSMIT;
            continue;
        }
        if (!process.decoded)
        {
            ++lost;
            for (const auto& segment : process.segments)
            {
                segment.entity->Lose(segment, PacketReason::HARQ_EXHAUSTED);
            }
        }
        process.segments.clear();
        process.state = NrHarqProcess::State::IDLE;
        --m_busy;
    }
    return lost;
}

void NrLink::FillBlock(NrHarqProcess& process, uint32_t maxTransmissions)
{
    const uint32_t bytes = process.tbsBits / 8;
    uint32_t used = 0;
    process.segments.clear();
    process.maxTransmissions = 1;
    const auto serve = [&](Bearer& bearer, uint32_t enough) {
        const std::size_t before = process.segments.size();
        used += bearer.rlc->Fill(bytes - used, process.segments, enough);
        AllowTransmissions(process, before, bearer.flow, maxTransmissions);
        return before;
    };
    EarnCredits();
    for (const std::size_t at : m_order)
    {
        Bearer& bearer = m_bearers[at];
        if (bearer.credit <= 0.0 || bearer.flow.delivery != Delivery::PACKET)
        {
            continue;
        }
        // A whole packet may take more than was earned: the credit is below 0 for a while then.
        const std::size_t first = serve(bearer, static_cast<uint32_t>(std::ceil(bearer.credit)));
        for (std::size_t i = first; i < process.segments.size(); ++i)
        {
            bearer.credit -= process.segments[i].rlcHeader + process.segments[i].bytes;
        }
    }
    for (const std::size_t at : m_order)
    {
        if (m_bearers[at].flow.delivery == Delivery::PACKET)
        {
            serve(m_bearers[at], NrRlc::ALL);
        }
    }
    if (process.segments.empty())
    {
        return; // nothing fits: the block is not sent
    }
    TakeTurns();
    ++m_busy;
    m_meter.CountContents(process, used);
}

void NrLink::FillDirect(NrHarqProcess& process, const NrDirectCost& cost, uint32_t maxTransmissions)
{
    process.segments.clear();
    process.maxTransmissions = 1;
    double room = cost.GetRoom(process.elements);
    for (const std::size_t at : m_order)
    {
        Bearer& bearer = m_bearers[at];
        if (bearer.flow.delivery == process.delivery)
        {
            const std::size_t before = process.segments.size();
            room -= bearer.rlc->FillDirect(room, cost, process.segments);
            AllowTransmissions(process, before, bearer.flow, maxTransmissions);
        }
    }
    if (process.segments.empty())
    {
        return;
    }
    uint32_t headers = 0;
    uint32_t contents = 0;
    for (const auto& segment : process.segments)
    {
        const uint32_t head = segment.sdu->GetProtected(segment.offset, segment.bytes);
        headers += segment.macHeader + segment.rlcHeader + head;
        contents += segment.bytes - head;
    }
    process.headerBits = 8 * headers;
    process.headerElements = cost.GetHeaderElements(headers);
    process.contentBytes = cost.GetContentBytes(process.elements - process.headerElements);
    process.tbsBits = 8 * (headers + process.contentBytes);
    TakeTurns();
    ++m_busy;
    m_meter.CountContents(process, headers + contents);
}

void NrLink::AllowTransmissions(NrHarqProcess& process,
                                std::size_t first,
                                const NrFlowConfig& flow,
                                uint32_t usual)
{
    const uint32_t most = flow.maxHarqTx > 0 ? flow.maxHarqTx : usual;
    const uint32_t less = flow.lessHarqTx > 0 ? flow.lessHarqTx : most;
    for (std::size_t i = first; i < process.segments.size(); ++i)
    {
        const bool important = process.segments[i].sdu->importance >= flow.importantFrom;
        process.maxTransmissions = std::max(process.maxTransmissions, important ? most : less);
    }
}

void NrLink::HoldDirect(bool hold)
{
    m_directHeld = hold;
}

NrDelivery NrLink::GetHeadDelivery() const
{
    for (const std::size_t at : m_order)
    {
        const Delivery delivery = m_bearers[at].flow.delivery;
        if (m_bearers[at].rlc->GetHead() != nullptr &&
            !(m_directHeld && delivery != Delivery::PACKET))
        {
            return delivery;
        }
    }
    return Delivery::PACKET;
}

void NrLink::EarnCredits()
{
    const Time now = Simulator::Now();
    for (Bearer& bearer : m_bearers)
    {
        const NrFlowConfig& flow = bearer.flow;
        const double earned = flow.prioritisedRate * (now - bearer.creditTime).GetSeconds();
        const double most = flow.prioritisedRate * flow.bucket.GetSeconds();
        bearer.credit = std::min(bearer.credit + earned, most);
        bearer.creditTime = now;
    }
}

void NrLink::TakeTurns()
{
    const auto below = [this](std::size_t a, std::size_t b) {
        return m_bearers[a].flow.priority < m_bearers[b].flow.priority;
    };
    for (auto first = m_order.begin(); first != m_order.end();)
    {
        const auto last = std::upper_bound(first, m_order.end(), *first, below);
        if (last - first > 1)
        {
            std::rotate(first, first + 1, last);
        }
        first = last;
    }
}

void NrLink::CountTransmission(const NrHarqProcess& process, double sinrDb, bool decoded)
{
    m_meter.CountTransmission(process, sinrDb, decoded);
}

void NrLink::Receive(const NrHarqProcess& process)
{
    for (const auto& segment : process.segments)
    {
        segment.entity->Receive(segment);
    }
}

void NrLink::UpdateAverage(double served)
{
    m_averageRate += (served - m_averageRate) / m_averageSlots;
}

double NrLink::GetAverageRate() const
{
    return m_averageRate;
}

void NrLink::OnSdu(const NrSduPtr& sdu, PacketEvent event)
{
    const bool final = event == PacketEvent::DELIVER || event == PacketEvent::DROP ||
                       event == PacketEvent::DISCARD;
    cosim::sim::PacketRecord record{};
    record.t_s = Simulator::Now().GetSeconds();
    record.packet_id = sdu->id;
    record.message_id = sdu->messageId;
    record.flow = sdu->flow;
    record.ue = m_ue;
    record.cell = m_cell;
    record.direction = static_cast<uint32_t>(m_uplink ? Direction::UPLINK : Direction::DOWNLINK);
    record.event = static_cast<uint32_t>(event);
    record.reason =
        static_cast<uint32_t>(event == PacketEvent::DELIVER ? PacketReason::NONE : sdu->reason);
    record.bytes = sdu->bytes;
    record.air_bytes = final ? sdu->airBytes : 0;
    record.air_elements = final ? sdu->airElements : 0.0;
    m_sink->Packet(record);
    if (sdu->share > 0.0)
    {
        double& covered = m_covered[sdu->messageId];
        if (event == PacketEvent::DEQUEUE)
        {
            covered += sdu->share;
        }
        else if (event == PacketEvent::DROP && sdu->started)
        {
            covered = std::max(covered - sdu->share, 0.0);
        }
        constexpr double ALL = 1.0 - 1e-9; // shares are fractions that were rounded
        if (covered >= ALL && event == PacketEvent::DELIVER)
        {
            m_covered.erase(sdu->messageId);
        }
    }
    if (event == PacketEvent::DELIVER)
    {
        m_meter.CountDelivered(*sdu);
        m_deliver(sdu->packet);
    }
    else if (event == PacketEvent::DROP)
    {
        m_meter.CountDropped(*sdu);
    }
}

void NrLink::EmitKpi(Time end, double seconds)
{
    uint64_t queued = 0;
    for (const Bearer& bearer : m_bearers)
    {
        queued += bearer.rlc->GetQueuedBytes();
    }
    m_sink->Kpi(m_meter.TakePeriod(end, seconds, queued));
}

void NrLink::Finish(uint64_t appBytes, uint64_t appHeaderBytes)
{
    for (auto& process : m_processes)
    {
        if (process.state == NrHarqProcess::State::IDLE)
        {
            continue;
        }
        for (const auto& segment : process.segments)
        {
            const NrSduPtr& sdu = segment.sdu;
            if (!sdu->closed)
            {
                sdu->closed = true;
                sdu->reason = sdu->lost ? sdu->reason : PacketReason::SIMULATION_END;
                OnSdu(sdu, PacketEvent::DROP);
            }
        }
    }
    for (Bearer& bearer : m_bearers)
    {
        bearer.rlc->Flush();
    }
    for (Bearer& bearer : m_bearers)
    {
        if (bearer.pdcp)
        {
            bearer.pdcp->Flush();
        }
    }
    m_sink->Counter(m_meter.GetCounters(appBytes, appHeaderBytes));
}

bool NrLink::HasBlocks() const
{
    return m_busy > 0;
}

std::vector<NrHarqProcess>& NrLink::GetProcesses()
{
    return m_processes;
}

Ptr<NrLinkAdaptation> NrLink::GetLinkAdaptation() const
{
    return m_adaptation;
}

} // namespace ns3
