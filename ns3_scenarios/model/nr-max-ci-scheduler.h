// SPDX-License-Identifier: GPL-2.0-only
#ifndef NR_MAX_CI_SCHEDULER_H
#define NR_MAX_CI_SCHEDULER_H

#include "nr-metric-scheduler.h"

namespace ns3
{

/**
 * Maximum carrier-to-interference ratio: UEs in the order of the rate that the channel offers now.
 * It gives the highest throughput of the cell and starves whoever is far away.
 */
class NrMaxCiScheduler : public NrMetricScheduler
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

#endif // NR_MAX_CI_SCHEDULER_H
