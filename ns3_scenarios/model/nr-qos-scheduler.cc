// SPDX-License-Identifier: GPL-2.0-only
#include "nr-qos-scheduler.h"

#include "ns3/double.h"

#include <algorithm>
#include <cmath>

namespace ns3
{

NS_OBJECT_ENSURE_REGISTERED(NrQosScheduler);

TypeId NrQosScheduler::GetTypeId()
{
    static TypeId tid = TypeId("ns3::NrQosScheduler")
                            .SetParent<NrMetricScheduler>()
                            .SetGroupName("Cosim")
                            .AddConstructor<NrQosScheduler>()
                            .AddAttribute("MostUrgent",
                                          "Factor of a packet that is at its deadline or over it",
                                          DoubleValue(1000.0),
                                          MakeDoubleAccessor(&NrQosScheduler::m_mostUrgent),
                                          MakeDoubleChecker<double>(1.0));
    return tid;
}

double NrQosScheduler::GetMetric(const NrCandidate& candidate) const
{
    const double weight = std::max(100.0 - candidate.priority, 1.0);
    double urgency = 1.0;
    if (std::isfinite(candidate.headBudgetS))
    {
        const double budget = candidate.headDelayS + candidate.headBudgetS;
        urgency = candidate.headBudgetS * m_mostUrgent > budget ? budget / candidate.headBudgetS
                                                                : m_mostUrgent;
    }
    return weight * urgency * NrScheduler::ProportionalFair(candidate);
}

} // namespace ns3
