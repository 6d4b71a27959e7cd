// SPDX-License-Identifier: GPL-2.0-only
#include "nr-file-source.h"

#include "ns3/double.h"
#include "ns3/uinteger.h"

#include <cmath>

namespace ns3
{

NS_OBJECT_ENSURE_REGISTERED(NrFileSource);

TypeId NrFileSource::GetTypeId()
{
    static TypeId tid = TypeId("ns3::NrFileSource")
                            .SetParent<NrTrafficSource>()
                            .SetGroupName("Cosim")
                            .AddConstructor<NrFileSource>()
                            .AddAttribute("Rate",
                                          "Files a second, 0 for a reading time after each",
                                          DoubleValue(0.5),
                                          MakeDoubleAccessor(&NrFileSource::m_rateHz),
                                          MakeDoubleChecker<double>(0.0))
                            .AddAttribute("FileBytes",
                                          "Bytes of a file, 0 for a log-normal size",
                                          UintegerValue(500000),
                                          MakeUintegerAccessor(&NrFileSource::m_fileBytes),
                                          MakeUintegerChecker<uint32_t>())
                            .AddAttribute("Mu",
                                          "Mean of the logarithm of log-normal sizes in bytes",
                                          DoubleValue(14.45),
                                          MakeDoubleAccessor(&NrFileSource::m_mu),
                                          MakeDoubleChecker<double>(0.0, 21.0))
                            .AddAttribute("Sigma",
                                          "Standard deviation of the logarithm of log-normal sizes",
                                          DoubleValue(0.35),
                                          MakeDoubleAccessor(&NrFileSource::m_sigma),
                                          MakeDoubleChecker<double>(0.0, 3.0))
                            .AddAttribute("LargestBytes",
                                          "Largest log-normal size",
                                          UintegerValue(5000000),
                                          MakeUintegerAccessor(&NrFileSource::m_largest),
                                          MakeUintegerChecker<uint32_t>(1))
                            .AddAttribute("ReadingTime",
                                          "Mean reading time",
                                          TimeValue(Seconds(180)),
                                          MakeTimeAccessor(&NrFileSource::m_reading),
                                          MakeTimeChecker(Time(0)));
    return tid;
}

void NrFileSource::Begin()
{
    if (m_rateHz > 0.0)
    {
        Plan();
    }
    else
    {
        SendFile();
    }
}

void NrFileSource::Plan()
{
    const double mean = m_rateHz > 0.0 ? 1.0 / m_rateHz : m_reading.GetSeconds();
    After(Seconds(DrawExponential(mean)), [this] { SendFile(); });
}

void NrFileSource::SendFile()
{
    uint64_t bytes = m_fileBytes;
    if (bytes == 0)
    {
        const double most = std::log(static_cast<double>(m_largest));
        bytes = static_cast<uint64_t>(std::exp(DrawNormal(m_mu, m_sigma, 0.0, most)));
    }
    SendMessage(bytes, 0.0);
    Plan();
}

} // namespace ns3
