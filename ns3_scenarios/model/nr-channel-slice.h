// SPDX-License-Identifier: GPL-2.0-only
#ifndef NR_CHANNEL_SLICE_H
#define NR_CHANNEL_SLICE_H

#include "nr-channel-source.h"

namespace ns3
{

/**
 * Some neighbouring PRBs of a channel: what a bandwidth part sees of the carrier.
 */
class NrChannelSlice : public NrChannelSource
{
  public:
    /**
     * \return the TypeId
     */
    static TypeId GetTypeId();

    /**
     * \param whole the channel of all bandwidth parts; it is moved on by all of its slices
     * \param firstPrb the first PRB of it that is seen
     * \param prbs how many are seen
     */
    void SetSource(Ptr<NrChannelSource> whole, uint32_t firstPrb, uint32_t prbs);

    void Advance(Time now) override;
    std::span<const float> GetGains(uint32_t cell, uint32_t ue, uint32_t layer) const override;
    std::span<const float> GetInterference(uint32_t cell, uint32_t ue) const override;
    uint32_t GetLayers() const override;

  private:
    Ptr<NrChannelSource> m_whole; //!< of all bandwidth parts
    uint32_t m_firstPrb{0};       //!< in it
    uint32_t m_prbs{0};           //!< seen
};

} // namespace ns3

#endif // NR_CHANNEL_SLICE_H
