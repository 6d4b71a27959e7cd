// SPDX-License-Identifier: GPL-2.0-only
#include "nr-rlc.h"

#include "ns3/boolean.h"
#include "ns3/simulator.h"
#include "ns3/uinteger.h"

#include <algorithm>
#include <vector>

namespace ns3
{

using cosim::sim::PacketEvent;
using cosim::sim::PacketReason;

NS_OBJECT_ENSURE_REGISTERED(NrRlc);

TypeId NrRlc::GetTypeId()
{
    static TypeId tid =
        TypeId("ns3::NrRlc")
            .SetParent<Object>()
            .SetGroupName("Cosim")
            .AddAttribute("QueueLimit",
                          "Bytes that the queue holds; a packet that does not fit is dropped",
                          UintegerValue(1000000),
                          MakeUintegerAccessor(&NrRlc::m_queueLimit),
                          MakeUintegerChecker<uint32_t>())
            .AddAttribute("DropByImportance",
                          "A packet that does not fit takes the place of less important ones",
                          BooleanValue(false),
                          MakeBooleanAccessor(&NrRlc::m_dropByImportance),
                          MakeBooleanChecker());
    return tid;
}

void NrRlc::SetCallback(SduCallback callback)
{
    m_callback = std::move(callback);
}

void NrRlc::SetPendingCallback(PendingCallback callback)
{
    m_pending = std::move(callback);
}

void NrRlc::SetDiscard(bool late, bool timer)
{
    m_discardLate = late;
    m_discardTimer = timer;
}

double NrRlc::FillDirect(double, const NrDirectCost&, std::vector<NrRlcSegment>&)
{
    return 0.0;
}

void NrRlc::Enqueue(const NrSduPtr& sdu)
{
    sdu->enqueued = Simulator::Now();
    if (m_queuedBytes + sdu->Size() > m_queueLimit && !(m_dropByImportance && MakeRoom(*sdu)))
    {
        Drop(sdu, PacketReason::QUEUE_FULL);
        return;
    }
    m_queue.push_back(sdu);
    m_queuedBytes += sdu->Size();
    m_callback(sdu, PacketEvent::ENQUEUE);
}

bool NrRlc::MakeRoom(const NrSdu& sdu)
{
    std::vector<NrSduPtr> lesser;
    for (auto it = m_queue.rbegin(); it != m_queue.rend(); ++it)
    {
        if (!(*it)->started && (*it)->importance < sdu.importance)
        {
            lesser.push_back(*it);
        }
    }
    // The least important first, and of these the last: the first is nearest to its delivery.
    std::stable_sort(lesser.begin(), lesser.end(), [](const NrSduPtr& a, const NrSduPtr& b) {
        return a->importance < b->importance;
    });
    uint64_t left = m_queuedBytes;
    std::size_t victims = 0;
    while (left + sdu.Size() > m_queueLimit && victims < lesser.size())
    {
        left -= lesser[victims++]->Size();
    }
    if (left + sdu.Size() > m_queueLimit)
    {
        return false; // nothing is gained by dropping some of them
    }
    for (std::size_t i = 0; i < victims; ++i)
    {
        Drop(lesser[i], PacketReason::QUEUE_FULL);
    }
    std::erase_if(m_queue,
                  [](const NrSduPtr& waiting) { return !waiting->started && waiting->closed; });
    m_queuedBytes = left;
    return true;
}

void NrRlc::DiscardLate()
{
    if (m_queue.empty() || (!m_discardLate && !m_discardTimer))
    {
        return;
    }
    const Time now = Simulator::Now();
    std::erase_if(m_queue, [this, now](const NrSduPtr& sdu) {
        const bool late = m_discardLate && sdu->deadline <= now;
        if (sdu->started || !(late || (m_discardTimer && sdu->discardAt <= now)))
        {
            return false;
        }
        m_queuedBytes -= sdu->Size();
        sdu->closed = true;
        sdu->reason = late ? PacketReason::DEADLINE : PacketReason::DISCARD_TIMER;
        m_callback(sdu, PacketEvent::DISCARD);
        return true;
    });
}

void NrRlc::Drop(const NrSduPtr& sdu, PacketReason reason)
{
    if (!sdu->closed)
    {
        sdu->closed = true;
        sdu->reason = sdu->lost ? sdu->reason : reason;
        m_callback(sdu, PacketEvent::DROP);
    }
}

void NrRlc::DropWaiting(PacketReason reason)
{
    std::erase_if(m_queue, [this, reason](const NrSduPtr& sdu) {
        if (sdu->started)
        {
            return false;
        }
        m_queuedBytes -= sdu->Size();
        Drop(sdu, reason);
        return true;
    });
}

void NrRlc::Flush()
{
    for (const NrSduPtr& sdu : m_queue)
    {
        Drop(sdu, PacketReason::SIMULATION_END);
    }
    m_queue.clear();
    m_queuedBytes = 0;
}

uint64_t NrRlc::GetQueuedBytes() const
{
    return m_queuedBytes;
}

uint64_t NrRlc::GetDemandBytes() const
{
    // Every packet costs at most 3 bytes of MAC subheader and 5 of RLC header, mostly less.
    return m_queuedBytes + 7 * m_queue.size();
}

NrSduPtr NrRlc::GetHead() const
{
    return m_queue.empty() ? nullptr : m_queue.front();
}

const std::deque<NrSduPtr>& NrRlc::GetQueue() const
{
    return m_queue;
}

uint32_t NrRlc::GetMacHeader(uint32_t rlcPdu)
{
    return rlcPdu < 256 ? 2 : 3;
}

} // namespace ns3
