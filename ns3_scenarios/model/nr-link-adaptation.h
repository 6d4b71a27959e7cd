// SPDX-License-Identifier: GPL-2.0-only
#ifndef NR_LINK_ADAPTATION_H
#define NR_LINK_ADAPTATION_H

#include "ns3/object.h"

#include <cstdint>
#include <deque>
#include <vector>

namespace ns3
{

class NrPhyAbstraction;

/**
 * MCS choice of one UE and direction: reports of the effective SINR, which are old when they are
 * used, and an outer loop that corrects them from acknowledgements.
 *
 * A report holds the effective SINR (EESM) for every MCS rather than a CQI index: the quantisation
 * step of the CQI table is left out, its age is kept. The outer loop lowers the SINR by a step at
 * every lost first transmission and raises it by step x target / (1 - target) at every decoded one,
 * so that it rests where the share of lost ones is the target.
 */
class NrLinkAdaptation : public Object
{
  public:
    /**
     * \return the TypeId
     */
    static TypeId GetTypeId();

    /**
     * \param slot slot in which it was measured
     * \param sinrDb effective SINR in dB at each MCS
     */
    void Report(uint64_t slot, std::vector<float> sinrDb);

    /**
     * \param slot the current slot
     * \param phy thresholds
     * \param penaltyDb SINR that is lost against the report, e.g. by spreading power over more PRBs
     * \return the highest MCS that is expected to meet the BLER target, 0 if none is
     */
    uint8_t Select(uint64_t slot, const NrPhyAbstraction& phy, double penaltyDb);

    /**
     * \param decoded whether a first transmission was decoded
     */
    void Feedback(bool decoded);

    /**
     * \return the outer loop's correction in dB
     */
    double GetOffsetDb() const;

  private:
    /// A report under way.
    struct Entry
    {
        uint64_t usableFrom;       //!< slot
        std::vector<float> sinrDb; //!< of each MCS
    };

    uint32_t m_delaySlots{0};    //!< age of a report when it can first be used
    double m_blerTarget{0.1};    //!< share of first transmissions that may be lost
    bool m_outerLoop{true};      //!< whether the outer loop works
    double m_stepDb{0.1};        //!< downwards step at a lost block
    double m_offsetDb{0.0};      //!< correction
    std::deque<Entry> m_reports; //!< the one in use first
};

} // namespace ns3

#endif // NR_LINK_ADAPTATION_H
