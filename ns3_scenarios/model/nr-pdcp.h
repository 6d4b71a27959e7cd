// SPDX-License-Identifier: GPL-2.0-only
#ifndef NR_PDCP_H
#define NR_PDCP_H

#include "nr-sdu.h"
#include "nr-timer.h"

#include "ns3/object.h"

#include <functional>
#include <map>

namespace ns3
{

/**
 * A bearer's PDCP entity (TS 38.323), both ends of it: sequence numbers, the discard timer and, if
 * asked for, delivery in order with t-Reordering. No ciphering, no header compression.
 *
 * A packet gets its COUNT when its first byte enters a transport block, as in a transmitter that
 * builds its PDUs late: what is discarded from the queue leaves no gap for which the receiver would
 * wait. The header has 2 bytes with a 12-bit number and 3 with 18 bits (clause 6.2.2).
 */
class NrPdcp : public Object
{
  public:
    /// Told about the fate of packets.
    using SduCallback = std::function<void(const NrSduPtr&, cosim::sim::PacketEvent)>;

    /**
     * \return the TypeId
     */
    static TypeId GetTypeId();

    NrPdcp();

    /**
     * \param callback told of every event of a packet
     */
    void SetCallback(SduCallback callback);

    /**
     * \param sdu a packet on its way to RLC: gets its header and discard timer
     */
    void Prepare(NrSdu& sdu) const;

    /**
     * Takes an event of RLC; passes it on, except deliveries that must wait.
     *
     * \param sdu the packet
     * \param event what happened
     */
    void OnRlc(const NrSduPtr& sdu, cosim::sim::PacketEvent event);

    /// Ends the packets that wait for others.
    void Flush();

  private:
    /// Takes a packet from RLC at the receiving side (TS 38.323 clause 5.2.2.2).
    void Receive(const NrSduPtr& sdu);

    /// Delivers the packets that follow each other from RX_DELIV on.
    void DeliverRun();

    /// Starts t-Reordering if packets are missing.
    void WaitIfMissing();

    /// t-Reordering expired.
    void OnReorderingTimer();

    uint32_t m_snBits{12};                  //!< length of sequence numbers
    bool m_inOrder{false};                  //!< whether packets wait for earlier ones
    Time m_discardTime;                     //!< discardTimer, 0 for none
    Time m_reorderingTime;                  //!< t-Reordering
    SduCallback m_callback;                 //!< told of events
    uint64_t m_txNext{0};                   //!< TX_NEXT
    uint64_t m_rxNext{0};                   //!< RX_NEXT
    uint64_t m_rxDeliv{0};                  //!< RX_DELIV
    uint64_t m_rxReord{0};                  //!< RX_REORD
    std::map<uint64_t, NrSduPtr> m_waiting; //!< by COUNT
    NrTimer m_timer;                        //!< t-Reordering
};

} // namespace ns3

#endif // NR_PDCP_H
