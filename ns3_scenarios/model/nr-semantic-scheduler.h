// SPDX-License-Identifier: GPL-2.0-only
#ifndef NR_SEMANTIC_SCHEDULER_H
#define NR_SEMANTIC_SCHEDULER_H

#include "nr-scheduler.h"

namespace ns3
{

/**
 * Semantic spectral efficiency (Yan et al., IEEE Wireless Commun. Lett. 11(7), 2022, arXiv
 * 2201.06023): the band is cut into as many groups of PRBs as there are UEs with semantic traffic,
 * each UE gets one group, and the assignment is that of the greatest sum of semantic rates.
 *
 * The paper's semantic spectral efficiency is I xi / (k L): information per word, times similarity,
 * over symbols per word. With packets and link adaptation the symbols that a message takes follow
 * from its bytes and the rate of the group, and the similarity is the measured accuracy of the
 * flow's codec above chance. So the weight of a UE in a group is its accuracy per byte times the
 * bytes that a PRB of the group carries. UEs without semantic traffic, and PRBs that are left over,
 * go by proportional fair.
 *
 * Up to ExactLimit UEs the assignment is exact, beyond that greedy.
 */
class NrSemanticScheduler : public NrScheduler
{
  public:
    /**
     * \return the TypeId
     */
    static TypeId GetTypeId();

    void Share(std::span<const NrCandidate> candidates,
               uint32_t prbs,
               std::vector<uint32_t>& shares) override;

    uint32_t GetGroups(std::size_t candidates) const override;
    std::span<const std::size_t> GetPlaces() const override;

  private:
    uint32_t m_exactLimit{0};          //!< UEs up to which the assignment is exact
    uint32_t m_maxGroups{0};           //!< groups at most
    std::vector<std::size_t> m_places; //!< candidates in the order of their groups
};

} // namespace ns3

#endif // NR_SEMANTIC_SCHEDULER_H
