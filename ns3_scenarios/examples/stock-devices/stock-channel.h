// SPDX-License-Identifier: GPL-2.0-only
#ifndef STOCK_CHANNEL_H
#define STOCK_CHANNEL_H

#include "cosim-channel-links.h"
#include "nr-bridge-channel-source.h"

#include "ns3/command-line.h"
#include "ns3/node-container.h"

#include <memory>
#include <vector>

namespace ns3
{

/**
 * What both examples share: options, the bridge with its channel of blocks, and the links of nodes.
 */
class StockChannel
{
  public:
    /**
     * \param command gets the options that every such program has
     */
    void AddOptions(CommandLine& command)
    {
        command.AddValue("cells", "cells or access points of the channel", m_cells);
        command.AddValue("ues", "UEs or stations of the channel", m_ues);
        command.AddValue("prbs", "PRBs of the channel", m_prbs);
        command.AddValue("channel-slots", "channel blocks in flight", m_slots);
        command.AddValue("channel-block-bytes", "bytes of a channel block", m_blockBytes);
    }

    /**
     * Opens the bridge.
     *
     * \param cells nodes of cells, in the channel's order
     * \param ues nodes of UEs, in the channel's order
     * \return which node is what
     */
    Ptr<CosimChannelLinks> Connect(const NodeContainer& cells, const NodeContainer& ues)
    {
        m_bridge = cosim::bridge::Bridge::FromEnvironment();
        auto& blocks = m_bridge->AddBlocks<cosim::sim::ChannelBlock>(
            cosim::sim::kChannelBlockChannel, m_slots, m_blockBytes);
        m_bridge->Start();
        auto source = CreateObject<NrBridgeChannelSource>();
        source->SetReader(&blocks, m_cells, m_ues, m_prbs);
        auto links = CreateObject<CosimChannelLinks>();
        links->SetSource(source, m_cells, m_ues);
        for (uint32_t cell = 0; cell < m_cells; ++cell)
        {
            links->AddCell(cells.Get(cell), cell);
        }
        for (uint32_t ue = 0; ue < m_ues; ++ue)
        {
            links->AddUe(ues.Get(ue), ue);
        }
        return links;
    }

    /**
     * \return the bridge, once it was opened
     */
    cosim::bridge::Bridge* GetBridge() const
    {
        return m_bridge.get();
    }

    uint32_t m_cells{1};              //!< of the channel
    uint32_t m_ues{1};                //!< of the channel
    uint32_t m_prbs{25};              //!< of the channel
    uint32_t m_slots{2};              //!< blocks in flight
    uint32_t m_blockBytes{1U << 20U}; //!< of a block

  private:
    std::unique_ptr<cosim::bridge::Bridge> m_bridge; //!< to Python
};

/// A mean that grows.
struct RunningMean
{
    /// \param value one more
    void Add(double value)
    {
        sum += value;
        ++count;
    }

    /// \return the mean, in dB if the values are linear
    double Db() const
    {
        return 10.0 * std::log10(sum / static_cast<double>(count));
    }

    double sum{0.0};   //!< of all values
    uint64_t count{0}; //!< of values
};

} // namespace ns3

#endif // STOCK_CHANNEL_H
