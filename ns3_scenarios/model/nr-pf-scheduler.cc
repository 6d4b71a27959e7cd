// SPDX-License-Identifier: GPL-2.0-only
#include "nr-pf-scheduler.h"

#include <algorithm>
#include <cmath>

namespace ns3
{

NS_OBJECT_ENSURE_REGISTERED(NrPfScheduler);

TypeId NrPfScheduler::GetTypeId()
{
    static TypeId tid = TypeId("ns3::NrPfScheduler")
                            .SetParent<NrMetricScheduler>()
                            .SetGroupName("Cosim")
                            .AddConstructor<NrPfScheduler>();
    return tid;
}

double NrPfScheduler::GetMetric(const NrCandidate& candidate) const
{
    return NrScheduler::ProportionalFair(candidate);
}

} // namespace ns3
