// SPDX-License-Identifier: GPL-2.0-only
#ifndef NR_TRUTH_SAMPLER_H
#define NR_TRUTH_SAMPLER_H

#include <cstdint>

namespace ns3
{

/**
 * Chooses the transport blocks that are replayed through the real code.
 *
 * The choice follows from the run's seed and the block's number alone. It takes no random numbers
 * from ns-3's streams, so that a run is the same whether blocks are chosen or not.
 */
class NrTruthSampler
{
  public:
    /**
     * \param fraction probability that a block is chosen, 0 to 1
     * \return whether the next block is chosen
     */
    bool Take(double fraction);

  private:
    uint64_t m_number{0}; //!< of the next block
};

} // namespace ns3

#endif // NR_TRUTH_SAMPLER_H
