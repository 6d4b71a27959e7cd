// SPDX-License-Identifier: GPL-2.0-only
#include "nr-ue-net-device.h"

#include "ns3/channel.h"
#include "ns3/node.h"
#include "ns3/uinteger.h"

namespace ns3
{

NS_OBJECT_ENSURE_REGISTERED(NrUeNetDevice);

namespace
{
constexpr uint16_t IPV4 = 0x0800;
} // namespace

TypeId NrUeNetDevice::GetTypeId()
{
    static TypeId tid = TypeId("ns3::NrUeNetDevice")
                            .SetParent<NetDevice>()
                            .SetGroupName("Cosim")
                            .AddConstructor<NrUeNetDevice>()
                            .AddAttribute("Mtu",
                                          "Largest IP packet in bytes",
                                          UintegerValue(1500),
                                          MakeUintegerAccessor(&NrUeNetDevice::m_mtu),
                                          MakeUintegerChecker<uint16_t>(68));
    return tid;
}

void NrUeNetDevice::SetUplink(UplinkCallback callback)
{
    m_uplink = std::move(callback);
}

void NrUeNetDevice::ReceiveDownlink(Ptr<Packet> packet)
{
    m_receive(this, packet, IPV4, Address());
}

void NrUeNetDevice::DoDispose()
{
    m_node = nullptr;
    m_uplink = nullptr;
    NetDevice::DoDispose();
}

bool NrUeNetDevice::Send(Ptr<Packet> packet, const Address& dest, uint16_t protocol)
{
    (void)dest;
    if (protocol != IPV4)
    {
        return false;
    }
    m_uplink(packet);
    return true;
}

bool NrUeNetDevice::SendFrom(Ptr<Packet> packet,
                             const Address& source,
                             const Address& dest,
                             uint16_t protocol)
{
    (void)source;
    return Send(packet, dest, protocol);
}

void NrUeNetDevice::SetIfIndex(const uint32_t index)
{
    m_index = index;
}

uint32_t NrUeNetDevice::GetIfIndex() const
{
    return m_index;
}

Ptr<Channel> NrUeNetDevice::GetChannel() const
{
    return nullptr;
}

void NrUeNetDevice::SetAddress(Address address)
{
    m_address = Mac48Address::ConvertFrom(address);
}

Address NrUeNetDevice::GetAddress() const
{
    return m_address;
}

bool NrUeNetDevice::SetMtu(const uint16_t mtu)
{
    m_mtu = mtu;
    return true;
}

uint16_t NrUeNetDevice::GetMtu() const
{
    return m_mtu;
}

bool NrUeNetDevice::IsLinkUp() const
{
    return true;
}

void NrUeNetDevice::AddLinkChangeCallback(Callback<void> callback)
{
    (void)callback; // the link is always up
}

bool NrUeNetDevice::IsBroadcast() const
{
    return false;
}

Address NrUeNetDevice::GetBroadcast() const
{
    return Mac48Address::GetBroadcast();
}

bool NrUeNetDevice::IsMulticast() const
{
    return false;
}

Address NrUeNetDevice::GetMulticast(Ipv4Address group) const
{
    return Mac48Address::GetMulticast(group);
}

Address NrUeNetDevice::GetMulticast(Ipv6Address group) const
{
    return Mac48Address::GetMulticast(group);
}

bool NrUeNetDevice::IsBridge() const
{
    return false;
}

bool NrUeNetDevice::IsPointToPoint() const
{
    return true;
}

Ptr<Node> NrUeNetDevice::GetNode() const
{
    return m_node;
}

void NrUeNetDevice::SetNode(Ptr<Node> node)
{
    m_node = node;
}

bool NrUeNetDevice::NeedsArp() const
{
    return false;
}

void NrUeNetDevice::SetReceiveCallback(NetDevice::ReceiveCallback callback)
{
    m_receive = callback;
}

void NrUeNetDevice::SetPromiscReceiveCallback(NetDevice::PromiscReceiveCallback callback)
{
    (void)callback; // everything that arrives is for this UE
}

bool NrUeNetDevice::SupportsSendFrom() const
{
    return false;
}

} // namespace ns3
