// SPDX-License-Identifier: GPL-2.0-only
#include "message-app.h"

#include "ns3/packet.h"
#include "ns3/udp-socket-factory.h"

#include <stdexcept>
#include <string>

namespace ns3
{

NS_OBJECT_ENSURE_REGISTERED(MessageApp);

TypeId MessageApp::GetTypeId()
{
    static TypeId tid = TypeId("ns3::MessageApp")
                            .SetParent<Object>()
                            .SetGroupName("Cosim")
                            .AddConstructor<MessageApp>();
    return tid;
}

void MessageApp::Configure(Ptr<Node> sender,
                           Ptr<Node> receiver,
                           Ipv4Address to,
                           uint16_t port,
                           uint8_t dscp,
                           ReceiveCallback callback)
{
    m_callback = std::move(callback);
    m_receiver = Socket::CreateSocket(receiver, UdpSocketFactory::GetTypeId());
    if (m_receiver->Bind(InetSocketAddress(Ipv4Address::GetAny(), port)) != 0)
    {
        throw std::runtime_error("UDP port " + std::to_string(port) + " is taken twice");
    }
    m_receiver->SetRecvCallback(MakeCallback(&MessageApp::OnReceive, this));
    m_sender = Socket::CreateSocket(sender, UdpSocketFactory::GetTypeId());
    m_sender->SetIpTos(static_cast<uint8_t>(dscp << 2U)); // the upper six bits (RFC 2474)
    m_sender->Bind();
    m_sender->Connect(InetSocketAddress(to, port));
}

void MessageApp::Send(const uint8_t* data, uint32_t bytes, const NrMessageTag& tag)
{
    auto packet = Create<Packet>(data, bytes);
    if (tag.m_messageId != 0)
    {
        packet->AddPacketTag(tag);
    }
    m_sender->Send(packet);
}

void MessageApp::OnReceive(Ptr<Socket> socket)
{
    while (Ptr<Packet> packet = socket->Recv())
    {
        m_buffer.resize(packet->GetSize());
        packet->CopyData(m_buffer.data(), packet->GetSize());
        m_bytes += packet->GetSize();
        ++m_packets;
        if (m_callback)
        {
            m_callback(m_buffer);
        }
    }
}

uint64_t MessageApp::GetReceivedBytes() const
{
    return m_bytes;
}

uint64_t MessageApp::GetReceivedPackets() const
{
    return m_packets;
}

void MessageApp::DoDispose()
{
    m_sender = nullptr;
    m_receiver = nullptr;
    m_callback = nullptr;
    Object::DoDispose();
}

} // namespace ns3
