// SPDX-License-Identifier: GPL-2.0-only
#ifndef NR_TRAFFIC_SOURCE_H
#define NR_TRAFFIC_SOURCE_H

#include "ns3/nstime.h"
#include "ns3/object.h"
#include "ns3/random-variable-stream.h"

#include <functional>

namespace ns3
{

/**
 * A source of UDP payloads for one flow, by a traffic model.
 *
 * What belongs together (a file, a frame, a burst) is a message with a number of its own, as a PDU
 * set is (TS 23.501 clause 5.37.5); its packets carry its importance.
 */
class NrTrafficSource : public Object
{
  public:
    /// Sends a payload: bytes, message, importance, share of the message, when it is useless.
    using SendCallback = std::function<void(uint32_t, uint64_t, double, double, Time)>;

    /// Tells how many bytes wait at the radio.
    using BacklogCallback = std::function<uint64_t()>;

    /**
     * \return the TypeId
     */
    static TypeId GetTypeId();

    NrTrafficSource();

    /**
     * \param flow flow number, which messages' numbers begin with
     * \param send sends payloads
     * \param start when it begins
     * \param stop nothing is sent at or after it
     */
    void Configure(uint32_t flow, SendCallback send, Time start, Time stop);

    /**
     * \param backlog tells how many bytes wait at the radio
     * \param transit time that a payload takes to get there
     */
    void SetBacklog(BacklogCallback backlog, Time transit);

    /**
     * \param stream random stream
     * \return streams used
     */
    int64_t AssignStreams(int64_t stream);

  protected:
    /// Sends the first payload or plans it. Called at the start.
    virtual void Begin() = 0;

    /**
     * Sends a message now, in packets of PacketBytes and a rest.
     *
     * \param bytes of the message
     * \param importance of its packets
     */
    void SendMessage(uint64_t bytes, double importance);

    /**
     * Sends one packet of a message.
     *
     * \param bytes of the packet
     * \param message its number
     * \param importance of the packet
     * \param share of the message that it holds
     */
    void SendPacket(uint32_t bytes, uint64_t message, double importance, double share);

    /// \return a new message's number
    uint64_t NextMessage();

    /**
     * Plans a call, unless it would be at or after the stop.
     *
     * \param delay from now
     * \param call what to do
     */
    void After(Time delay, std::function<void()> call);

    /// \return uniform in [0, 1)
    double Draw();

    /// \return exponential with a mean
    double DrawExponential(double mean);

    /// \return normal, drawn again until it lies in [least, most]
    double DrawNormal(double mean, double deviation, double least, double most);

    /// \return Pareto from least on, cut off: what lies beyond most has the value most
    double DrawPareto(double shape, double least, double most);

    uint32_t m_packetBytes{0}; //!< of a packet at most
    BacklogCallback m_backlog; //!< bytes that wait
    Time m_transit;            //!< to the radio

  private:
    uint32_t m_flow{0};                  //!< flow number
    uint32_t m_messages{0};              //!< so far
    Time m_budget;                       //!< of a packet, 0 for none
    Time m_stop;                         //!< end
    SendCallback m_send;                 //!< sends payloads
    Ptr<UniformRandomVariable> m_random; //!< everything random
};

} // namespace ns3

#endif // NR_TRAFFIC_SOURCE_H
