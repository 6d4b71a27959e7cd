// SPDX-License-Identifier: GPL-2.0-only
#ifndef NR_QOS_SCHEDULER_H
#define NR_QOS_SCHEDULER_H

#include "nr-metric-scheduler.h"

namespace ns3
{

/**
 * QoS-aware proportional fair: UEs in the order of (100 - P) B r/T, where P is the best priority
 * level of its waiting flows (TS 23.501 clause 5.7.3.3) and B the urgency of its oldest packet,
 * budget / (budget - age), for packets that have a deadline, 1 for others.
 *
 * With full queues and without deadlines the long-run rates of two UEs with equal channels are as
 * (100 - P1) : (100 - P2): the rule that 5G-LENA's QoS scheduler is tested against. Levels from 100
 * on weigh as 99 does.
 */
class NrQosScheduler : public NrMetricScheduler
{
  public:
    /**
     * \return the TypeId
     */
    static TypeId GetTypeId();

  protected:
    double GetMetric(const NrCandidate& candidate) const override;

  private:
    double m_mostUrgent{0.0}; //!< B at most
};

} // namespace ns3

#endif // NR_QOS_SCHEDULER_H
