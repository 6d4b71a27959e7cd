// SPDX-License-Identifier: GPL-2.0-only
#ifndef NR_UTILITY_SCHEDULER_H
#define NR_UTILITY_SCHEDULER_H

#include "nr-packet-scheduler.h"

namespace ns3
{

/**
 * Marginal utility: PRBs go where they raise the receivers' measured accuracy most, argmax of
 * [A(m + d) - A(m)] per PRB, A being the accuracy of a flow's codec over the units that have
 * arrived.
 *
 * Accuracy may rise slowly at first and steeply later, so a UE offers that number of next packets
 * whose gain per PRB is greatest: the slope of the concave envelope. Taking envelope steps in the
 * order of their slopes is the optimum of the fractional problem (Dantzig, Oper. Res. 5(2), 1957);
 * against whole packets it loses at most the value of the one offer that does not fit.
 */
class NrUtilityScheduler : public NrPacketScheduler
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

#endif // NR_UTILITY_SCHEDULER_H
