// SPDX-License-Identifier: GPL-2.0-only
#ifndef NR_PACKET_FILTER_H
#define NR_PACKET_FILTER_H

#include "ns3/packet.h"

#include <cstdint>

namespace ns3
{

/// What packet filters look at in a packet.
struct NrPacketHead
{
    /**
     * Reads the IPv4 header and the ports in place; nothing of the packet is copied but these.
     *
     * \param packet an IP packet
     * \return its fields; what is no IPv4 has none
     */
    static NrPacketHead Read(const Packet& packet);

    bool ip{false};    //!< whether it is IPv4
    bool ports{false}; //!< whether it is UDP or TCP
    uint8_t dscp{0};   //!< DiffServ code point (RFC 2474)
    uint16_t from{0};  //!< source port
    uint16_t to{0};    //!< destination port
};

/**
 * Which packets belong to a QoS flow: the components "port" and "type of service" of TS 24.501
 * clause 9.11.4.13.
 */
struct NrPacketFilter
{
    /// What is compared.
    enum class Kind
    {
        NONE, //!< nothing matches
        TO,   //!< the destination port
        FROM, //!< the source port
        DSCP  //!< the DiffServ code point
    };

    /**
     * \param head of a packet
     * \return whether it belongs to the flow
     */
    bool Matches(const NrPacketHead& head) const;

    Kind kind{Kind::NONE}; //!< what is compared
    uint16_t value{0};     //!< with what
};

} // namespace ns3

#endif // NR_PACKET_FILTER_H
