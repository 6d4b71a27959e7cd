// SPDX-License-Identifier: GPL-2.0-only
#include "nr-gtp-header.h"

namespace ns3
{

NS_OBJECT_ENSURE_REGISTERED(NrGtpHeader);

TypeId NrGtpHeader::GetTypeId()
{
    static TypeId tid = TypeId("ns3::NrGtpHeader")
                            .SetParent<Header>()
                            .SetGroupName("Cosim")
                            .AddConstructor<NrGtpHeader>();
    return tid;
}

TypeId NrGtpHeader::GetInstanceTypeId() const
{
    return GetTypeId();
}

uint32_t NrGtpHeader::GetSerializedSize() const
{
    return 8;
}

void NrGtpHeader::Serialize(Buffer::Iterator start) const
{
    constexpr uint8_t VERSION_1_GTP = 0x30;
    start.WriteU8(VERSION_1_GTP);
    start.WriteU8(m_type);
    start.WriteHtonU16(m_length);
    start.WriteHtonU32(m_teid);
}

uint32_t NrGtpHeader::Deserialize(Buffer::Iterator start)
{
    start.Next();
    m_type = start.ReadU8();
    m_length = start.ReadNtohU16();
    m_teid = start.ReadNtohU32();
    return GetSerializedSize();
}

void NrGtpHeader::Print(std::ostream& os) const
{
    os << "teid=" << m_teid << " length=" << m_length;
}

} // namespace ns3
