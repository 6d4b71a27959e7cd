// SPDX-License-Identifier: GPL-2.0-only
#ifndef NR_TOKEN_SOURCE_H
#define NR_TOKEN_SOURCE_H

#include "nr-traffic-source.h"

namespace ns3
{

/**
 * Token traffic as 3GPP RAN1 discusses it for 6G (R1-2508734; summary R1-2509387): a packet holds a
 * whole number of tokens, each of the same size. These are proposals, not agreed models.
 *
 * Option 1a, tokens: bursts arrive as a Poisson process; a burst is Packets packets, the first
 * ImportantPackets of them of importance 1 and the others of 0.5. Option 1b, packets of a language
 * model's sessions: after an exponential thinking time and a fixed time to the first token, packets
 * come at StreamRate; their number is geometric with mean Packets.
 */
class NrTokenSource : public NrTrafficSource
{
  public:
    /**
     * \return the TypeId
     */
    static TypeId GetTypeId();

  protected:
    void Begin() override;

  private:
    /// Sends a burst and plans the next.
    void Burst();

    /// Plans a session's answer.
    void Think();

    /// Sends a packet of an answer and decides whether it was the last.
    void Stream(uint64_t message);

    bool m_sessions{false};   //!< option 1b
    uint32_t m_tokenBytes{0}; //!< of a token
    uint32_t m_tokens{0};     //!< of a packet
    uint32_t m_packets{0};    //!< of a burst, or of an answer on average
    uint32_t m_important{0};  //!< packets of a burst
    double m_burstRate{0.0};  //!< bursts a second
    Time m_thinking;          //!< mean
    Time m_first;             //!< time to first token
    double m_streamRate{0.0}; //!< packets a second
};

} // namespace ns3

#endif // NR_TOKEN_SOURCE_H
