// SPDX-License-Identifier: GPL-2.0-only
#ifndef NR_LINK_ADAPTATION_H
#define NR_LINK_ADAPTATION_H

#include "nr-transport-format.h"

#include "ns3/object.h"

#include <cstdint>
#include <deque>
#include <vector>

namespace ns3
{

class NrPhyAbstraction;

/**
 * Choice of MCS and layers of one UE and direction: reports of the SINR, which are old when they
 * are used, and an outer loop that corrects them from acknowledgements.
 *
 * A report holds the SINR of every PRB and layer rather than a CQI and a rank index: the
 * quantisation of the CQI table is left out, its age is kept. With r layers the power is split, so
 * that each layer has 1/r of the reported SINR; one code word lies on all of them (up to four, TS
 * 38.211 clause 7.3.1.3), and its effective SINR (EESM) is over all their PRBs. The inner loop
 * takes the number of layers and the highest MCS that meet the block error target with the most
 * bits.
 *
 * The outer loop lowers the SINR by a step at every lost first transmission and raises it by step x
 * target / (1 - target) at every decoded one, so that it rests where the share of lost ones is the
 * target.
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
     * \param sinr linear SINR with all power on one layer, layer by layer, PRB by PRB
     * \param layers how many layers there are
     */
    void Report(uint64_t slot, std::vector<float> sinr, uint32_t layers);

    /**
     * \param slot the current slot
     * \param phy thresholds
     * \param penaltyDb SINR that is lost against the report, e.g. by spreading power over more PRBs
     * \return the format of the most bits that is expected to meet the BLER target, that of the
     * fewest if none is
     */
    NrTransportFormat Select(uint64_t slot, const NrPhyAbstraction& phy, double penaltyDb);

    /**
     * The same for a part of the band.
     *
     * \param slot the current slot
     * \param phy thresholds
     * \param penaltyDb SINR that is lost against the report
     * \param firstPrb first PRB of the part
     * \param prbs PRBs of the part
     * \return the format
     */
    NrTransportFormat SelectPart(uint64_t slot,
                                 const NrPhyAbstraction& phy,
                                 double penaltyDb,
                                 uint32_t firstPrb,
                                 uint32_t prbs);

    /**
     * \param decoded whether a first transmission was decoded
     */
    void Feedback(bool decoded);

    /**
     * \return the outer loop's correction in dB
     */
    double GetOffsetDb() const;

    /**
     * Forgets all reports, for a UE that has changed its cell.
     */
    void Reset();

  private:
    /// A report under way.
    struct Entry
    {
        uint64_t usableFrom;            //!< slot
        std::vector<float> sinr;        //!< by layer and PRB
        uint32_t layers;                //!< layers
        std::vector<float> effectiveDb; //!< by rank and MCS, NaN where nobody asked yet
    };

    /**
     * \param slot the current slot
     * \return the report in use, or null
     */
    Entry* GetReport(uint64_t slot);

    /**
     * \param rank layers in use
     * \param count MCS indices
     * \param lowest the lowest MCS
     * \param meets tells whether an MCS meets the target; what meets it is taken to be all up to
     * some MCS
     * \return the highest that meets it, or -1
     */
    template <typename Meets> int HuntMcs(uint32_t rank, int count, int lowest, Meets meets);

    uint32_t m_delaySlots{0};    //!< age of a report when it can first be used
    double m_blerTarget{0.1};    //!< share of first transmissions that may be lost
    bool m_outerLoop{true};      //!< whether the outer loop works
    double m_stepDb{0.1};        //!< downwards step at a lost block
    double m_limitDb{10.0};      //!< of the correction
    double m_offsetDb{0.0};      //!< correction
    std::deque<Entry> m_reports; //!< the one in use first
    std::vector<int> m_latest;   //!< MCS found last, by rank: where the next search begins
    std::vector<float> m_part;   //!< scratch
};

} // namespace ns3

#endif // NR_LINK_ADAPTATION_H
