// SPDX-License-Identifier: GPL-2.0-only
#include "nr-traffic-source.h"

#include "ns3/simulator.h"
#include "ns3/uinteger.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace ns3
{

NS_OBJECT_ENSURE_REGISTERED(NrTrafficSource);

TypeId NrTrafficSource::GetTypeId()
{
    static TypeId tid = TypeId("ns3::NrTrafficSource")
                            .SetParent<Object>()
                            .SetGroupName("Cosim")
                            .AddAttribute("PacketBytes",
                                          "UDP payload of a packet at most",
                                          UintegerValue(1200),
                                          MakeUintegerAccessor(&NrTrafficSource::m_packetBytes),
                                          MakeUintegerChecker<uint32_t>(1, 65507))
                            .AddAttribute("Budget",
                                          "Delay after which a packet is useless, 0 for none",
                                          TimeValue(Time(0)),
                                          MakeTimeAccessor(&NrTrafficSource::m_budget),
                                          MakeTimeChecker(Time(0)));
    return tid;
}

NrTrafficSource::NrTrafficSource()
    : m_random(CreateObject<UniformRandomVariable>())
{
}

void NrTrafficSource::Configure(uint32_t flow, SendCallback send, Time start, Time stop)
{
    m_flow = flow;
    m_send = std::move(send);
    m_stop = stop;
    Simulator::Schedule(start, [this] { Begin(); });
}

void NrTrafficSource::SetBacklog(BacklogCallback backlog, Time transit)
{
    m_backlog = std::move(backlog);
    m_transit = transit;
}

int64_t NrTrafficSource::AssignStreams(int64_t stream)
{
    m_random->SetStream(stream);
    return 1;
}

uint64_t NrTrafficSource::NextMessage()
{
    return uint64_t{m_flow} << 32 | ++m_messages;
}

void NrTrafficSource::SendPacket(uint32_t bytes, uint64_t message, double importance, double share)
{
    const Time deadline = m_budget.IsStrictlyPositive() ? Simulator::Now() + m_budget : Time::Max();
    m_send(bytes, message, importance, share, deadline);
}

void NrTrafficSource::SendMessage(uint64_t bytes, double importance)
{
    const uint64_t message = NextMessage();
    for (uint64_t sent = 0; sent < bytes;)
    {
        const auto now = static_cast<uint32_t>(std::min<uint64_t>(m_packetBytes, bytes - sent));
        SendPacket(now, message, importance, double(now) / double(bytes));
        sent += now;
    }
}

void NrTrafficSource::After(Time delay, std::function<void()> call)
{
    if (Simulator::Now() + delay < m_stop)
    {
        Simulator::Schedule(delay, std::move(call));
    }
}

double NrTrafficSource::Draw()
{
    return m_random->GetValue(0.0, 1.0);
}

double NrTrafficSource::DrawExponential(double mean)
{
    return -mean * std::log1p(-Draw());
}

double NrTrafficSource::DrawNormal(double mean, double deviation, double least, double most)
{
    if (deviation <= 0.0)
    {
        return std::clamp(mean, least, most);
    }
    while (true)
    {
        // Box and Muller's; the second value is thrown away, so that no state is kept.
        const double radius = std::sqrt(-2.0 * std::log1p(-Draw()));
        const double value = mean + deviation * radius * std::cos(2.0 * std::numbers::pi * Draw());
        if (value >= least && value <= most)
        {
            return value;
        }
    }
}

double NrTrafficSource::DrawPareto(double shape, double least, double most)
{
    return std::min(least * std::pow(1.0 - Draw(), -1.0 / shape), most);
}

} // namespace ns3
