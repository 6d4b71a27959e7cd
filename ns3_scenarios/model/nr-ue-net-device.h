// SPDX-License-Identifier: GPL-2.0-only
#ifndef NR_UE_NET_DEVICE_H
#define NR_UE_NET_DEVICE_H

#include "ns3/mac48-address.h"
#include "ns3/net-device.h"
#include "ns3/traced-callback.h"

#include <functional>

namespace ns3
{

/**
 * A UE's interface to the radio network: IP packets in and out, no link-layer addresses on the air.
 */
class NrUeNetDevice : public NetDevice
{
  public:
    /// Takes an uplink packet.
    using UplinkCallback = std::function<void(Ptr<Packet>)>;

    /**
     * \return the TypeId
     */
    static TypeId GetTypeId();

    /**
     * \param callback takes uplink packets
     */
    void SetUplink(UplinkCallback callback);

    /**
     * \param packet an IP packet that came over the air
     */
    void ReceiveDownlink(Ptr<Packet> packet);

    void SetIfIndex(const uint32_t index) override;
    uint32_t GetIfIndex() const override;
    Ptr<Channel> GetChannel() const override;
    void SetAddress(Address address) override;
    Address GetAddress() const override;
    bool SetMtu(const uint16_t mtu) override;
    uint16_t GetMtu() const override;
    bool IsLinkUp() const override;
    void AddLinkChangeCallback(Callback<void> callback) override;
    bool IsBroadcast() const override;
    Address GetBroadcast() const override;
    bool IsMulticast() const override;
    Address GetMulticast(Ipv4Address group) const override;
    Address GetMulticast(Ipv6Address group) const override;
    bool IsBridge() const override;
    bool IsPointToPoint() const override;
    bool Send(Ptr<Packet> packet, const Address& dest, uint16_t protocol) override;
    bool SendFrom(Ptr<Packet> packet,
                  const Address& source,
                  const Address& dest,
                  uint16_t protocol) override;
    Ptr<Node> GetNode() const override;
    void SetNode(Ptr<Node> node) override;
    bool NeedsArp() const override;
    void SetReceiveCallback(NetDevice::ReceiveCallback callback) override;
    void SetPromiscReceiveCallback(NetDevice::PromiscReceiveCallback callback) override;
    bool SupportsSendFrom() const override;

  protected:
    void DoDispose() override;

  private:
    UplinkCallback m_uplink;              //!< takes uplink packets
    NetDevice::ReceiveCallback m_receive; //!< the IP stack
    Ptr<Node> m_node;                     //!< the UE
    uint32_t m_index{0};                  //!< interface number
    uint16_t m_mtu{1500};                 //!< largest IP packet
    Mac48Address m_address;               //!< only for the IP stack's bookkeeping
};

} // namespace ns3

#endif // NR_UE_NET_DEVICE_H
