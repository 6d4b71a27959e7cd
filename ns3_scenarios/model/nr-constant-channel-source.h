// SPDX-License-Identifier: GPL-2.0-only
#ifndef NR_CONSTANT_CHANNEL_SOURCE_H
#define NR_CONSTANT_CHANNEL_SOURCE_H

#include "nr-channel-source.h"

#include <vector>

namespace ns3
{

/**
 * Gains that never change and are equal on all PRBs: for tests whose result is derived by hand.
 */
class NrConstantChannelSource : public NrChannelSource
{
  public:
    /**
     * \return the TypeId
     */
    static TypeId GetTypeId();

    /**
     * \param prbs the number of PRBs
     * \param gains linear power gains, [cell][ue]
     * \param layers equal layers of every link
     */
    void SetGains(uint32_t prbs,
                  const std::vector<std::vector<double>>& gains,
                  uint32_t layers = 1);

    void Advance(Time now) override;
    std::span<const float> GetGains(uint32_t cell, uint32_t ue, uint32_t layer) const override;
    uint32_t GetLayers() const override;

  private:
    std::vector<std::vector<std::vector<float>>> m_gains; //!< [cell][ue][prb]
    uint32_t m_layers{1};                                 //!< of every link
};

} // namespace ns3

#endif // NR_CONSTANT_CHANNEL_SOURCE_H
