// SPDX-License-Identifier: GPL-2.0-only
#ifndef NR_RLC_AM_H
#define NR_RLC_AM_H

#include "nr-rlc-status.h"
#include "nr-rlc.h"
#include "nr-timer.h"

#include <optional>
#include <set>

namespace ns3
{

/**
 * One bearer's RLC entity in acknowledged mode (TS 38.322 clause 5.2.3 and 5.3), both ends of it.
 *
 * The transmitting side numbers packets, keeps them until they are acknowledged, asks for status
 * reports (polls) and sends again what a report misses, cut anew where it does not fit. The
 * receiving side's reports travel in transport blocks of the other direction: GetStatusEntity gives
 * the entity that puts them there. State variables have the standard's names; sequence numbers are
 * not wrapped, the windows are those of the number's length.
 *
 * Headers, in bytes (TS 38.322 clause 6.2.2.4): 2 with a 12-bit sequence number and 3 with 18 bits,
 * and 2 more for the offset of a segment that is not the first.
 *
 * When a packet has been sent again MaxRetx times without success, the standard leaves it to RRC,
 * which re-establishes the connection. Here the packet is dropped and the entity starts anew at
 * both ends at once with the packets that were not acknowledged.
 */
class NrRlcAm : public NrRlc
{
  public:
    /**
     * \return the TypeId
     */
    static TypeId GetTypeId();

    NrRlcAm();

    uint32_t Fill(uint32_t bytes, std::vector<NrRlcSegment>& segments, uint32_t enough) override;
    void Receive(const NrRlcSegment& segment) override;
    void Lose(const NrRlcSegment& segment, cosim::sim::PacketReason reason) override;
    void Reestablish(bool forward) override;
    void Flush() override;
    uint64_t GetQueuedBytes() const override;
    uint64_t GetDemandBytes() const override;
    NrSduPtr GetHead() const override;

    /**
     * \return what carries this entity's status reports in the other direction
     */
    Ptr<NrRlcStatus> GetStatusEntity() const;

    /**
     * Makes a status report at the receiving side (TS 38.322 clause 5.3.4).
     *
     * \param bytes that it may have
     * \return the report, or null if not even an acknowledgement fits
     */
    std::shared_ptr<NrRlcStatusPdu> MakeStatus(uint32_t bytes) const;

    /**
     * Takes a status report at the transmitting side.
     *
     * \param status the report
     */
    void ReceiveStatus(const NrRlcStatusPdu& status);

  protected:
    void DoDispose() override;

  private:
    /// Bytes [first, last) of a packet.
    struct Range
    {
        uint32_t first; //!< first byte
        uint32_t last;  //!< behind the last byte
    };

    /// A packet at the transmitting side that has a sequence number and is not acknowledged.
    struct Sent
    {
        NrSduPtr sdu;               //!< the packet
        uint32_t submitted{0};      //!< bytes from its beginning that were sent
        uint32_t retx{0};           //!< RETX_COUNT
        bool retransmitted{false};  //!< whether RETX_COUNT has a meaning
        bool acknowledged{false};   //!< behind one that is not
        std::vector<Range> pending; //!< to be sent again
    };

    /// A packet at the receiving side.
    struct Partial
    {
        NrSduPtr sdu;            //!< the packet, null if nothing of it came
        std::vector<Range> have; //!< what came, ascending, not touching
        bool complete{false};    //!< all bytes came
    };

    /// Window size, from the length of sequence numbers.
    uint64_t Window() const;

    /// \return whether a packet of the queue may be sent
    bool MayStart() const;

    /**
     * Puts a piece of a packet into a block.
     *
     * \param sn sequence number
     * \param sdu the packet
     * \param range what is to be sent of it
     * \param room in the block
     * \param segments where it is appended
     * \return bytes of the packet that went in, 0 if none fit
     */
    uint32_t Emit(uint64_t sn,
                  const NrSduPtr& sdu,
                  Range range,
                  uint32_t room,
                  std::vector<NrRlcSegment>& segments);

    /// Sets the poll bit of a piece where it is due (clause 5.3.3.2).
    void PollIfDue(NrRlcSegment& segment, bool fresh);

    /**
     * Plans bytes to be sent again (clause 5.3.2).
     *
     * \param sn sequence number
     * \param range bytes
     * \param counted whether this report has raised RETX_COUNT of the packet already
     * \return false if the limit is reached
     */
    bool Retransmit(uint64_t sn, Range range, bool counted);

    /// t-PollRetransmit expired (clause 5.3.3.4).
    void OnPollTimer();

    /// t-Reassembly expired (clause 5.2.3.2.4).
    void OnReassemblyTimer();

    /// Gives up on a packet and starts anew.
    void Fail(uint64_t sn);

    /// Forgets both ends' state; what was not acknowledged goes back to the queue.
    void Restart();

    /// \return whether bytes are missing before the last byte received of a packet
    bool HasGap(uint64_t sn) const;

    /// \return the first number from here on that was not received completely
    uint64_t NextIncomplete(uint64_t sn) const;

    /// Starts and stops t-Reassembly after an arrival (clause 5.2.3.2.3).
    void UpdateReassemblyTimer();

    /// Triggers the status report whose poll had to wait.
    void CheckPoll();

    uint32_t m_snBits{12};            //!< length of sequence numbers
    uint32_t m_pollPdu{0};            //!< PDUs without poll, 0 for any number
    uint32_t m_pollByte{0};           //!< bytes without poll, 0 for any number
    uint32_t m_maxRetx{0};            //!< maxRetxThreshold
    Time m_pollTime;                  //!< t-PollRetransmit
    Time m_reassemblyTime;            //!< t-Reassembly
    Ptr<NrRlcStatus> m_status;        //!< carries reports
    NrTimer m_pollTimer;              //!< t-PollRetransmit
    NrTimer m_reassemblyTimer;        //!< t-Reassembly
    std::deque<Sent> m_sent;          //!< from TX_Next_Ack on
    std::set<uint64_t> m_again;       //!< numbers of packets to be sent again
    uint64_t m_againBytes{0};         //!< to be sent again
    uint64_t m_txNextAck{0};          //!< TX_Next_Ack
    uint64_t m_txNext{0};             //!< TX_Next
    uint64_t m_pollSn{0};             //!< POLL_SN
    uint32_t m_pduWithoutPoll{0};     //!< PDU_WITHOUT_POLL
    uint32_t m_byteWithoutPoll{0};    //!< BYTE_WITHOUT_POLL
    bool m_forcePoll{false};          //!< the next PDU has a poll
    std::deque<Partial> m_partial;    //!< from RX_Next on
    uint64_t m_rxNext{0};             //!< RX_Next
    uint64_t m_rxNextHighest{0};      //!< RX_Next_Highest
    uint64_t m_rxHighestStatus{0};    //!< RX_Highest_Status
    uint64_t m_rxTrigger{0};          //!< RX_Next_Status_Trigger
    std::optional<uint64_t> m_polled; //!< number of a poll that waits
};

} // namespace ns3

#endif // NR_RLC_AM_H
