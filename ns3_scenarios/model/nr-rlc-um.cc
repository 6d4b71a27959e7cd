// SPDX-License-Identifier: GPL-2.0-only
#include "nr-rlc-um.h"

#include "ns3/simulator.h"

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

} // namespace

TypeId NrRlcUm::GetTypeId()
{
    static TypeId tid =
        TypeId("ns3::NrRlcUm")
            .SetParent<NrRlc>()
            .SetGroupName("Cosim")
            .AddConstructor<NrRlcUm>()
            .AddAttribute("ReassemblyTime",
                          "Time that a packet is waited for after something behind its missing "
                          "pieces came (t-Reassembly)",
                          TimeValue(MilliSeconds(35)),
                          MakeTimeAccessor(&NrRlcUm::m_reassemblyTime),
                          MakeTimeChecker());
    return tid;
}

uint32_t NrRlcUm::Fill(uint32_t bytes, std::vector<NrRlcSegment>& segments, uint32_t enough)
{
    uint32_t used = 0;
    while (!m_queue.empty() && used < enough)
    {
        const NrSduPtr sdu = m_queue.front();
        const bool first = sdu->sent == 0;
        const uint32_t left = sdu->Size() - sdu->sent;
        const uint32_t room = bytes - used;
        NrRlcSegment segment{sdu, sdu->sent, left, RlcHeader(first, true), 0, this};
        segment.macHeader = GetMacHeader(segment.rlcHeader + left);
        if (segment.macHeader + segment.rlcHeader + left > room)
        {
            // A piece only: what the room leaves after its headers. A first piece carries its PDCP
            // header whole and a byte of the packet.
            segment.rlcHeader = RlcHeader(first, false);
            segment.macHeader = GetMacHeader(room > 2 ? room - 2 : 0);
            const uint32_t headers = segment.macHeader + segment.rlcHeader;
            const uint32_t least = headers + 1 + (first ? sdu->pdcpHeader : 0);
            if (room < least)
            {
                break;
            }
            segment.bytes = std::min(room - headers, left - 1);
        }
        used += segment.macHeader + segment.rlcHeader + segment.bytes;
        Take(std::move(segment), segments);
    }
    return used;
}

double NrRlcUm::FillDirect(double elements,
                           const NrDirectCost& cost,
                           std::vector<NrRlcSegment>& segments)
{
    double used = 0.0;
    while (!m_queue.empty())
    {
        const NrSduPtr sdu = m_queue.front();
        const bool first = sdu->sent == 0;
        const uint32_t left = sdu->Size() - sdu->sent;
        const uint32_t head = sdu->GetProtected(sdu->sent, left);
        NrRlcSegment segment{sdu, sdu->sent, left, RlcHeader(first, true), 0, this};
        segment.macHeader = GetMacHeader(segment.rlcHeader + left);
        uint32_t headers = segment.macHeader + segment.rlcHeader + head;
        if (used + cost.GetElements(headers, left - head) > elements)
        {
            // A piece: all of the headers, and of the contents whole symbols, two bytes each.
            segment.rlcHeader = RlcHeader(first, false);
            segment.macHeader = GetMacHeader(segment.rlcHeader + left);
            headers = segment.macHeader + segment.rlcHeader + head;
            const double room = elements - used - cost.GetElements(headers, 0);
            const uint32_t fits = room > 0.0 ? cost.GetContentBytes(room) : 0;
            const uint32_t content = std::min(fits, std::max(left - head, 1U) - 1) & ~1U;
            if (content == 0)
            {
                break;
            }
            segment.bytes = head + content;
        }
        segment.elements = cost.GetElements(headers, segment.bytes - head);
        used += segment.elements;
        Take(std::move(segment), segments);
    }
    return used;
}

void NrRlcUm::Take(NrRlcSegment segment, std::vector<NrRlcSegment>& segments)
{
    NrSdu& sdu = *segment.sdu;
    sdu.sent += segment.bytes;
    ++sdu.segmentsUnderWay;
    m_queuedBytes -= segment.bytes;
    if (!sdu.started)
    {
        sdu.started = true;
        m_callback(segment.sdu, PacketEvent::DEQUEUE);
    }
    if (sdu.sent == sdu.Size())
    {
        m_queue.pop_front();
    }
    segments.push_back(std::move(segment));
}

void NrRlcUm::Receive(const NrRlcSegment& segment)
{
    const NrSduPtr& sdu = segment.sdu;
    --sdu->segmentsUnderWay;
    const Time now = Simulator::Now();
    if (!sdu->lost && sdu->gapSince != Time::Max() && now > sdu->gapSince + m_reassemblyTime)
    {
        sdu->lost = true;
        sdu->reason = PacketReason::REASSEMBLY;
    }
    sdu->received += segment.bytes;
    sdu->highest = std::max(sdu->highest, segment.offset + segment.bytes);
    // A packet in one piece has no sequence number: it says nothing about others.
    const bool whole = segment.offset == 0 && segment.bytes == sdu->Size();
    std::erase_if(m_received, [](const NrSduPtr& other) { return other->closed || other->lost; });
    if (!whole && !sdu->lost)
    {
        if (std::find(m_received.begin(), m_received.end(), sdu) == m_received.end())
        {
            m_received.push_back(sdu);
        }
        // COUNT goes up in the order of sending, as RLC's number does.
        m_highest = std::max(m_highest, sdu->count);
        for (const NrSduPtr& other : m_received)
        {
            UpdateTimer(*other);
        }
    }
    if (!sdu->lost && sdu->received == sdu->Size())
    {
        sdu->closed = true;
        m_callback(sdu, PacketEvent::DELIVER);
        return;
    }
    CloseIfLost(sdu);
}

void NrRlcUm::UpdateTimer(NrSdu& sdu) const
{
    // TS 38.322 clause 5.2.2.2.3: it runs while bytes before the last received one are missing, or
    // a piece of a later packet was received. A packet that comes piece by piece is waited for.
    const bool gap = sdu.count < m_highest || sdu.received < sdu.highest;
    if (!gap)
    {
        sdu.gapSince = Time::Max();
    }
    else if (sdu.gapSince == Time::Max())
    {
        sdu.gapSince = Simulator::Now();
    }
}

void NrRlcUm::Lose(const NrRlcSegment& segment, PacketReason reason)
{
    const NrSduPtr& sdu = segment.sdu;
    --sdu->segmentsUnderWay;
    if (!sdu->lost)
    {
        sdu->lost = true;
        sdu->reason = reason;
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

void NrRlcUm::Reestablish(bool forward)
{
    m_received.clear();
    m_highest = 0;
    // What was sent in part is not sent again: the other end has thrown its part away.
    if (!m_queue.empty() && m_queue.front()->started)
    {
        const NrSduPtr sdu = m_queue.front();
        m_queue.pop_front();
        m_queuedBytes -= sdu->Size() - sdu->sent;
        Drop(sdu, PacketReason::HANDOVER);
    }
    if (!forward)
    {
        DropWaiting(PacketReason::HANDOVER);
    }
}

} // namespace ns3
