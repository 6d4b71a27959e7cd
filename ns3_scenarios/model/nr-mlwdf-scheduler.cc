// SPDX-License-Identifier: GPL-2.0-only
#include "nr-mlwdf-scheduler.h"

#include <algorithm>
#include <cmath>

namespace ns3
{

NS_OBJECT_ENSURE_REGISTERED(NrMlwdfScheduler);

TypeId NrMlwdfScheduler::GetTypeId()
{
    static TypeId tid = TypeId("ns3::NrMlwdfScheduler")
                            .SetParent<NrMetricScheduler>()
                            .SetGroupName("Cosim")
                            .AddConstructor<NrMlwdfScheduler>();
    return tid;
}

double NrMlwdfScheduler::GetMetric(const NrCandidate& candidate) const
{
    const double weight =
        -std::log(std::clamp(candidate.lossTarget, 1e-12, 0.999)) / candidate.delayBudgetS;
    // A packet that came in this very slot has no age: half a microsecond keeps r/T in the order.
    const double age = std::max(candidate.headDelayS, 5e-7);
    return weight * age * NrScheduler::ProportionalFair(candidate);
}

} // namespace ns3
