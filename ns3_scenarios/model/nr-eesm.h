// SPDX-License-Identifier: GPL-2.0-only
#ifndef NR_EESM_H
#define NR_EESM_H

#include <cstdint>
#include <span>
#include <vector>

namespace ns3
{

/**
 * Exponential effective SINR mapping: -beta ln(mean(exp(-sinr / beta))).
 */
class NrEesm
{
  public:
    /**
     * \param beta of each MCS, linear
     */
    explicit NrEesm(std::span<const float> beta);

    /**
     * \param sinr linear SINRs, not empty
     * \param mcs MCS index
     * \param scale factor on every SINR
     * \return the effective SINR, linear
     */
    double GetEffectiveSinr(std::span<const float> sinr, uint8_t mcs, double scale = 1.0) const;

  private:
    std::vector<float> m_beta; //!< of each MCS
};

} // namespace ns3

#endif // NR_EESM_H
