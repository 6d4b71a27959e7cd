// SPDX-License-Identifier: GPL-2.0-only
#ifndef NR_BRIDGE_CHANNEL_SOURCE_H
#define NR_BRIDGE_CHANNEL_SOURCE_H

#include "nr-channel-source.h"

#include "cosim/bridge/bridge.hpp"
#include "cosim/sim/records.hpp"

namespace ns3
{

/**
 * Gains from blocks that the channel producer (Sionna) publishes ahead of the simulation.
 *
 * Advance waits when the producer is behind; the bridge counts these stalls.
 */
class NrBridgeChannelSource : public NrChannelSource
{
  public:
    /// The bridge's channel of blocks.
    using Reader = cosim::bridge::BlockReader<cosim::sim::ChannelBlock>;

    /**
     * \return the TypeId
     */
    static TypeId GetTypeId();

    /**
     * \param reader where blocks come from; it must outlive this object
     * \param cells the number of cells that a block must have
     * \param ues the number of UEs that a block must have
     * \param prbs the number of PRBs that a block must have
     */
    void SetReader(Reader* reader, uint32_t cells, uint32_t ues, uint32_t prbs);

    void Advance(Time now) override;
    std::span<const float> GetGains(uint32_t cell, uint32_t ue, uint32_t layer) const override;
    std::span<const float> GetInterference(uint32_t cell, uint32_t ue) const override;
    uint32_t GetLayers() const override;

  private:
    /// Takes the next block and checks its shape.
    void NextBlock();

    Reader* m_reader{nullptr};                         //!< where blocks come from
    uint32_t m_cells{0};                               //!< expected cells
    uint32_t m_ues{0};                                 //!< expected UEs
    uint32_t m_prbs{0};                                //!< expected PRBs
    uint64_t m_number{0};                              //!< number of the next block
    const cosim::sim::ChannelBlock* m_header{nullptr}; //!< of the current block
    std::span<const float> m_data;                     //!< of the current block
    uint32_t m_sample{0};                              //!< current sample in the block
};

} // namespace ns3

#endif // NR_BRIDGE_CHANNEL_SOURCE_H
