// SPDX-License-Identifier: GPL-2.0-only
#ifndef COSIM_CHANNEL_LINKS_H
#define COSIM_CHANNEL_LINKS_H

#include "nr-channel-source.h"

#include "ns3/mobility-model.h"
#include "ns3/node.h"
#include "ns3/object.h"
#include "ns3/propagation-loss-model.h"

#include <map>
#include <optional>
#include <span>
#include <vector>

namespace ns3
{

/**
 * Which nodes of a simulation are which cells and UEs of a channel source.
 *
 * ns-3's loss models are asked for a pair of mobility models. This object finds their nodes, and
 * with them the link. A channel has links between cells and UEs alone: an access point is a cell, a
 * station a UE. All other pairs (two stations that hear each other) are left to the attribute
 * Fallback; without one they are refused.
 */
class CosimChannelLinks : public Object
{
  public:
    /**
     * \return the TypeId
     */
    static TypeId GetTypeId();

    /**
     * \param source where gains come from
     * \param cells the cells that it has
     * \param ues the UEs that it has
     */
    void SetSource(Ptr<NrChannelSource> source, uint32_t cells, uint32_t ues);

    /**
     * \param node a node with one antenna port on this channel
     * \param cell the cell that it is; std::invalid_argument if the source has no such cell or
     *             the node has a part already
     */
    void AddCell(Ptr<Node> node, uint32_t cell);

    /**
     * \param node a node with one antenna port on this channel
     * \param ue the UE that it is; std::invalid_argument if the source has no such UE or the node
     *           has a part already
     */
    void AddUe(Ptr<Node> node, uint32_t ue);

    /**
     * Says whose beam is directed at a UE: the other cells then have their gains as interferers.
     * Without it all links have the gains of the first layer, which is right for blocks that were
     * made for fixed serving cells.
     *
     * \param ue the UE
     * \param cell its serving cell; both std::invalid_argument if the source has none such
     */
    void SetServingCell(uint32_t ue, uint32_t cell);

    /**
     * \param a a device's mobility
     * \param b the other device's; the order does not matter
     * \return the linear power gains of the link at this time, one a PRB, valid until the next
     *         call; none if the two are not a cell and a UE
     */
    std::optional<std::span<const float>> FindGains(Ptr<const MobilityModel> a,
                                                    Ptr<const MobilityModel> b) const;

    /**
     * \param a the sender's mobility
     * \param b the receiver's
     * \return the linear power gain that the attribute Fallback gives to a pair that is no link;
     *         std::runtime_error if there is none
     */
    double GetFallbackGain(Ptr<const MobilityModel> a, Ptr<const MobilityModel> b) const;

  protected:
    void DoDispose() override;

  private:
    /// What a node is.
    struct Part
    {
        bool cell{false};   //!< a cell, else a UE
        uint32_t number{0}; //!< of the cell or UE
    };

    /// Gives a node its part.
    void Add(Ptr<Node> node, Part part, uint32_t count);

    /// \return the part of the node that has a mobility model, or nullptr
    const Part* FindPart(Ptr<const MobilityModel> mobility) const;

    Ptr<NrChannelSource> m_source;                  //!< of gains
    uint32_t m_cells{0};                            //!< of the source
    uint32_t m_ues{0};                              //!< of the source
    std::map<uint32_t, Part> m_parts;               //!< by the node's number
    std::vector<std::optional<uint32_t>> m_serving; //!< cell of each UE
    Ptr<PropagationLossModel> m_fallback;           //!< of pairs that are no links
};

} // namespace ns3

#endif // COSIM_CHANNEL_LINKS_H
