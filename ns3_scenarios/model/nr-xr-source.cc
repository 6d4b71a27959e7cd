// SPDX-License-Identifier: GPL-2.0-only
#include "nr-xr-source.h"

#include "ns3/double.h"
#include "ns3/simulator.h"
#include "ns3/uinteger.h"

#include <algorithm>
#include <cmath>

namespace ns3
{

NS_OBJECT_ENSURE_REGISTERED(NrXrSource);

TypeId NrXrSource::GetTypeId()
{
    static TypeId tid = TypeId("ns3::NrXrSource")
                            .SetParent<NrTrafficSource>()
                            .SetGroupName("Cosim")
                            .AddConstructor<NrXrSource>()
                            .AddAttribute("Rate",
                                          "Mean rate in bit/s",
                                          DoubleValue(30e6),
                                          MakeDoubleAccessor(&NrXrSource::m_rateBps),
                                          MakeDoubleChecker<double>(1.0))
                            .AddAttribute("FrameRate",
                                          "Frames a second",
                                          DoubleValue(60.0),
                                          MakeDoubleAccessor(&NrXrSource::m_frameRate),
                                          MakeDoubleChecker<double>(0.1))
                            .AddAttribute("SizeDeviation",
                                          "Standard deviation of sizes, as a share of the mean",
                                          DoubleValue(0.105),
                                          MakeDoubleAccessor(&NrXrSource::m_deviation),
                                          MakeDoubleChecker<double>(0.0, 1.0))
                            .AddAttribute("SizeLeast",
                                          "Smallest size, as a share of the mean",
                                          DoubleValue(0.5),
                                          MakeDoubleAccessor(&NrXrSource::m_least),
                                          MakeDoubleChecker<double>(0.0, 1.0))
                            .AddAttribute("SizeMost",
                                          "Largest size, as a share of the mean",
                                          DoubleValue(1.5),
                                          MakeDoubleAccessor(&NrXrSource::m_most),
                                          MakeDoubleChecker<double>(1.0))
                            .AddAttribute("JitterDeviation",
                                          "Standard deviation of the jitter",
                                          TimeValue(MilliSeconds(2)),
                                          MakeTimeAccessor(&NrXrSource::m_jitter),
                                          MakeTimeChecker(Time(0)))
                            .AddAttribute("JitterMost",
                                          "Largest jitter, either way",
                                          TimeValue(MilliSeconds(4)),
                                          MakeTimeAccessor(&NrXrSource::m_jitterMost),
                                          MakeTimeChecker(Time(0)))
                            .AddAttribute("Group",
                                          "Frames of a group of pictures, 0 for equal frames",
                                          UintegerValue(0),
                                          MakeUintegerAccessor(&NrXrSource::m_group),
                                          MakeUintegerChecker<uint32_t>())
                            .AddAttribute("IntraRatio",
                                          "Mean size of I frames over that of others",
                                          DoubleValue(2.0),
                                          MakeDoubleAccessor(&NrXrSource::m_ratio),
                                          MakeDoubleChecker<double>(1.0));
    return tid;
}

void NrXrSource::Begin()
{
    m_phase = Simulator::Now() + m_jitterMost + Seconds(Draw() / m_frameRate);
    Plan();
}

void NrXrSource::Plan()
{
    const double most = m_jitterMost.GetSeconds();
    const double jitter = DrawNormal(0.0, m_jitter.GetSeconds(), -most, most);
    const Time at = m_phase + Seconds(static_cast<double>(m_frame) / m_frameRate + jitter);
    // A frame may be early enough to come with the one before.
    After(std::max(at - Simulator::Now(), Time(0)), [this] {
        const bool intra = m_group > 0 && m_frame % m_group == 0;
        double mean = m_rateBps / m_frameRate / 8.0;
        if (m_group > 0)
        {
            mean *= m_group * (intra ? m_ratio : 1.0) / (m_group - 1 + m_ratio);
        }
        const double bytes = DrawNormal(mean, m_deviation * mean, m_least * mean, m_most * mean);
        ++m_frame;
        SendMessage(static_cast<uint64_t>(std::max(std::round(bytes), 1.0)), intra ? 1.0 : 0.5);
        Plan();
    });
}

} // namespace ns3
