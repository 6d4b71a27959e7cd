// SPDX-License-Identifier: GPL-2.0-only
#ifndef NR_MESSAGE_TAG_H
#define NR_MESSAGE_TAG_H

#include "ns3/nstime.h"
#include "ns3/tag.h"

namespace ns3
{

/**
 * Says of an IP packet which semantic message it belongs to and what it is worth.
 *
 * The importance is that of a PDU set (TS 23.501 clause 5.37): the radio's queue, scheduler and
 * HARQ can see it. The deadline is the simulated time after which the packet is of no use.
 */
class NrMessageTag : public Tag
{
  public:
    /**
     * \return the TypeId
     */
    static TypeId GetTypeId();
    TypeId GetInstanceTypeId() const override;
    uint32_t GetSerializedSize() const override;
    void Serialize(TagBuffer buffer) const override;
    void Deserialize(TagBuffer buffer) override;
    void Print(std::ostream& os) const override;

    uint64_t m_messageId{0};      //!< number of the message, 0 for none
    double m_importance{0.0};     //!< PDU-set importance, 0 least
    double m_share{0.0};          //!< share of the message's units in the packet, 0 unknown
    Time m_deadline{Time::Max()}; //!< when the packet becomes useless
    uint32_t m_packet{0};         //!< number of the packet in the message
    uint32_t m_headerBytes{0};    //!< of the UDP payload, at its beginning
};

} // namespace ns3

#endif // NR_MESSAGE_TAG_H
