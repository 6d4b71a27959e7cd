// SPDX-License-Identifier: GPL-2.0-only
#include "nr-full-buffer-source.h"

#include "ns3/simulator.h"
#include "ns3/uinteger.h"

namespace ns3
{

NS_OBJECT_ENSURE_REGISTERED(NrFullBufferSource);

TypeId NrFullBufferSource::GetTypeId()
{
    static TypeId tid = TypeId("ns3::NrFullBufferSource")
                            .SetParent<NrTrafficSource>()
                            .SetGroupName("Cosim")
                            .AddConstructor<NrFullBufferSource>()
                            .AddAttribute("Backlog",
                                          "Bytes that wait at the radio",
                                          UintegerValue(200000),
                                          MakeUintegerAccessor(&NrFullBufferSource::m_target),
                                          MakeUintegerChecker<uint32_t>(1))
                            .AddAttribute("Period",
                                          "Between looks at the backlog",
                                          TimeValue(MilliSeconds(1)),
                                          MakeTimeAccessor(&NrFullBufferSource::m_period),
                                          MakeTimeChecker(NanoSeconds(1)));
    return tid;
}

void NrFullBufferSource::Begin()
{
    Fill();
}

void NrFullBufferSource::Fill()
{
    const Time now = Simulator::Now();
    while (!m_sent.empty() && m_sent.front().first + m_transit <= now)
    {
        m_underWay -= m_sent.front().second;
        m_sent.pop_front();
    }
    uint64_t bytes = m_backlog() + m_underWay;
    uint64_t added = 0;
    for (; bytes < m_target; bytes += m_packetBytes)
    {
        SendPacket(m_packetBytes, 0, 0.0, 0.0);
        added += m_packetBytes;
    }
    if (added > 0)
    {
        m_sent.emplace_back(now, added);
        m_underWay += added;
    }
    After(m_period, [this] { Fill(); });
}

} // namespace ns3
