// SPDX-License-Identifier: GPL-2.0-only
#ifndef NR_EDF_SCHEDULER_H
#define NR_EDF_SCHEDULER_H

#include "nr-packet-scheduler.h"

namespace ns3
{

/**
 * Earliest deadline first (Liu and Layland, J. ACM 20(1), 1973), packet by packet over all UEs. A
 * packet without a deadline of its own is due at the packet delay budget of its flow.
 */
class NrEdfScheduler : public NrPacketScheduler
{
  public:
    /**
     * \return the TypeId
     */
    static TypeId GetTypeId();

  protected:
    Offer GetOffer(const NrCandidate& candidate, std::size_t from) const override;
};

} // namespace ns3

#endif // NR_EDF_SCHEDULER_H
