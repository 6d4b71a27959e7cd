// SPDX-License-Identifier: GPL-2.0-only
#ifndef NR_IMPORTANCE_SCHEDULER_H
#define NR_IMPORTANCE_SCHEDULER_H

#include "nr-packet-scheduler.h"

namespace ns3
{

/**
 * Importance first: the packet of the highest PDU-set importance (TS 23.501 clause 5.37) in all
 * queues comes first, and with it what lies before it in its own; among equally important ones the
 * earliest deadline.
 */
class NrImportanceScheduler : public NrPacketScheduler
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

#endif // NR_IMPORTANCE_SCHEDULER_H
