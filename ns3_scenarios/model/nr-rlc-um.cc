// SPDX-License-Identifier: GPL-2.0-only
#include "nr-rlc-um.h"

#include "ns3/boolean.h"
#include "ns3/simulator.h"
#include "ns3/uinteger.h"

#include <algorithm>

namespace ns3
{

using cosim::sim::PacketEvent;
using cosim::sim::PacketReason;

NS_OBJECT_ENSURE_REGISTERED(NrRlcUm);

namespace
{

/// \return bytes of the RLC header of a piece (TS 38.322 clause 6.2.2.3, 12-bit SN)
uint32_t RlcHeader(bool first, bool last)
{
    return first ? (last ? 1 : 2) : 4;
}

/// \return bytes of the MAC subheader of an RLC PDU (TS 38.321 clause 6.1.2: 8- or 16-bit length)
uint32_t MacHeader(uint32_t rlcPdu)
{
    return rlcPdu < 256 ? 2 : 3;
}

} // namespace

TypeId NrRlcUm::GetTypeId()
{
    static TypeId tid =
        TypeId("ns3::NrRlcUm")
            .SetParent<Object>()
            .SetGroupName("Cosim")
            .AddConstructor<NrRlcUm>()
            .AddAttribute("QueueLimit",
                          "Bytes that the queue holds; a packet that does not fit is dropped",
                          UintegerValue(1000000),
                          MakeUintegerAccessor(&NrRlcUm::m_queueLimit),
                          MakeUintegerChecker<uint32_t>())
            .AddAttribute("ReassemblyTime",
                          "Time that a packet with missing pieces is waited for (t-Reassembly)",
                          TimeValue(MilliSeconds(35)),
                          MakeTimeAccessor(&NrRlcUm::m_reassemblyTime),
                          MakeTimeChecker())
            .AddAttribute("DiscardLate",
                          "Discard packets from the queue whose deadline has passed",
                          BooleanValue(false),
                          MakeBooleanAccessor(&NrRlcUm::m_discardLate),
                          MakeBooleanChecker());
    return tid;
}

void NrRlcUm::SetCallback(SduCallback callback)
{
    m_callback = std::move(callback);
}

void NrRlcUm::Enqueue(const NrSduPtr& sdu)
{
    sdu->pdcpHeader = PDCP_HEADER_BYTES;
    sdu->enqueued = Simulator::Now();
    if (m_queuedBytes + sdu->Size() > m_queueLimit)
    {
        sdu->closed = true;
        sdu->reason = PacketReason::QUEUE_FULL;
        m_callback(sdu, PacketEvent::DROP);
        return;
    }
    m_queue.push_back(sdu);
    m_queuedBytes += sdu->Size();
    m_callback(sdu, PacketEvent::ENQUEUE);
}

void NrRlcUm::DiscardLate()
{
    if (!m_discardLate)
    {
        return;
    }
    const Time now = Simulator::Now();
    std::erase_if(m_queue, [this, now](const NrSduPtr& sdu) {
        if (sdu->started || sdu->deadline > now)
        {
            return false;
        }
        m_queuedBytes -= sdu->Size();
        sdu->closed = true;
        sdu->reason = PacketReason::DEADLINE;
        m_callback(sdu, PacketEvent::DISCARD);
        return true;
    });
}

uint32_t NrRlcUm::Fill(uint32_t bytes, std::vector<NrRlcSegment>& segments)
{
    uint32_t used = 0;
    while (!m_queue.empty())
    {
        const NrSduPtr sdu = m_queue.front();
        const bool first = sdu->sent == 0;
        const uint32_t left = sdu->Size() - sdu->sent;
        const uint32_t room = bytes - used;
        NrRlcSegment segment{sdu, sdu->sent, left, RlcHeader(first, true), 0};
        segment.macHeader = MacHeader(segment.rlcHeader + left);
        if (segment.macHeader + segment.rlcHeader + left > room)
        {
            // A piece only: what the room leaves after its headers. A first piece carries its PDCP
            // header whole and a byte of the packet.
            segment.rlcHeader = RlcHeader(first, false);
            segment.macHeader = MacHeader(room > 2 ? room - 2 : 0);
            const uint32_t headers = segment.macHeader + segment.rlcHeader;
            const uint32_t least = headers + 1 + (first ? sdu->pdcpHeader : 0);
            if (room < least)
            {
                break;
            }
            segment.bytes = std::min(room - headers, left - 1);
        }
        used += segment.macHeader + segment.rlcHeader + segment.bytes;
        sdu->sent += segment.bytes;
        ++sdu->segmentsUnderWay;
        m_queuedBytes -= segment.bytes;
        if (!sdu->started)
        {
            sdu->started = true;
            m_callback(sdu, PacketEvent::DEQUEUE);
        }
        if (sdu->sent == sdu->Size())
        {
            m_queue.pop_front();
        }
        segments.push_back(std::move(segment));
    }
    return used;
}

void NrRlcUm::Receive(const NrRlcSegment& segment)
{
    const NrSduPtr& sdu = segment.sdu;
    --sdu->segmentsUnderWay;
    const Time now = Simulator::Now();
    if (!sdu->lost && sdu->received > 0 && now > sdu->firstReceived + m_reassemblyTime)
    {
        sdu->lost = true;
        sdu->reason = PacketReason::REASSEMBLY;
    }
    if (sdu->received == 0)
    {
        sdu->firstReceived = now;
    }
    sdu->received += segment.bytes;
    if (!sdu->lost && sdu->received == sdu->Size())
    {
        sdu->closed = true;
        m_callback(sdu, PacketEvent::DELIVER);
        return;
    }
    CloseIfLost(sdu);
}

void NrRlcUm::Lose(const NrRlcSegment& segment)
{
    const NrSduPtr& sdu = segment.sdu;
    --sdu->segmentsUnderWay;
    if (!sdu->lost)
    {
        sdu->lost = true;
        sdu->reason = PacketReason::HARQ_EXHAUSTED;
    }
    CloseIfLost(sdu);
}

void NrRlcUm::CloseIfLost(const NrSduPtr& sdu)
{
    if (sdu->lost && !sdu->closed && sdu->sent == sdu->Size() && sdu->segmentsUnderWay == 0)
    {
        sdu->closed = true;
        m_callback(sdu, PacketEvent::DROP);
    }
}

void NrRlcUm::Flush()
{
    for (const NrSduPtr& sdu : m_queue)
    {
        if (!sdu->closed)
        {
            sdu->closed = true;
            sdu->reason = sdu->lost ? sdu->reason : PacketReason::SIMULATION_END;
            m_callback(sdu, PacketEvent::DROP);
        }
    }
    m_queue.clear();
    m_queuedBytes = 0;
}

uint64_t NrRlcUm::GetQueuedBytes() const
{
    return m_queuedBytes;
}

uint64_t NrRlcUm::GetDemandBytes() const
{
    // Every packet costs at most 3 bytes of MAC subheader and 4 of RLC header.
    return m_queuedBytes + 7 * m_queue.size();
}

NrSduPtr NrRlcUm::GetHead() const
{
    return m_queue.empty() ? nullptr : m_queue.front();
}

const std::deque<NrSduPtr>& NrRlcUm::GetQueue() const
{
    return m_queue;
}

} // namespace ns3
