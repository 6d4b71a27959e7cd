// SPDX-License-Identifier: GPL-2.0-only
#ifndef MESSAGE_APP_H
#define MESSAGE_APP_H

#include "nr-message-tag.h"

#include "ns3/inet-socket-address.h"
#include "ns3/node.h"
#include "ns3/object.h"
#include "ns3/socket.h"

#include <cstdint>
#include <functional>
#include <vector>

namespace ns3
{

/**
 * Both ends of a UDP flow: a sender of given bytes and a receiver that hands over the bytes that
 * came out of its socket.
 */
class MessageApp : public Object
{
  public:
    /// Takes a received payload.
    using ReceiveCallback = std::function<void(const std::vector<uint8_t>&)>;

    /**
     * \return the TypeId
     */
    static TypeId GetTypeId();

    /**
     * \param sender the sending node
     * \param receiver the receiving node
     * \param to the receiver's address
     * \param port UDP destination port
     * \param dscp DiffServ code point of its packets (RFC 2474)
     * \param callback takes what arrives
     */
    void Configure(Ptr<Node> sender,
                   Ptr<Node> receiver,
                   Ipv4Address to,
                   uint16_t port,
                   uint8_t dscp,
                   ReceiveCallback callback);

    /**
     * Sends a UDP payload now.
     *
     * \param data its bytes
     * \param bytes how many
     * \param tag what it is a part of; with message 0, of none
     */
    void Send(const uint8_t* data, uint32_t bytes, const NrMessageTag& tag);

    /**
     * \return UDP payload bytes that arrived
     */
    uint64_t GetReceivedBytes() const;

    /**
     * \return packets that arrived
     */
    uint64_t GetReceivedPackets() const;

  protected:
    void DoDispose() override;

  private:
    /// Empties the receiving socket.
    void OnReceive(Ptr<Socket> socket);

    Ptr<Socket> m_sender;          //!< connected to the receiver
    Ptr<Socket> m_receiver;        //!< bound to the port
    ReceiveCallback m_callback;    //!< takes what arrives
    std::vector<uint8_t> m_buffer; //!< scratch
    uint64_t m_bytes{0};           //!< received
    uint64_t m_packets{0};         //!< received
};

} // namespace ns3

#endif // MESSAGE_APP_H
