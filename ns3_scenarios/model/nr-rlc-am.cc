// SPDX-License-Identifier: GPL-2.0-only
#include "nr-rlc-am.h"

#include "ns3/simulator.h"
#include "ns3/uinteger.h"

#include <algorithm>

namespace ns3
{

using cosim::sim::PacketEvent;
using cosim::sim::PacketReason;

NS_OBJECT_ENSURE_REGISTERED(NrRlcAm);

namespace
{

constexpr uint32_t SHORT_SN_BITS = 12;
constexpr uint32_t LONG_SN_BITS = 18;
constexpr uint32_t OFFSET_BYTES = 2; // SO, SOstart, SOend
constexpr uint32_t MAX_NACK_RANGE = 255;

} // namespace

TypeId NrRlcAm::GetTypeId()
{
    static TypeId tid =
        TypeId("ns3::NrRlcAm")
            .SetParent<NrRlc>()
            .SetGroupName("Cosim")
            .AddConstructor<NrRlcAm>()
            .AddAttribute("SnBits",
                          "Length of sequence numbers: 12 or 18",
                          UintegerValue(SHORT_SN_BITS),
                          MakeUintegerAccessor(&NrRlcAm::m_snBits),
                          MakeUintegerChecker<uint32_t>(SHORT_SN_BITS, LONG_SN_BITS))
            .AddAttribute("PollPdu",
                          "PDUs after which a poll is sent (pollPDU), 0 for never",
                          UintegerValue(64),
                          MakeUintegerAccessor(&NrRlcAm::m_pollPdu),
                          MakeUintegerChecker<uint32_t>())
            .AddAttribute("PollByte",
                          "Bytes after which a poll is sent (pollByte), 0 for never",
                          UintegerValue(125000),
                          MakeUintegerAccessor(&NrRlcAm::m_pollByte),
                          MakeUintegerChecker<uint32_t>())
            .AddAttribute("MaxRetx",
                          "Times that a packet is sent again (maxRetxThreshold)",
                          UintegerValue(8),
                          MakeUintegerAccessor(&NrRlcAm::m_maxRetx),
                          MakeUintegerChecker<uint32_t>(1))
            .AddAttribute("PollRetransmit",
                          "Time that a poll's answer is waited for (t-PollRetransmit)",
                          TimeValue(MilliSeconds(45)),
                          MakeTimeAccessor(&NrRlcAm::m_pollTime),
                          MakeTimeChecker(NanoSeconds(1)))
            .AddAttribute("ReassemblyTime",
                          "Time that missing pieces are waited for before they are reported "
                          "(t-Reassembly)",
                          TimeValue(MilliSeconds(35)),
                          MakeTimeAccessor(&NrRlcAm::m_reassemblyTime),
                          MakeTimeChecker(NanoSeconds(1)));
    return tid;
}

NrRlcAm::NrRlcAm()
    : m_status(CreateObject<NrRlcStatus>()),
      m_pollTimer([this] { OnPollTimer(); }),
      m_reassemblyTimer([this] { OnReassemblyTimer(); })
{
    m_status->SetEntity(this);
}

void NrRlcAm::DoDispose()
{
    m_status = nullptr;
    NrRlc::DoDispose();
}

Ptr<NrRlcStatus> NrRlcAm::GetStatusEntity() const
{
    return m_status;
}

uint64_t NrRlcAm::Window() const
{
    // AM_Window_Size, TS 38.322 clause 7.2
    return uint64_t{1} << (m_snBits - 1);
}

bool NrRlcAm::MayStart() const
{
    if (m_queue.empty())
    {
        return false;
    }
    // The first packet of the queue has its number already if a part of it was sent.
    const bool begun = !m_sent.empty() && m_sent.back().sdu == m_queue.front();
    return begun || m_txNext < m_txNextAck + Window();
}

uint32_t NrRlcAm::Fill(uint32_t bytes, std::vector<NrRlcSegment>& segments, uint32_t enough)
{
    uint32_t used = 0;
    while (!m_again.empty() && used < enough)
    {
        const uint64_t sn = *m_again.begin();
        Sent& sent = m_sent[sn - m_txNextAck];
        Range& range = sent.pending.front();
        const uint32_t taken = Emit(sn, sent.sdu, range, bytes - used, segments);
        if (taken == 0)
        {
            return used;
        }
        const NrRlcSegment& segment = segments.back();
        used += segment.macHeader + segment.rlcHeader + taken;
        m_againBytes -= taken;
        range.first += taken;
        if (range.first == range.last)
        {
            sent.pending.erase(sent.pending.begin());
        }
        if (sent.pending.empty())
        {
            m_again.erase(sn);
        }
        PollIfDue(segments.back(), false);
    }
    while (MayStart() && used < enough)
    {
        const NrSduPtr sdu = m_queue.front();
        const bool begun = !m_sent.empty() && m_sent.back().sdu == sdu;
        const uint64_t sn = begun ? m_txNext - 1 : m_txNext;
        const uint32_t from = begun ? m_sent.back().submitted : 0;
        const uint32_t taken = Emit(sn, sdu, {from, sdu->Size()}, bytes - used, segments);
        if (taken == 0)
        {
            break;
        }
        if (!begun)
        {
            m_sent.push_back({sdu, 0, 0, false, false, {}});
            ++m_txNext;
        }
        m_sent.back().submitted += taken;
        m_queuedBytes -= taken;
        if (from + taken == sdu->Size())
        {
            m_queue.pop_front();
        }
        used += segments.back().macHeader + segments.back().rlcHeader + taken;
        PollIfDue(segments.back(), true);
        if (!sdu->started)
        {
            sdu->started = true;
            m_callback(sdu, PacketEvent::DEQUEUE);
        }
    }
    return used;
}

uint32_t NrRlcAm::Emit(uint64_t sn,
                       const NrSduPtr& sdu,
                       Range range,
                       uint32_t room,
                       std::vector<NrRlcSegment>& segments)
{
    const uint32_t left = range.last - range.first;
    NrRlcSegment segment;
    segment.sdu = sdu;
    segment.sn = sn;
    segment.entity = this;
    segment.offset = range.first;
    segment.bytes = left;
    segment.rlcHeader = (m_snBits == LONG_SN_BITS ? 3 : 2) + (range.first > 0 ? OFFSET_BYTES : 0);
    segment.macHeader = GetMacHeader(segment.rlcHeader + left);
    if (segment.macHeader + segment.rlcHeader + left > room)
    {
        segment.macHeader = GetMacHeader(room > 2 ? room - 2 : 0);
        const uint32_t headers = segment.macHeader + segment.rlcHeader;
        // A first piece carries its PDCP header whole and a byte of the packet.
        const uint32_t least = 1 + (range.first == 0 ? sdu->pdcpHeader : 0);
        if (room < headers + least || left <= least)
        {
            return 0;
        }
        segment.bytes = std::min(room - headers, left - 1);
    }
    const uint32_t end = segment.offset + segment.bytes;
    if (segment.offset < sdu->sent)
    {
        segment.again = std::min(end, sdu->sent) - segment.offset;
    }
    sdu->sent = std::max(sdu->sent, end);
    ++sdu->segmentsUnderWay;
    const uint32_t taken = segment.bytes;
    segments.push_back(std::move(segment));
    return taken;
}

void NrRlcAm::PollIfDue(NrRlcSegment& segment, bool fresh)
{
    if (fresh)
    {
        ++m_pduWithoutPoll;
        m_byteWithoutPoll += segment.bytes;
    }
    const bool counted = (m_pollPdu > 0 && m_pduWithoutPoll >= m_pollPdu) ||
                         (m_pollByte > 0 && m_byteWithoutPoll >= m_pollByte);
    if (!counted && !m_forcePoll && (!m_again.empty() || MayStart()))
    {
        return;
    }
    segment.poll = true;
    m_forcePoll = false;
    m_pduWithoutPoll = 0;
    m_byteWithoutPoll = 0;
    m_pollSn = m_txNext - 1;
    m_pollTimer.Start(m_pollTime);
}

bool NrRlcAm::Retransmit(uint64_t sn, Range range, bool counted)
{
    Sent& sent = m_sent[sn - m_txNextAck];
    if (!counted)
    {
        if (!sent.retransmitted)
        {
            sent.retransmitted = true;
        }
        else if (sent.pending.empty() && ++sent.retx >= m_maxRetx)
        {
            return false;
        }
    }
    // Merged with what is planned already, so that no byte is planned twice.
    std::vector<Range> merged;
    for (const Range& other : sent.pending)
    {
        if (other.last < range.first || other.first > range.last)
        {
            merged.push_back(other);
            continue;
        }
        range = {std::min(range.first, other.first), std::max(range.last, other.last)};
    }
    for (const Range& other : sent.pending)
    {
        m_againBytes -= other.last - other.first;
    }
    merged.push_back(range);
    std::sort(merged.begin(), merged.end(), [](const Range& a, const Range& b) {
        return a.first < b.first;
    });
    for (const Range& other : merged)
    {
        m_againBytes += other.last - other.first;
    }
    sent.pending = std::move(merged);
    m_again.insert(sn);
    return true;
}

void NrRlcAm::ReceiveStatus(const NrRlcStatusPdu& status)
{
    if (status.ackSn < m_txNextAck || status.ackSn > m_txNext)
    {
        return; // from before a re-establishment, or overtaken by a later one
    }
    const uint64_t before = m_txNextAck;
    std::vector<bool> missing(status.ackSn - before, false);
    const bool had = !m_again.empty();
    std::optional<uint64_t> failed;
    bool answered = m_pollSn < status.ackSn;
    for (const auto& nack : status.nacks)
    {
        for (uint64_t sn = nack.sn; sn < nack.sn + nack.count; ++sn)
        {
            if (sn < before || sn >= m_txNext)
            {
                continue;
            }
            answered |= sn == m_pollSn;
            const bool counted = sn < status.ackSn && missing[sn - before];
            if (sn < status.ackSn)
            {
                missing[sn - before] = true;
            }
            const Sent& sent = m_sent[sn - before];
            const Range range{nack.first, std::min(nack.last, sent.submitted)};
            if (range.first < range.last && !sent.acknowledged && !Retransmit(sn, range, counted))
            {
                failed = failed.value_or(sn);
            }
        }
    }
    if (answered)
    {
        m_pollTimer.Stop();
    }
    for (uint64_t sn = before; sn < status.ackSn; ++sn)
    {
        Sent& sent = m_sent[sn - before];
        if (missing[sn - before] || sent.acknowledged)
        {
            continue;
        }
        sent.acknowledged = true;
        for (const Range& range : sent.pending)
        {
            m_againBytes -= range.last - range.first;
        }
        sent.pending.clear();
        m_again.erase(sn);
    }
    if (failed)
    {
        Fail(*failed);
        return;
    }
    // A packet of which the rest is still to be sent cannot be acknowledged.
    while (!m_sent.empty() && m_sent.front().acknowledged)
    {
        m_sent.pop_front();
        ++m_txNextAck;
    }
    if (m_pending && ((!had && !m_again.empty()) || MayStart()))
    {
        m_pending();
    }
}

void NrRlcAm::OnPollTimer()
{
    if (m_sent.empty())
    {
        return;
    }
    m_forcePoll = true;
    if (m_again.empty() && !MayStart())
    {
        const uint64_t last = m_txNext - 1;
        uint64_t sn = last;
        while (sn > m_txNextAck && m_sent[sn - m_txNextAck].acknowledged)
        {
            --sn;
        }
        if (!Retransmit(sn, {0, m_sent[sn - m_txNextAck].submitted}, false))
        {
            Fail(sn);
            return;
        }
    }
    if (m_pending)
    {
        m_pending();
    }
}

void NrRlcAm::Fail(uint64_t sn)
{
    Sent& sent = m_sent[sn - m_txNextAck];
    const NrSduPtr sdu = sent.sdu;
    sent.acknowledged = true; // not taken along
    if (!m_queue.empty() && m_queue.front() == sdu)
    {
        m_queue.pop_front();
        m_queuedBytes -= sdu->Size() - sent.submitted;
    }
    Drop(sdu, PacketReason::RLC_RETX);
    Restart();
    if (m_pending && !m_queue.empty())
    {
        m_pending();
    }
}

void NrRlcAm::Restart()
{
    // Back into the queue, in order. The last one may still be there, sent in part.
    for (auto sent = m_sent.rbegin(); sent != m_sent.rend(); ++sent)
    {
        if (sent->acknowledged)
        {
            continue;
        }
        m_queuedBytes += sent->submitted;
        if (m_queue.empty() || m_queue.front() != sent->sdu)
        {
            m_queue.push_front(sent->sdu);
        }
    }
    m_sent.clear();
    m_again.clear();
    m_againBytes = 0;
    m_txNextAck = m_txNext;
    m_pduWithoutPoll = 0;
    m_byteWithoutPoll = 0;
    m_forcePoll = false;
    m_pollTimer.Stop();
    m_partial.clear();
    m_rxNext = m_txNext;
    m_rxNextHighest = m_txNext;
    m_rxHighestStatus = m_txNext;
    m_polled.reset();
    m_reassemblyTimer.Stop();
    if (m_status)
    {
        m_status->Reestablish(true);
    }
}

void NrRlcAm::Reestablish(bool forward)
{
    Restart();
    if (!forward)
    {
        for (const NrSduPtr& sdu : m_queue)
        {
            Drop(sdu, PacketReason::HANDOVER);
        }
        m_queue.clear();
        m_queuedBytes = 0;
    }
}

void NrRlcAm::Flush()
{
    for (const Sent& sent : m_sent)
    {
        Drop(sent.sdu, PacketReason::SIMULATION_END);
    }
    m_sent.clear();
    m_again.clear();
    m_againBytes = 0;
    m_pollTimer.Stop();
    m_reassemblyTimer.Stop();
    NrRlc::Flush();
}

void NrRlcAm::Lose(const NrRlcSegment& segment, PacketReason reason)
{
    // The receiving side will miss it; the transmitting side knows nothing of HARQ.
    (void)reason;
    --segment.sdu->segmentsUnderWay;
}

void NrRlcAm::Receive(const NrRlcSegment& segment)
{
    const NrSduPtr& sdu = segment.sdu;
    --sdu->segmentsUnderWay;
    const uint64_t sn = segment.sn;
    if (sn < m_rxNext || sn >= m_rxNext + Window())
    {
        // Received before: only its poll counts.
        if (segment.poll && sn + Window() >= m_rxNext)
        {
            m_status->Trigger();
        }
        return;
    }
    if (sn - m_rxNext >= m_partial.size())
    {
        m_partial.resize(sn - m_rxNext + 1);
    }
    if (segment.poll)
    {
        m_polled = std::max(m_polled.value_or(sn), sn);
    }
    Partial& partial = m_partial[sn - m_rxNext];
    if (!partial.complete)
    {
        partial.sdu = sdu;
        Range range{segment.offset, segment.offset + segment.bytes};
        std::erase_if(partial.have, [&range](const Range& other) {
            if (other.last < range.first || other.first > range.last)
            {
                return false;
            }
            range = {std::min(range.first, other.first), std::max(range.last, other.last)};
            return true;
        });
        const auto at =
            std::find_if(partial.have.begin(), partial.have.end(), [&range](const Range& other) {
                return other.first > range.first;
            });
        partial.have.insert(at, range);
        m_rxNextHighest = std::max(m_rxNextHighest, sn + 1);
        if (partial.have.front().first == 0 && partial.have.front().last == sdu->Size())
        {
            partial.complete = true;
            if (!sdu->closed)
            {
                sdu->closed = true;
                m_callback(sdu, PacketEvent::DELIVER);
            }
            if (sn == m_rxHighestStatus)
            {
                m_rxHighestStatus = NextIncomplete(sn);
            }
            while (!m_partial.empty() && m_partial.front().complete)
            {
                m_partial.pop_front();
                ++m_rxNext;
            }
        }
        UpdateReassemblyTimer();
    }
    CheckPoll();
}

void NrRlcAm::CheckPoll()
{
    if (m_polled && (*m_polled < m_rxHighestStatus || *m_polled >= m_rxNext + Window()))
    {
        m_polled.reset();
        m_status->Trigger();
    }
}

bool NrRlcAm::HasGap(uint64_t sn) const
{
    if (sn < m_rxNext || sn - m_rxNext >= m_partial.size())
    {
        return false;
    }
    const auto& have = m_partial[sn - m_rxNext].have;
    return !have.empty() && (have.size() > 1 || have.front().first > 0);
}

uint64_t NrRlcAm::NextIncomplete(uint64_t sn) const
{
    sn = std::max(sn, m_rxNext);
    while (sn - m_rxNext < m_partial.size() && m_partial[sn - m_rxNext].complete)
    {
        ++sn;
    }
    return sn;
}

void NrRlcAm::UpdateReassemblyTimer()
{
    if (m_reassemblyTimer.IsRunning() &&
        (m_rxTrigger <= m_rxNext || (m_rxTrigger == m_rxNext + 1 && !HasGap(m_rxNext))))
    {
        m_reassemblyTimer.Stop();
    }
    if (!m_reassemblyTimer.IsRunning() &&
        (m_rxNextHighest > m_rxNext + 1 || (m_rxNextHighest == m_rxNext + 1 && HasGap(m_rxNext))))
    {
        m_rxTrigger = m_rxNextHighest;
        m_reassemblyTimer.Start(m_reassemblyTime);
    }
}

void NrRlcAm::OnReassemblyTimer()
{
    m_rxHighestStatus = NextIncomplete(m_rxTrigger);
    if (m_rxNextHighest > m_rxHighestStatus + 1 ||
        (m_rxNextHighest == m_rxHighestStatus + 1 && HasGap(m_rxHighestStatus)))
    {
        m_rxTrigger = m_rxNextHighest;
        m_reassemblyTimer.Start(m_reassemblyTime);
    }
    if (m_polled && *m_polled < m_rxHighestStatus)
    {
        m_polled.reset(); // this report answers it
    }
    m_status->Trigger();
}

std::shared_ptr<NrRlcStatusPdu> NrRlcAm::MakeStatus(uint32_t bytes) const
{
    constexpr uint32_t ACK_BYTES = 3; // both lengths of numbers
    const uint32_t nackBytes = m_snBits == LONG_SN_BITS ? 3 : 2;
    if (bytes < ACK_BYTES)
    {
        return nullptr;
    }
    auto status = std::make_shared<NrRlcStatusPdu>();
    status->size = ACK_BYTES;
    status->closed = true;
    const auto fits = [&](uint32_t more) { return status->size + more <= bytes; };
    uint64_t sn = m_rxNext;
    for (; sn < m_rxHighestStatus; ++sn)
    {
        const bool known = sn - m_rxNext < m_partial.size();
        const bool nothing = !known || m_partial[sn - m_rxNext].have.empty();
        if (nothing)
        {
            auto* last = status->nacks.empty() ? nullptr : &status->nacks.back();
            const bool whole = last && last->first == 0 && last->last == UINT32_MAX;
            if (whole && last->sn + last->count == sn && last->count < MAX_NACK_RANGE)
            {
                const uint32_t range = last->count == 1 ? 1 : 0; // a byte for the range
                if (!fits(range))
                {
                    break;
                }
                status->size += range;
                ++last->count;
                continue;
            }
            if (!fits(nackBytes))
            {
                break;
            }
            status->size += nackBytes;
            status->nacks.push_back({sn, 1, 0, UINT32_MAX});
            continue;
        }
        const Partial& partial = m_partial[sn - m_rxNext];
        if (partial.complete)
        {
            continue;
        }
        std::vector<NrRlcStatusPdu::Nack> gaps;
        uint32_t from = 0;
        for (const Range& range : partial.have)
        {
            if (range.first > from)
            {
                gaps.push_back({sn, 1, from, range.first});
            }
            from = range.last;
        }
        if (from < partial.sdu->Size())
        {
            gaps.push_back({sn, 1, from, UINT32_MAX});
        }
        const auto size = static_cast<uint32_t>(gaps.size()) * (nackBytes + 2 * OFFSET_BYTES);
        if (!fits(size))
        {
            break;
        }
        status->size += size;
        status->nacks.insert(status->nacks.end(), gaps.begin(), gaps.end());
    }
    status->ackSn = sn;
    return status;
}

uint64_t NrRlcAm::GetQueuedBytes() const
{
    return m_queuedBytes + m_againBytes;
}

uint64_t NrRlcAm::GetDemandBytes() const
{
    // 3 bytes of MAC subheader and 5 of RLC header at most.
    const uint64_t fresh = MayStart() ? m_queuedBytes + 7 * m_queue.size() : 0;
    return fresh + m_againBytes + 8 * m_again.size();
}

NrSduPtr NrRlcAm::GetHead() const
{
    if (!m_again.empty())
    {
        return m_sent[*m_again.begin() - m_txNextAck].sdu;
    }
    return MayStart() ? m_queue.front() : nullptr;
}

} // namespace ns3
