// SPDX-License-Identifier: GPL-2.0-only
#ifndef NR_UPF_H
#define NR_UPF_H

#include "ns3/ipv4-address.h"
#include "ns3/nstime.h"
#include "ns3/object.h"
#include "ns3/socket.h"
#include "ns3/virtual-net-device.h"

#include <functional>
#include <unordered_map>
#include <vector>

namespace ns3
{

/**
 * The user plane function and the gNBs' ends of its tunnels.
 *
 * Packets for a UE's address leave the UPF's IP stack through a virtual device, go in GTP-U over
 * UDP to the gNB that serves the UE, and from there to the air; uplink packets come the other way.
 *
 * A handover (TS 23.502 clause 4.9.1.2): SetServing says that the UE is on its way, and packets
 * that still come to its old gNB are forwarded to the new one, where they arrive XnDelay later.
 * SetCell switches the path: the old tunnel ends with an end marker, and packets of the new path
 * wait at the new gNB until that has been forwarded too, so that none overtakes another.
 */
class NrUpf : public Object
{
  public:
    /// Takes a packet for the air.
    using DownlinkCallback = std::function<void(uint32_t ue, Ptr<Packet>)>;

    /// UDP port of GTP-U (TS 29.281 clause 4.4.2).
    static constexpr uint16_t GTP_PORT = 2152;

    /**
     * \return the TypeId
     */
    static TypeId GetTypeId();

    /**
     * \param node the UPF; it has an IP stack
     * \param device its virtual device, which has the UEs' network
     * \param callback takes packets that arrived at a gNB for the air
     */
    void Configure(Ptr<Node> node, Ptr<VirtualNetDevice> device, DownlinkCallback callback);

    /**
     * \param gnb the gNB's node
     * \param gnbAddress its address on the link to the UPF
     * \param upfAddress the UPF's address on that link
     */
    void AddGnb(Ptr<Node> gnb, Ipv4Address gnbAddress, Ipv4Address upfAddress);

    /**
     * \param ue UE number
     * \param address its IP address
     * \param cell its serving cell
     */
    void AddUe(uint32_t ue, Ipv4Address address, uint32_t cell);

    /**
     * A UE leaves its gNB for another, which packets that come to the old one are forwarded to.
     *
     * \param ue UE number
     * \param cell its next cell
     */
    void SetServing(uint32_t ue, uint32_t cell);

    /**
     * Switches a UE's path.
     *
     * \param ue UE number
     * \param cell its new cell
     */
    void SetCell(uint32_t ue, uint32_t cell);

    /**
     * Takes a packet that a gNB received over the air.
     *
     * \param ue who sent it
     * \param cell the gNB
     * \param packet the IP packet
     */
    void SendUplink(uint32_t ue, uint32_t cell, Ptr<Packet> packet);

    /**
     * \return packets that were forwarded from one gNB to another
     */
    uint64_t GetForwarded() const;

  protected:
    void DoDispose() override;

  private:
    /// A tunnel's two ends.
    struct Gnb
    {
        Ptr<Socket> socket;     //!< at the gNB
        Ipv4Address address;    //!< of the gNB
        Ipv4Address upfAddress; //!< of the UPF on the same link
    };

    /// Sends an IP packet of the UPF's stack into its UE's tunnel.
    bool OnVirtualSend(Ptr<Packet> packet,
                       const Address& source,
                       const Address& dest,
                       uint16_t protocol);

    /// Takes packets out of tunnels at the UPF.
    void OnUpfReceive(Ptr<Socket> socket);

    /// Takes packets out of a tunnel at a gNB.
    void OnGnbReceive(uint32_t cell, Ptr<Socket> socket);

    /// The old tunnel of a UE has ended: what waited for that goes on.
    void Release(uint32_t ue);

    /// What a gNB knows of a UE.
    struct Ue
    {
        uint32_t path{0};              //!< cell that the core sends to
        uint32_t serving{0};           //!< cell that serves it, or will
        uint32_t ending{0};            //!< tunnels whose end marker is under way
        std::vector<Ptr<Packet>> held; //!< packets of the new path that wait
    };

    Ptr<Socket> m_socket;                          //!< at the UPF
    Ptr<VirtualNetDevice> m_device;                //!< the UEs' network
    DownlinkCallback m_downlink;                   //!< to the air
    std::vector<Gnb> m_gnbs;                       //!< by cell
    std::unordered_map<uint32_t, uint32_t> m_ueOf; //!< IP address to UE
    std::vector<Ue> m_ues;                         //!< by number
    Time m_xnDelay;                                //!< between gNBs
    uint64_t m_forwarded{0};                       //!< packets
};

} // namespace ns3

#endif // NR_UPF_H
