// SPDX-License-Identifier: GPL-2.0-only
#ifndef NR_PHY_ABSTRACTION_H
#define NR_PHY_ABSTRACTION_H

#include "nr-bler-table.h"
#include "nr-carrier.h"
#include "nr-eesm.h"
#include "nr-harq-combining.h"

#include "ns3/object.h"

#include <memory>
#include <span>
#include <vector>

namespace ns3
{

/**
 * From the SINR of each PRB to the probability that a transport block is lost: effective SINR
 * (EESM) and a table of block error rates, both measured elsewhere and given to it.
 */
class NrPhyAbstraction : public Object
{
  public:
    /**
     * \return the TypeId
     */
    static TypeId GetTypeId();

    /**
     * \param carrier the carrier
     * \param bler block error rates
     * \param eesm its betas
     */
    void Set(Ptr<NrCarrier> carrier,
             std::shared_ptr<const NrBlerTable> bler,
             std::shared_ptr<const NrEesm> eesm);

    /**
     * \param sinr linear SINR of the PRBs (and layers) in use
     * \param mcs MCS index
     * \param scale factor on every SINR
     * \return the effective SINR, linear
     */
    double GetEffectiveSinr(std::span<const float> sinr, uint8_t mcs, double scale = 1.0) const;

    /**
     * \return the number of MCS indices
     */
    uint32_t GetMcsCount() const;

    /**
     * \param mcs MCS index
     * \return information bits a symbol and layer
     */
    double GetEfficiency(uint8_t mcs) const;

    /**
     * \param mcs MCS index
     * \param tbsBits transport block size
     * \param sinrDb effective SINR in dB
     * \return the probability that the block is lost
     */
    double GetBler(uint8_t mcs, uint32_t tbsBits, double sinrDb) const;

    /**
     * SINR of a single transmission that is lost as often as several together.
     *
     * A lower code rate needs less SINR: by how much, the table's own MCS of the same modulation
     * say, at half of the blocks, with straight lines between their code rates; below the lowest
     * of them, the capacity of Gaussian symbols. New bits are never worth less than the same bits
     * again.
     *
     * \param mcs MCS index
     * \param combined what the transmissions are worth together
     * \return linear
     */
    double GetCombinedSinr(uint8_t mcs, const NrCombined& combined) const;

    /**
     * \param mcs MCS index
     * \param target block error rate
     * \return the SINR in dB at which a code block of the reference size meets the target
     */
    double GetThresholdDb(uint8_t mcs, double target) const;

    /**
     * \return the lowest MCS that the table knows
     */
    uint8_t GetLowestMcs() const;

  private:
    /**
     * \param mcs MCS index
     * \param codeRate at its modulation
     * \return the SINR in dB at which half of the blocks are lost
     */
    double GetHalfLostDb(uint8_t mcs, double codeRate) const;

    Ptr<NrCarrier> m_carrier;                  //!< the carrier
    std::shared_ptr<const NrBlerTable> m_bler; //!< block error rates
    std::shared_ptr<const NrEesm> m_eesm;      //!< betas
    uint32_t m_referenceBits{0};               //!< code block size of the thresholds
    uint8_t m_lowestMcs{0};                    //!< first MCS in the table
    std::vector<double> m_halfLostDb;         //!< SINR at which half of the blocks are lost, by MCS
    mutable std::vector<double> m_thresholds; //!< of each MCS, for m_target
    mutable double m_target{-1.0};            //!< that the thresholds are for
};

} // namespace ns3

#endif // NR_PHY_ABSTRACTION_H
