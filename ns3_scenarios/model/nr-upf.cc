// SPDX-License-Identifier: GPL-2.0-only
#include "nr-upf.h"

#include "nr-gtp-header.h"

#include "ns3/inet-socket-address.h"
#include "ns3/ipv4-header.h"
#include "ns3/mac48-address.h"
#include "ns3/node.h"
#include "ns3/simulator.h"
#include "ns3/udp-socket-factory.h"

#include <stdexcept>

namespace ns3
{

NS_OBJECT_ENSURE_REGISTERED(NrUpf);

namespace
{

/// \return a bound UDP socket
Ptr<Socket> Bind(Ptr<Node> node)
{
    auto socket = Socket::CreateSocket(node, UdpSocketFactory::GetTypeId());
    if (socket->Bind(InetSocketAddress(Ipv4Address::GetAny(), NrUpf::GTP_PORT)) != 0)
    {
        throw std::runtime_error("cannot bind the GTP-U port");
    }
    return socket;
}

/// Puts a packet into a tunnel.
void Tunnel(Ptr<Socket> socket,
            Ipv4Address to,
            uint32_t ue,
            Ptr<Packet> packet,
            uint8_t type = NrGtpHeader::G_PDU)
{
    NrGtpHeader header;
    header.m_type = type;
    header.m_length = static_cast<uint16_t>(packet->GetSize());
    header.m_teid = ue + 1;
    packet->AddHeader(header);
    socket->SendTo(packet, 0, InetSocketAddress(to, NrUpf::GTP_PORT));
}

} // namespace

TypeId NrUpf::GetTypeId()
{
    static TypeId tid = TypeId("ns3::NrUpf")
                            .SetParent<Object>()
                            .SetGroupName("Cosim")
                            .AddConstructor<NrUpf>()
                            .AddAttribute("XnDelay",
                                          "Time that a packet takes from one gNB to another",
                                          TimeValue(MilliSeconds(2)),
                                          MakeTimeAccessor(&NrUpf::m_xnDelay),
                                          MakeTimeChecker(Time(0)));
    return tid;
}

void NrUpf::Configure(Ptr<Node> node, Ptr<VirtualNetDevice> device, DownlinkCallback callback)
{
    m_device = device;
    m_downlink = std::move(callback);
    m_device->SetSendCallback(MakeCallback(&NrUpf::OnVirtualSend, this));
    m_socket = Bind(node);
    m_socket->SetRecvCallback(MakeCallback(&NrUpf::OnUpfReceive, this));
}

void NrUpf::AddGnb(Ptr<Node> gnb, Ipv4Address gnbAddress, Ipv4Address upfAddress)
{
    auto socket = Bind(gnb);
    const auto cell = static_cast<uint32_t>(m_gnbs.size());
    socket->SetRecvCallback(
        Callback<void, Ptr<Socket>>([this, cell](Ptr<Socket> from) { OnGnbReceive(cell, from); }));
    m_gnbs.push_back({socket, gnbAddress, upfAddress});
}

void NrUpf::AddUe(uint32_t ue, Ipv4Address address, uint32_t cell)
{
    m_ueOf[address.Get()] = ue;
    m_ues.resize(std::max<std::size_t>(m_ues.size(), ue + 1));
    m_ues[ue].path = cell;
    m_ues[ue].serving = cell;
}

void NrUpf::SetServing(uint32_t ue, uint32_t cell)
{
    m_ues.at(ue).serving = cell;
}

void NrUpf::SetCell(uint32_t ue, uint32_t cell)
{
    Ue& own = m_ues.at(ue);
    if (own.path == cell)
    {
        return;
    }
    Tunnel(m_socket, m_gnbs[own.path].address, ue, Create<Packet>(), NrGtpHeader::END_MARKER);
    ++own.ending;
    own.path = cell;
}

void NrUpf::SendUplink(uint32_t ue, uint32_t cell, Ptr<Packet> packet)
{
    const Gnb& gnb = m_gnbs[cell];
    Tunnel(gnb.socket, gnb.upfAddress, ue, packet);
}

uint64_t NrUpf::GetForwarded() const
{
    return m_forwarded;
}

bool NrUpf::OnVirtualSend(Ptr<Packet> packet,
                          const Address& source,
                          const Address& dest,
                          uint16_t protocol)
{
    (void)source;
    (void)dest;
    (void)protocol;
    Ipv4Header header;
    packet->PeekHeader(header);
    const auto found = m_ueOf.find(header.GetDestination().Get());
    if (found == m_ueOf.end())
    {
        return false; // no such UE: the address is free
    }
    Tunnel(m_socket, m_gnbs[m_ues[found->second].path].address, found->second, packet);
    return true;
}

void NrUpf::OnUpfReceive(Ptr<Socket> socket)
{
    constexpr uint16_t IPV4 = 0x0800;
    while (Ptr<Packet> packet = socket->Recv())
    {
        NrGtpHeader header;
        packet->RemoveHeader(header);
        m_device->Receive(packet,
                          IPV4,
                          Mac48Address::GetBroadcast(),
                          m_device->GetAddress(),
                          NetDevice::PACKET_HOST);
    }
}

void NrUpf::OnGnbReceive(uint32_t cell, Ptr<Socket> socket)
{
    while (Ptr<Packet> packet = socket->Recv())
    {
        NrGtpHeader header;
        packet->RemoveHeader(header);
        const uint32_t number = header.m_teid - 1;
        Ue& ue = m_ues[number];
        if (header.m_type == NrGtpHeader::END_MARKER)
        {
            Simulator::Schedule(m_xnDelay, &NrUpf::Release, this, number);
        }
        else if (cell != ue.serving)
        {
            ++m_forwarded;
            Simulator::Schedule(m_xnDelay, [this, number, packet] { m_downlink(number, packet); });
        }
        else if (ue.ending > 0)
        {
            ue.held.push_back(packet);
        }
        else
        {
            m_downlink(number, packet);
        }
    }
}

void NrUpf::Release(uint32_t number)
{
    Ue& ue = m_ues[number];
    if (--ue.ending > 0)
    {
        return;
    }
    for (const auto& packet : ue.held)
    {
        m_downlink(number, packet);
    }
    ue.held.clear();
}

void NrUpf::DoDispose()
{
    m_socket = nullptr;
    m_device = nullptr;
    m_downlink = nullptr;
    m_gnbs.clear();
    Object::DoDispose();
}

} // namespace ns3
