// SPDX-License-Identifier: GPL-2.0-only
#ifndef NR_HARQ_COMBINING_H
#define NR_HARQ_COMBINING_H

#include "ns3/object.h"

#include <cstdint>
#include <span>

namespace ns3
{

/// One transmission that is worth as much as several.
struct NrCombined
{
    double sinr{0.0};     //!< linear, mean over all coded bits that were sent
    double codeRate{0.0}; //!< information bits over all these coded bits
    double energy{0.0};   //!< sum of the SINRs of all transmissions
};

/**
 * What several transmissions of a transport block are worth together: the SINR at which one
 * transmission would be decoded as surely.
 *
 * Every transmission sends the part of the circular buffer of coded bits that begins at the start
 * of its redundancy version (TS 38.212 clause 5.4.2.1). Where transmissions overlap, energies add
 * up (chase combining); where they do not, the block has more coded bits, and so a lower code rate
 * (incremental redundancy). All transmissions together are worth one transmission of all U bits
 * that were sent, at the mean of their mutual information I(g) = log2(1 + g) (Caire and Tuninetti,
 * IEEE Trans. Inf. Theory 47(5), 2001), with g(x) the sum of SINRs of the transmissions that hold
 * position x of the buffer:
 *
 *     I(g) = (1/U) sum over positions x of I(g(x)),  code rate = information bits / U.
 *
 * What that rate needs, NrPhyAbstraction knows from its block error table. Chase combining repeats
 * version 0: the SINRs' sum at the rate of one transmission; so it is with incremental redundancy
 * if a single transmission holds the whole buffer.
 */
class NrHarqCombining : public Object
{
  public:
    /// Redundancy versions in the order of transmissions (TS 38.214 clause 5.1.2.1).
    static constexpr uint8_t ORDER[] = {0, 2, 3, 1};

    /**
     * \return the TypeId
     */
    static TypeId GetTypeId();

    /**
     * \param transmission which one, 1 for the first
     * \return its redundancy version
     */
    uint8_t GetRedundancyVersion(uint32_t transmission) const;

    /**
     * \param sinr linear effective SINR of each transmission, the first one first
     * \param codeRate of one transmission
     * \param baseGraph LDPC base graph, 1 or 2
     * \return what they are worth together
     */
    NrCombined Combine(std::span<const float> sinr, double codeRate, uint32_t baseGraph) const;

  private:
    bool m_incremental{true}; //!< incremental redundancy, or chase combining
};

} // namespace ns3

#endif // NR_HARQ_COMBINING_H
