// SPDX-License-Identifier: GPL-2.0-only
#ifndef NR_MLWDF_SCHEDULER_H
#define NR_MLWDF_SCHEDULER_H

#include "nr-metric-scheduler.h"

namespace ns3
{

/**
 * Modified largest weighted delay first (Andrews et al., IEEE Communications Magazine 39(2), 2001):
 * UEs in the order of a D r/T with a = -ln(d)/t, where D is the age of the oldest packet, t the
 * packet delay budget of its flow and d the loss that the flow tolerates.
 */
class NrMlwdfScheduler : public NrMetricScheduler
{
  public:
    /**
     * \return the TypeId
     */
    static TypeId GetTypeId();

  protected:
    double GetMetric(const NrCandidate& candidate) const override;
};

} // namespace ns3

#endif // NR_MLWDF_SCHEDULER_H
