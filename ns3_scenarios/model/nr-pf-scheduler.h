// SPDX-License-Identifier: GPL-2.0-only
#ifndef NR_PF_SCHEDULER_H
#define NR_PF_SCHEDULER_H

#include "nr-metric-scheduler.h"

namespace ns3
{

/**
 * Proportional fair: UEs in the order of r/T, the rate that the channel offers now over the rate
 * that the UE got lately (Jalali et al., VTC 2000).
 */
class NrPfScheduler : public NrMetricScheduler
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

#endif // NR_PF_SCHEDULER_H
