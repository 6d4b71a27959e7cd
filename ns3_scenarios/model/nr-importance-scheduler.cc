// SPDX-License-Identifier: GPL-2.0-only
#include "nr-importance-scheduler.h"

namespace ns3
{

NS_OBJECT_ENSURE_REGISTERED(NrImportanceScheduler);

TypeId NrImportanceScheduler::GetTypeId()
{
    static TypeId tid = TypeId("ns3::NrImportanceScheduler")
                            .SetParent<NrPacketScheduler>()
                            .SetGroupName("Cosim")
                            .AddConstructor<NrImportanceScheduler>();
    return tid;
}

NrPacketScheduler::Offer NrImportanceScheduler::GetOffer(const NrCandidate& candidate,
                                                         std::size_t from) const
{
    // A queue is first in, first out: an important packet has to pull those before it along.
    std::size_t best = from;
    for (std::size_t i = from + 1; i < candidate.queue.size(); ++i)
    {
        if (candidate.queue[i].importance > candidate.queue[best].importance)
        {
            best = i;
        }
    }
    return {candidate.queue[best].importance, -candidate.queue[best].budgetS, best - from + 1};
}

} // namespace ns3
