// SPDX-License-Identifier: GPL-2.0-only
#ifndef NR_PF_SCHEDULER_H
#define NR_PF_SCHEDULER_H

#include "nr-scheduler.h"

namespace ns3
{

/**
 * Proportional fair: UEs in the order of r/T, the rate that the channel offers now over the rate
 * that the UE got lately (Jalali et al., VTC 2000), each with as many PRBs as empties its queue.
 * Equal metrics are served in the order of UE numbers.
 */
class NrPfScheduler : public NrScheduler
{
  public:
    /**
     * \return the TypeId
     */
    static TypeId GetTypeId();

    void Share(std::span<const NrCandidate> candidates,
               uint32_t prbs,
               std::vector<uint32_t>& shares) override;

  private:
    std::vector<std::size_t> m_order; //!< kept to spare an allocation a slot
};

} // namespace ns3

#endif // NR_PF_SCHEDULER_H
