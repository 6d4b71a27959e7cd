// SPDX-License-Identifier: GPL-2.0-only
#ifndef NR_EXTERNAL_SCHEDULER_H
#define NR_EXTERNAL_SCHEDULER_H

#include "nr-scheduler.h"

#include <functional>
#include <unordered_map>

namespace ns3
{

/**
 * Asks somebody else, for example a program in Python, how to share the PRBs.
 *
 * Either it is told the PRBs of each UE in every slot; or every PeriodSlots slots the weights of
 * the UEs, with which it goes on as weighted proportional fair, w r/T, until it asks again. A UE
 * without a weight has 1.
 */
class NrExternalScheduler : public NrScheduler
{
  public:
    /// What somebody else decides about a UE.
    struct Decision
    {
        uint32_t ue;   //!< UE number
        uint32_t prbs; //!< PRBs in this slot; what is more than the UE can use stays idle
        double weight; //!< weight until the next question, 0 or above
    };

    /// Decides about the candidates of a slot.
    using Decider = std::function<std::vector<Decision>(
        uint32_t cell, bool uplink, std::span<const NrCandidate> candidates, uint32_t prbs)>;

    /**
     * \return the TypeId
     */
    static TypeId GetTypeId();

    /**
     * \param decider who decides; has to be set before the first slot
     */
    void SetDecider(Decider decider);

    void Share(std::span<const NrCandidate> candidates,
               uint32_t prbs,
               std::vector<uint32_t>& shares) override;

    bool WantsQueue() const override;
    void SetCell(uint32_t cell, bool uplink) override;

  private:
    /**
     * \param candidates UEs with data, at least one
     * \param decision about one
     * \return its index among the candidates
     */
    static std::size_t Find(std::span<const NrCandidate> candidates, const Decision& decision);

    Decider m_decider;                                   //!< who decides
    uint32_t m_cell{0};                                  //!< the cell
    bool m_uplink{false};                                //!< the direction
    bool m_byWeight{false};                              //!< weights rather than PRBs
    uint32_t m_periodSlots{1};                           //!< between questions about weights
    uint64_t m_slot{0};                                  //!< slots of this direction so far
    std::unordered_map<uint32_t, double> m_weights;      //!< by UE
    std::vector<std::pair<double, std::size_t>> m_order; //!< scratch
};

} // namespace ns3

#endif // NR_EXTERNAL_SCHEDULER_H
