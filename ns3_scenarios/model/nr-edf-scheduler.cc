// SPDX-License-Identifier: GPL-2.0-only
#include "nr-edf-scheduler.h"

#include <cmath>

namespace ns3
{

NS_OBJECT_ENSURE_REGISTERED(NrEdfScheduler);

TypeId NrEdfScheduler::GetTypeId()
{
    static TypeId tid = TypeId("ns3::NrEdfScheduler")
                            .SetParent<NrPacketScheduler>()
                            .SetGroupName("Cosim")
                            .AddConstructor<NrEdfScheduler>();
    return tid;
}

NrPacketScheduler::Offer NrEdfScheduler::GetOffer(const NrCandidate& candidate,
                                                  std::size_t from) const
{
    const NrQueueItem& item = candidate.queue[from];
    const double left =
        std::isfinite(item.budgetS) ? item.budgetS : candidate.delayBudgetS - candidate.headDelayS;
    return {-left, NrScheduler::ProportionalFair(candidate), 1};
}

} // namespace ns3
