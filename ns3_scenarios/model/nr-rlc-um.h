// SPDX-License-Identifier: GPL-2.0-only
#ifndef NR_RLC_UM_H
#define NR_RLC_UM_H

#include "nr-sdu.h"

#include "ns3/object.h"

#include <deque>
#include <functional>
#include <vector>

namespace ns3
{

/**
 * One bearer's RLC entity in unacknowledged mode (TS 38.322), both ends of it.
 *
 * The transmitter fills transport blocks with whole packets and segments; the receiver reassembles
 * and gives up after its timer. Headers, in bytes, with a 12-bit sequence number (TS 38.322 clause
 * 6.2.2.3): 1 for a whole packet, 2 for a first segment, 4 for the others; in front of each RLC PDU
 * a MAC subheader (TS 38.321 clause 6.1.2) of 2, or 3 from 256 bytes on; in front of each packet a
 * PDCP header of 2 (12-bit sequence number, TS 38.323 clause 6.2.2.1).
 */
class NrRlcUm : public Object
{
  public:
    /// Told about the fate of packets.
    using SduCallback = std::function<void(const NrSduPtr&, cosim::sim::PacketEvent)>;

    /// Bytes of header in front of each packet.
    static constexpr uint32_t PDCP_HEADER_BYTES = 2;

    /**
     * \return the TypeId
     */
    static TypeId GetTypeId();

    /**
     * \param callback told of every event of a packet: enqueue, dequeue, deliver, drop, discard
     */
    void SetCallback(SduCallback callback);

    /**
     * Takes an IP packet, or drops it if the queue is full.
     *
     * \param sdu the packet; its PDCP header is set here
     */
    void Enqueue(const NrSduPtr& sdu);

    /**
     * Discards the packets that are too late, if the flow asks for it. A packet of which a part was
     * sent stays (TS 38.322 clause 5.2.3).
     */
    void DiscardLate();

    /**
     * Fills what is left of a transport block.
     *
     * \param bytes room in the block
     * \param segments where pieces are appended
     * \return bytes used, headers included
     */
    uint32_t Fill(uint32_t bytes, std::vector<NrRlcSegment>& segments);

    /**
     * Receives a piece of a transport block that was decoded.
     *
     * \param segment the piece
     */
    void Receive(const NrRlcSegment& segment);

    /**
     * Notes that a transport block with this piece is lost for good.
     *
     * \param segment the piece
     */
    void Lose(const NrRlcSegment& segment);

    /**
     * Ends all packets that are still queued.
     */
    void Flush();

    /**
     * \return bytes (PDCP PDUs) waiting to be sent
     */
    uint64_t GetQueuedBytes() const;

    /**
     * \return room that would empty the queue: its bytes and their headers, nearly exactly
     */
    uint64_t GetDemandBytes() const;

    /**
     * \return the first packet in the queue, or null
     */
    NrSduPtr GetHead() const;

    /**
     * \return the packets that wait, in the order in which they are sent
     */
    const std::deque<NrSduPtr>& GetQueue() const;

  private:
    /**
     * Reports a packet's fate once, when nothing of it is under way any more.
     *
     * \param sdu the packet
     */
    void CloseIfLost(const NrSduPtr& sdu);

    uint32_t m_queueLimit{0};     //!< bytes that the queue holds
    Time m_reassemblyTime;        //!< t-Reassembly
    bool m_discardLate{false};    //!< whether late packets leave the queue
    std::deque<NrSduPtr> m_queue; //!< packets with bytes to send
    uint64_t m_queuedBytes{0};    //!< of these packets, still to be sent
    SduCallback m_callback;       //!< told of events
};

} // namespace ns3

#endif // NR_RLC_UM_H
