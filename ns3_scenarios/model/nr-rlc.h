// SPDX-License-Identifier: GPL-2.0-only
#ifndef NR_RLC_H
#define NR_RLC_H

#include "nr-direct-cost.h"
#include "nr-sdu.h"

#include "ns3/object.h"

#include <deque>
#include <functional>
#include <limits>
#include <vector>

namespace ns3
{

/**
 * One bearer's RLC entity, both ends of it: what the modes have in common, the queue above all.
 */
class NrRlc : public Object
{
  public:
    /// For Fill: no end but that of the block.
    static constexpr uint32_t ALL = std::numeric_limits<uint32_t>::max();

    /// Told about the fate of packets.
    using SduCallback = std::function<void(const NrSduPtr&, cosim::sim::PacketEvent)>;

    /// Told that there is something to send where there was nothing before.
    using PendingCallback = std::function<void()>;

    /**
     * \return the TypeId
     */
    static TypeId GetTypeId();

    /**
     * \param callback told of every event of a packet: enqueue, dequeue, deliver, drop, discard
     */
    void SetCallback(SduCallback callback);

    /**
     * \param callback told when a retransmission or a status report comes up by itself
     */
    void SetPendingCallback(PendingCallback callback);

    /**
     * \param late discard packets from the queue whose deadline has passed
     * \param timer discard packets from the queue whose PDCP discard timer has expired
     */
    void SetDiscard(bool late, bool timer);

    /**
     * Takes a PDCP PDU, or drops it if the queue is full.
     *
     * \param sdu the packet, with its PDCP header set
     */
    void Enqueue(const NrSduPtr& sdu);

    /**
     * Discards the packets that are too late, if the flow asks for it. A packet of which a part was
     * sent stays (TS 38.322 clause 5.4).
     */
    void DiscardLate();

    /**
     * Fills what is left of a transport block.
     *
     * \param bytes room in the block
     * \param segments where pieces are appended
     * \param enough bytes after which no further packet is begun; one that fits is not cut
     * \return bytes used, headers included
     */
    virtual uint32_t Fill(uint32_t bytes, std::vector<NrRlcSegment>& segments, uint32_t enough) = 0;

    /**
     * Fills what is left of a transport block of direct delivery. Only unacknowledged mode can.
     *
     * \param elements resource elements left
     * \param cost what bytes cost
     * \param segments where pieces are appended
     * \return resource elements used
     */
    virtual double FillDirect(double elements,
                              const NrDirectCost& cost,
                              std::vector<NrRlcSegment>& segments);

    /**
     * Receives a piece of a transport block that was decoded.
     *
     * \param segment the piece
     */
    virtual void Receive(const NrRlcSegment& segment) = 0;

    /**
     * Notes that a transport block with this piece is lost for good.
     *
     * \param segment the piece
     * \param reason why
     */
    virtual void Lose(const NrRlcSegment& segment, cosim::sim::PacketReason reason) = 0;

    /**
     * Starts anew in another cell (TS 38.322 clause 5.1.2), after HARQ was reset.
     *
     * \param forward whether packets of which nothing was sent are taken along
     */
    virtual void Reestablish(bool forward) = 0;

    /**
     * Ends all packets that are still here.
     */
    virtual void Flush();

    /**
     * \return bytes (PDCP PDUs) waiting to be sent
     */
    virtual uint64_t GetQueuedBytes() const;

    /**
     * \return room that would empty the queue: its bytes and their headers, nearly exactly
     */
    virtual uint64_t GetDemandBytes() const;

    /**
     * \return the packet that is sent next, or null
     */
    virtual NrSduPtr GetHead() const;

    /**
     * \return the packets that wait, in the order in which they are sent
     */
    const std::deque<NrSduPtr>& GetQueue() const;

    /**
     * \param rlcPdu bytes of an RLC PDU
     * \return bytes of its MAC subheader (TS 38.321 clause 6.1.2: 8- or 16-bit length)
     */
    static uint32_t GetMacHeader(uint32_t rlcPdu);

  protected:
    /**
     * Reports a packet as dropped, once.
     *
     * \param sdu the packet
     * \param reason why, unless it has one already
     */
    void Drop(const NrSduPtr& sdu, cosim::sim::PacketReason reason);

    /// Drops the packets of the queue of which nothing was sent.
    void DropWaiting(cosim::sim::PacketReason reason);

    std::deque<NrSduPtr> m_queue; //!< packets with bytes that were not sent yet
    uint64_t m_queuedBytes{0};    //!< of these packets, still to be sent
    SduCallback m_callback;       //!< told of events
    PendingCallback m_pending;    //!< told of unexpected demand

  private:
    /// Drops waiting packets that are less important than one that does not fit.
    /// \return whether it fits now; if not, none was dropped.
    bool MakeRoom(const NrSdu& sdu);

    uint32_t m_queueLimit{0};       //!< bytes that the queue holds
    bool m_dropByImportance{false}; //!< whether important packets displace others
    bool m_discardLate{false};      //!< whether late packets leave the queue
    bool m_discardTimer{false};     //!< whether expired packets leave the queue
};

} // namespace ns3

#endif // NR_RLC_H
