// SPDX-License-Identifier: GPL-2.0-only
#include "nr-utility-scheduler.h"

#include <cmath>

namespace ns3
{

NS_OBJECT_ENSURE_REGISTERED(NrUtilityScheduler);

TypeId NrUtilityScheduler::GetTypeId()
{
    static TypeId tid = TypeId("ns3::NrUtilityScheduler")
                            .SetParent<NrPacketScheduler>()
                            .SetGroupName("Cosim")
                            .AddConstructor<NrUtilityScheduler>();
    return tid;
}

NrPacketScheduler::Offer NrUtilityScheduler::GetOffer(const NrCandidate& candidate,
                                                      std::size_t from) const
{
    Offer best{-HUGE_VAL, 0.0, 1};
    double gain = 0.0;
    double bytes = 0.0;
    for (std::size_t i = from; i < candidate.queue.size(); ++i)
    {
        const NrQueueItem& item = candidate.queue[i];
        // What comes too late raises nothing.
        gain += item.budgetS > 0.0 ? item.utility : 0.0;
        bytes += item.bytes;
        const double slope = gain * candidate.bytesPerPrb / bytes;
        if (slope > best.key)
        {
            best = {slope, NrScheduler::ProportionalFair(candidate), i - from + 1};
        }
    }
    return best;
}

} // namespace ns3
