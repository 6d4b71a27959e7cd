// SPDX-License-Identifier: GPL-2.0-only
#include "nr-pdcp.h"

#include "ns3/boolean.h"
#include "ns3/simulator.h"
#include "ns3/uinteger.h"

namespace ns3
{

using cosim::sim::PacketEvent;
using cosim::sim::PacketReason;

NS_OBJECT_ENSURE_REGISTERED(NrPdcp);

TypeId NrPdcp::GetTypeId()
{
    static TypeId tid =
        TypeId("ns3::NrPdcp")
            .SetParent<Object>()
            .SetGroupName("Cosim")
            .AddConstructor<NrPdcp>()
            .AddAttribute("SnBits",
                          "Length of sequence numbers: 12 or 18",
                          UintegerValue(12),
                          MakeUintegerAccessor(&NrPdcp::m_snBits),
                          MakeUintegerChecker<uint32_t>(12, 18))
            .AddAttribute("InOrder",
                          "Deliver packets in the order in which they were sent",
                          BooleanValue(false),
                          MakeBooleanAccessor(&NrPdcp::m_inOrder),
                          MakeBooleanChecker())
            .AddAttribute("DiscardTime",
                          "Time in the queue after which a packet is discarded, 0 for any "
                          "(discardTimer)",
                          TimeValue(Time(0)),
                          MakeTimeAccessor(&NrPdcp::m_discardTime),
                          MakeTimeChecker(Time(0)))
            .AddAttribute("ReorderingTime",
                          "Time that a missing packet is waited for (t-Reordering)",
                          TimeValue(MilliSeconds(100)),
                          MakeTimeAccessor(&NrPdcp::m_reorderingTime),
                          MakeTimeChecker(NanoSeconds(1)));
    return tid;
}

NrPdcp::NrPdcp()
    : m_timer([this] { OnReorderingTimer(); })
{
}

void NrPdcp::SetCallback(SduCallback callback)
{
    m_callback = std::move(callback);
}

void NrPdcp::Prepare(NrSdu& sdu) const
{
    sdu.pdcpHeader = m_snBits > 12 ? 3 : 2;
    if (m_discardTime.IsStrictlyPositive())
    {
        sdu.discardAt = Simulator::Now() + m_discardTime;
    }
}

void NrPdcp::OnRlc(const NrSduPtr& sdu, PacketEvent event)
{
    if (event == PacketEvent::DEQUEUE)
    {
        sdu->count = m_txNext++;
    }
    if (event == PacketEvent::DELIVER && m_inOrder)
    {
        Receive(sdu);
        return;
    }
    m_callback(sdu, event);
}

void NrPdcp::Receive(const NrSduPtr& sdu)
{
    if (sdu->count < m_rxDeliv)
    {
        sdu->reason = PacketReason::REORDERING;
        m_callback(sdu, PacketEvent::DROP);
        return;
    }
    m_rxNext = std::max(m_rxNext, sdu->count + 1);
    m_waiting[sdu->count] = sdu;
    if (sdu->count == m_rxDeliv)
    {
        DeliverRun();
    }
    if (m_timer.IsRunning() && m_rxDeliv >= m_rxReord)
    {
        m_timer.Stop();
    }
    if (!m_timer.IsRunning())
    {
        WaitIfMissing();
    }
}

void NrPdcp::DeliverRun()
{
    while (!m_waiting.empty() && m_waiting.begin()->first == m_rxDeliv)
    {
        const NrSduPtr sdu = m_waiting.begin()->second;
        m_waiting.erase(m_waiting.begin());
        ++m_rxDeliv;
        m_callback(sdu, PacketEvent::DELIVER);
    }
}

void NrPdcp::WaitIfMissing()
{
    if (m_rxDeliv < m_rxNext)
    {
        m_rxReord = m_rxNext;
        m_timer.Start(m_reorderingTime);
    }
}

void NrPdcp::OnReorderingTimer()
{
    while (!m_waiting.empty() && m_waiting.begin()->first < m_rxReord)
    {
        const NrSduPtr sdu = m_waiting.begin()->second;
        m_waiting.erase(m_waiting.begin());
        m_callback(sdu, PacketEvent::DELIVER);
    }
    m_rxDeliv = m_rxReord;
    DeliverRun();
    WaitIfMissing();
}

void NrPdcp::Flush()
{
    m_timer.Stop();
    for (const auto& [count, sdu] : m_waiting)
    {
        sdu->reason = PacketReason::SIMULATION_END;
        m_callback(sdu, PacketEvent::DROP);
    }
    m_waiting.clear();
}

} // namespace ns3
