// SPDX-License-Identifier: GPL-2.0-only
#ifndef NR_SCHEDULER_H
#define NR_SCHEDULER_H

#include "ns3/object.h"

#include <cstdint>
#include <span>
#include <vector>

namespace ns3
{

/// A UE with new data, as a scheduler sees it.
struct NrCandidate
{
    uint32_t ue{0};             //!< UE number
    double bytesPerPrb{0.0};    //!< what one PRB of this slot would carry at the UE's MCS
    uint8_t lowestMcs{0};       //!< the MCS that its block may fall to
    uint64_t demandBytes{0};    //!< that would empty its queues
    uint32_t maxPrbs{0};        //!< PRBs at most (power limit in the uplink)
    double averageRate{0.0};    //!< exponentially averaged bytes a slot
    uint8_t priority{127};      //!< best (lowest) priority level among its flows with data
    double headDelayS{0.0};     //!< age of its oldest packet in seconds
    double headBudgetS{0.0};    //!< time left to that packet's deadline in seconds
    double headImportance{0.0}; //!< PDU-set importance of that packet
};

/**
 * Shares the PRBs of one slot and direction among UEs with new data. Retransmissions were served
 * before.
 */
class NrScheduler : public Object
{
  public:
    /**
     * \return the TypeId
     */
    static TypeId GetTypeId();

    /**
     * \param candidates UEs with data, in order of their numbers
     * \param prbs PRBs that can be given
     * \param shares how many each candidate gets, same order; the caller has set all to 0. Their
     * sum is at most prbs.
     */
    virtual void Share(std::span<const NrCandidate> candidates,
                       uint32_t prbs,
                       std::vector<uint32_t>& shares) = 0;

    /**
     * \param candidate a UE
     * \return PRBs that would empty its queues, at most its limit
     */
    static uint32_t Wanted(const NrCandidate& candidate);
};

} // namespace ns3

#endif // NR_SCHEDULER_H
