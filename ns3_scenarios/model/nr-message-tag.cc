// SPDX-License-Identifier: GPL-2.0-only
#include "nr-message-tag.h"

namespace ns3
{

NS_OBJECT_ENSURE_REGISTERED(NrMessageTag);

TypeId NrMessageTag::GetTypeId()
{
    static TypeId tid = TypeId("ns3::NrMessageTag")
                            .SetParent<Tag>()
                            .SetGroupName("Cosim")
                            .AddConstructor<NrMessageTag>();
    return tid;
}

TypeId NrMessageTag::GetInstanceTypeId() const
{
    return GetTypeId();
}

uint32_t NrMessageTag::GetSerializedSize() const
{
    return 8 + 8 + 8 + 8 + 4 + 4;
}

void NrMessageTag::Serialize(TagBuffer buffer) const
{
    buffer.WriteU64(m_messageId);
    buffer.WriteDouble(m_importance);
    buffer.WriteDouble(m_share);
    buffer.WriteU64(static_cast<uint64_t>(m_deadline.GetTimeStep()));
    buffer.WriteU32(m_packet);
    buffer.WriteU32(m_headerBytes);
}

void NrMessageTag::Deserialize(TagBuffer buffer)
{
    m_messageId = buffer.ReadU64();
    m_importance = buffer.ReadDouble();
    m_share = buffer.ReadDouble();
    m_deadline = TimeStep(buffer.ReadU64());
    m_packet = buffer.ReadU32();
    m_headerBytes = buffer.ReadU32();
}

void NrMessageTag::Print(std::ostream& os) const
{
    os << "message=" << m_messageId << " importance=" << m_importance;
}

} // namespace ns3
