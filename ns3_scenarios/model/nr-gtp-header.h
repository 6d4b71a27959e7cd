// SPDX-License-Identifier: GPL-2.0-only
#ifndef NR_GTP_HEADER_H
#define NR_GTP_HEADER_H

#include "ns3/header.h"

namespace ns3
{

/**
 * The mandatory part of a GTP-U header (TS 29.281 clause 5.1): version, message type, length,
 * tunnel.
 */
class NrGtpHeader : public Header
{
  public:
    /**
     * \return the TypeId
     */
    static TypeId GetTypeId();
    TypeId GetInstanceTypeId() const override;
    uint32_t GetSerializedSize() const override;
    void Serialize(Buffer::Iterator start) const override;
    uint32_t Deserialize(Buffer::Iterator start) override;
    void Print(std::ostream& os) const override;

    static constexpr uint8_t G_PDU = 255;      //!< type of a packet (clause 6.1)
    static constexpr uint8_t END_MARKER = 254; //!< type of a tunnel's last message

    uint8_t m_type{G_PDU}; //!< message type
    uint16_t m_length{0};  //!< bytes after the header
    uint32_t m_teid{0};    //!< tunnel endpoint identifier: here the UE's number + 1
};

} // namespace ns3

#endif // NR_GTP_HEADER_H
