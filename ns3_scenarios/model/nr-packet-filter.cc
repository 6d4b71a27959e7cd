// SPDX-License-Identifier: GPL-2.0-only
#include "nr-packet-filter.h"

namespace ns3
{

NrPacketHead NrPacketHead::Read(const Packet& packet)
{
    constexpr uint8_t UDP = 17;
    constexpr uint8_t TCP = 6;
    constexpr uint32_t IP_BYTES = 20;
    // The longest IPv4 header and the ports: parsing headers would cost a copy of the packet.
    uint8_t bytes[64];
    const uint32_t count = packet.CopyData(bytes, sizeof bytes);
    NrPacketHead head;
    if (count < IP_BYTES || bytes[0] >> 4U != 4)
    {
        return head;
    }
    head.ip = true;
    head.dscp = bytes[1] >> 2U;
    const uint32_t ihl = (bytes[0] & 0x0fU) * 4U;
    if (count >= ihl + 4 && ihl >= IP_BYTES && (bytes[9] == UDP || bytes[9] == TCP))
    {
        head.ports = true;
        head.from = static_cast<uint16_t>(bytes[ihl] << 8 | bytes[ihl + 1]);
        head.to = static_cast<uint16_t>(bytes[ihl + 2] << 8 | bytes[ihl + 3]);
    }
    return head;
}

bool NrPacketFilter::Matches(const NrPacketHead& head) const
{
    switch (kind)
    {
    case Kind::TO:
        return head.ports && head.to == value;
    case Kind::FROM:
        return head.ports && head.from == value;
    case Kind::DSCP:
        return head.ip && head.dscp == value;
    default:
        return false;
    }
}

} // namespace ns3
