// SPDX-License-Identifier: GPL-2.0-only
#ifndef NR_SCHEDULER_H
#define NR_SCHEDULER_H

#include "nr-delivery.h"

#include "ns3/object.h"

#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

namespace ns3
{

/// A packet that waits, as a scheduler sees it. Packets of a UE leave in the order of the list.
struct NrQueueItem
{
    uint32_t bytes{0};      //!< still to be sent, with the headers that they will cost
    double importance{0.0}; //!< PDU-set importance
    double budgetS{0.0};    //!< seconds left to its deadline, infinite for none
    double utility{0.0};    //!< what its arrival adds to the receiver's expected accuracy
    uint64_t messageId{0};  //!< the message that it belongs to, 0 for none
};

/// A UE with new data, as a scheduler sees it.
struct NrCandidate
{
    uint32_t ue{0};             //!< UE number
    double bytesPerPrb{0.0};    //!< what one PRB of this slot would carry at the UE's MCS
    uint8_t lowestMcs{0};       //!< the MCS that its block may fall to
    uint8_t layers{1};          //!< spatial layers of its block
    uint64_t demandBytes{0};    //!< that would empty its queues
    uint32_t maxPrbs{0};        //!< PRBs at most (power limit in the uplink)
    double averageRate{0.0};    //!< exponentially averaged bytes a slot
    uint8_t priority{127};      //!< best (lowest) priority level among its flows with data
    double headDelayS{0.0};     //!< age of its oldest packet in seconds
    double headBudgetS{0.0};    //!< time left to that packet's deadline in seconds
    double headImportance{0.0}; //!< PDU-set importance of that packet
    uint8_t mcsBackoff{0};      //!< MCS indices to stay below the chosen one
    NrDelivery delivery{NrDelivery::PACKET}; //!< of what is sent next
    uint64_t headerBytes{0};                 //!< of the demand, headers (direct delivery)
    uint32_t leastPrbs{0};              //!< that its first packet's headers take (direct delivery)
    uint32_t headHeaderBytes{0};        //!< of its first packet (direct delivery)
    double delayBudgetS{0.3};           //!< packet delay budget of that packet's flow in seconds
    double lossTarget{1e-6};            //!< packet error rate that the flow tolerates
    double semanticValue{0.0};          //!< accuracy above chance per byte of the flow's messages
    std::span<const NrQueueItem> queue; //!< its first packets; see NrScheduler::WantsQueue
    std::span<const float> groupBytesPerPrb; //!< by PRB group; see NrScheduler::GetGroups
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
     * \return whether NrCandidate::queue has to be filled in, which costs time
     */
    virtual bool WantsQueue() const;

    /**
     * \param candidates the number of UEs with data
     * \return the number of equal, adjacent groups of PRBs for which NrCandidate::groupBytesPerPrb
     * has to be filled in; 0 if a scheduler looks at the whole band only
     */
    virtual uint32_t GetGroups(std::size_t candidates) const;

    /**
     * \return indices of the candidates in the order in which their shares lie in the band, lowest
     * frequency first; empty for the order of UE numbers
     */
    virtual std::span<const std::size_t> GetPlaces() const;

    /**
     * \param cell the cell that this scheduler is for
     * \param uplink its direction
     */
    virtual void SetCell(uint32_t cell, bool uplink);

    /**
     * \param candidate a UE
     * \return PRBs that would empty its queues, at most its limit
     */
    static uint32_t Wanted(const NrCandidate& candidate);

    /**
     * \param candidate a UE
     * \return r/T of proportional fair: a UE that was never served comes first
     */
    static double ProportionalFair(const NrCandidate& candidate);
};

} // namespace ns3

#endif // NR_SCHEDULER_H
