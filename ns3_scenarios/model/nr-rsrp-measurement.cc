// SPDX-License-Identifier: GPL-2.0-only
#include "nr-rsrp-measurement.h"

#include "ns3/uinteger.h"

#include <cmath>

namespace ns3
{

NS_OBJECT_ENSURE_REGISTERED(NrRsrpMeasurement);

TypeId NrRsrpMeasurement::GetTypeId()
{
    static TypeId tid =
        TypeId("ns3::NrRsrpMeasurement")
            .SetParent<Object>()
            .SetGroupName("Cosim")
            .AddConstructor<NrRsrpMeasurement>()
            .AddAttribute("FilterCoefficient",
                          "k of the layer-3 filter (TS 38.331 FilterCoefficient), 0 for none",
                          UintegerValue(4),
                          MakeUintegerAccessor(&NrRsrpMeasurement::m_coefficient),
                          MakeUintegerChecker<uint32_t>(0, 19));
    return tid;
}

void NrRsrpMeasurement::SetPeriod(Time period)
{
    constexpr double STANDARD_PERIOD_S = 0.2;
    const double share = std::pow(2.0, -static_cast<double>(m_coefficient) / 4.0);
    m_share = 1.0 - std::pow(1.0 - share, period.GetSeconds() / STANDARD_PERIOD_S);
}

void NrRsrpMeasurement::Measure(const std::vector<double>& rsrpDbm)
{
    if (m_filtered.empty())
    {
        m_filtered = rsrpDbm; // the first measurement is not filtered
        return;
    }
    for (std::size_t cell = 0; cell < rsrpDbm.size(); ++cell)
    {
        m_filtered[cell] += m_share * (rsrpDbm[cell] - m_filtered[cell]);
    }
}

const std::vector<double>& NrRsrpMeasurement::Get() const
{
    return m_filtered;
}

} // namespace ns3
