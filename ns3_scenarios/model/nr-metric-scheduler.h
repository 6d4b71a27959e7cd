// SPDX-License-Identifier: GPL-2.0-only
#ifndef NR_METRIC_SCHEDULER_H
#define NR_METRIC_SCHEDULER_H

#include "nr-scheduler.h"

namespace ns3
{

/**
 * Serves UEs in the order of a number, the highest first, each with as many PRBs as empties its
 * queue. Equal numbers are served in the order of UE numbers.
 */
class NrMetricScheduler : public NrScheduler
{
  public:
    /**
     * \return the TypeId
     */
    static TypeId GetTypeId();

    void Share(std::span<const NrCandidate> candidates,
               uint32_t prbs,
               std::vector<uint32_t>& shares) override;

  protected:
    /**
     * \param candidate a UE
     * \return its number
     */
    virtual double GetMetric(const NrCandidate& candidate) const = 0;

  private:
    std::vector<std::size_t> m_order; //!< kept to spare an allocation a slot
    std::vector<double> m_metric;     //!< the same
};

} // namespace ns3

#endif // NR_METRIC_SCHEDULER_H
