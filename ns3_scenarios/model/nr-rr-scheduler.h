// SPDX-License-Identifier: GPL-2.0-only
#ifndef NR_RR_SCHEDULER_H
#define NR_RR_SCHEDULER_H

#include "nr-scheduler.h"

namespace ns3
{

/**
 * Round robin: equal PRBs for every UE with data; what one does not need goes to the others. The
 * remainder of the division goes to the UEs after the one that had it last.
 */
class NrRrScheduler : public NrScheduler
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
    uint32_t m_next{0}; //!< UE number at which the next round begins
};

} // namespace ns3

#endif // NR_RR_SCHEDULER_H
