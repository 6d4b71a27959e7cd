// SPDX-License-Identifier: GPL-2.0-only
#include "nr-video-source.h"

#include "ns3/double.h"
#include "ns3/uinteger.h"

#include <cmath>

namespace ns3
{

NS_OBJECT_ENSURE_REGISTERED(NrVideoSource);

TypeId NrVideoSource::GetTypeId()
{
    static TypeId tid = TypeId("ns3::NrVideoSource")
                            .SetParent<NrTrafficSource>()
                            .SetGroupName("Cosim")
                            .AddConstructor<NrVideoSource>()
                            .AddAttribute("Period",
                                          "Between frames",
                                          TimeValue(MilliSeconds(100)),
                                          MakeTimeAccessor(&NrVideoSource::m_period),
                                          MakeTimeChecker(NanoSeconds(1)))
                            .AddAttribute("Packets",
                                          "Packets of a frame",
                                          UintegerValue(8),
                                          MakeUintegerAccessor(&NrVideoSource::m_packets),
                                          MakeUintegerChecker<uint32_t>(1))
                            .AddAttribute("Shape",
                                          "Shape of both Pareto distributions",
                                          DoubleValue(1.2),
                                          MakeDoubleAccessor(&NrVideoSource::m_shape),
                                          MakeDoubleChecker<double>(1.0))
                            .AddAttribute("LeastBytes",
                                          "Smallest packet",
                                          UintegerValue(40),
                                          MakeUintegerAccessor(&NrVideoSource::m_least),
                                          MakeUintegerChecker<uint32_t>(1))
                            .AddAttribute("MostBytes",
                                          "Largest packet",
                                          UintegerValue(250),
                                          MakeUintegerAccessor(&NrVideoSource::m_most),
                                          MakeUintegerChecker<uint32_t>(1))
                            .AddAttribute("LeastSpace",
                                          "Shortest time between packets",
                                          TimeValue(MicroSeconds(2500)),
                                          MakeTimeAccessor(&NrVideoSource::m_leastSpace),
                                          MakeTimeChecker(NanoSeconds(1)))
                            .AddAttribute("MostSpace",
                                          "Longest time between packets",
                                          TimeValue(MicroSeconds(12500)),
                                          MakeTimeAccessor(&NrVideoSource::m_mostSpace),
                                          MakeTimeChecker(NanoSeconds(1)));
    return tid;
}

void NrVideoSource::Begin()
{
    // A phase of its own, so that UEs' frames do not coincide.
    After(Seconds(Draw() * m_period.GetSeconds()), [this] { Frame(); });
}

void NrVideoSource::Frame()
{
    After(m_period, [this] { Frame(); });
    Next(NextMessage(), m_packets);
}

void NrVideoSource::Next(uint64_t message, uint32_t left)
{
    const double bytes = std::round(DrawPareto(m_shape, m_least, m_most));
    SendPacket(static_cast<uint32_t>(bytes), message, 0.0, 1.0 / m_packets);
    if (left > 1)
    {
        const double space =
            DrawPareto(m_shape, m_leastSpace.GetSeconds(), m_mostSpace.GetSeconds());
        After(Seconds(space), [this, message, left] { Next(message, left - 1); });
    }
}

} // namespace ns3
