// SPDX-License-Identifier: GPL-2.0-only
#include "nr-max-ci-scheduler.h"

#include <algorithm>
#include <cmath>

namespace ns3
{

NS_OBJECT_ENSURE_REGISTERED(NrMaxCiScheduler);

TypeId NrMaxCiScheduler::GetTypeId()
{
    static TypeId tid = TypeId("ns3::NrMaxCiScheduler")
                            .SetParent<NrMetricScheduler>()
                            .SetGroupName("Cosim")
                            .AddConstructor<NrMaxCiScheduler>();
    return tid;
}

double NrMaxCiScheduler::GetMetric(const NrCandidate& candidate) const
{
    return candidate.bytesPerPrb;
}

} // namespace ns3
