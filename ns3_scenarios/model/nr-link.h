// SPDX-License-Identifier: GPL-2.0-only
#ifndef NR_LINK_H
#define NR_LINK_H

#include "nr-five-qi.h"
#include "nr-harq-process.h"
#include "nr-link-adaptation.h"
#include "nr-link-meter.h"
#include "nr-packet-filter.h"
#include "nr-pdcp.h"
#include "nr-rlc-status.h"
#include "nr-rlc.h"
#include "nr-scheduler.h"
#include "nr-semantic-profile.h"
#include "nr-trace-sink.h"

#include "ns3/object.h"

#include <functional>
#include <unordered_map>
#include <vector>

namespace ns3
{

/// A flow as the radio sees it.
struct NrFlowConfig
{
    uint32_t flow{0};               //!< flow number
    uint32_t ue{0};                 //!< UE
    bool uplink{false};             //!< direction
    uint32_t part{0};               //!< bandwidth part that carries it
    NrPacketFilter filter;          //!< which packets belong to it
    uint8_t fiveqi{9};              //!< 5QI (TS 23.501 clause 5.7.4)
    uint8_t priority{90};           //!< priority level, 1 comes first
    Time budget{Time::Max()};       //!< packet delay budget
    bool discard{false};            //!< whether late packets leave the queue
    uint32_t maxHarqTx{0};          //!< transmissions of its blocks, 0 for the network's number
    double importantFrom{0.0};      //!< importance from which a packet has maxHarqTx
    uint32_t lessHarqTx{0};         //!< transmissions of less important packets, 0 for the same
    uint8_t mcsBackoff{0};          //!< MCS indices below the chosen one, for important packets
    NrSemanticProfile semantic;     //!< what is known of its messages
    bool acknowledged{false};       //!< RLC mode: acknowledged or unacknowledged
    uint8_t snBits{12};             //!< of PDCP, and of RLC in acknowledged mode
    double prioritisedRate{0.0};    //!< bytes a second that it gets before strict priority rules
    Time bucket{MilliSeconds(100)}; //!< for which it may save that rate up
    bool inOrder{false};            //!< whether PDCP delivers in order
    Time reordering;                //!< t-Reordering, 0 for the mode's default
    Time discardTimer;              //!< PDCP's discard timer, 0 for none
    uint32_t queueBytes{0};         //!< queue limit, 0 for the default
    NrDelivery delivery{NrDelivery::PACKET}; //!< how contents get through
};

/**
 * One UE in one direction: its bearers, HARQ processes, link adaptation, and what is counted.
 */
class NrLink : public Object
{
  public:
    /// Hands a packet to the layer above at the other end.
    using DeliverCallback = std::function<void(Ptr<Packet>)>;

    /**
     * \return the TypeId
     */
    static TypeId GetTypeId();

    /**
     * \param cell serving cell
     * \param ue UE number
     * \param uplink direction
     * \param sink where records go
     * \param deliver takes packets at the far end
     */
    void Configure(
        uint32_t cell, uint32_t ue, bool uplink, Ptr<NrTraceSink> sink, DeliverCallback deliver);

    /**
     * \param flow a flow that gets a bearer of its own
     * \return what carries its status reports, for the link of the other direction; null in
     * unacknowledged mode
     */
    Ptr<NrRlcStatus> AddBearer(const NrFlowConfig& flow);

    /**
     * \param flow a flow of the other direction
     * \param status what carries its status reports here, with the priority of the flow
     */
    void AddStatusBearer(const NrFlowConfig& flow, Ptr<NrRlcStatus> status);

    /**
     * \param callback told when a bearer has something to send without a packet having come
     */
    void SetPendingCallback(NrRlc::PendingCallback callback);

    /**
     * Leaves the cell: what is in the air is lost, entities start anew.
     *
     * \param forward whether packets that wait are taken along
     */
    void Reestablish(bool forward);

    /**
     * Arrives in a cell, of whose channel nothing is known.
     *
     * \param cell the cell
     */
    void SetCell(uint32_t cell);

    /**
     * Takes an IP packet into the bearer whose filter it passes first, or the default bearer.
     *
     * \param packet the packet
     * \param id number of the packet in the run
     */
    void Enqueue(Ptr<Packet> packet, uint64_t id);

    /**
     * \param head of a packet
     * \return whether it belongs to a flow here, and not to the default bearer
     */
    bool HasFlowFor(const NrPacketHead& head) const;

    /**
     * Discards late packets and describes what waits.
     *
     * \param candidate its demand, priority and head fields are set
     * \param withQueue whether its queue is described too, as it is until the next call
     */
    void Describe(NrCandidate& candidate, bool withQueue);

    /**
     * \return bytes that would empty the queues, headers included
     */
    uint64_t GetDemandBytes() const;

    /**
     * \return an idle HARQ process or null
     */
    NrHarqProcess* GetIdleProcess();

    /**
     * Applies the feedback that is known at a slot.
     *
     * \param slot the slot
     * \return blocks that were lost for good
     */
    uint32_t ApplyFeedback(uint64_t slot);

    /**
     * Fills a new transport block from the bearers: first each up to its prioritised rate, then by
     * priority alone (TS 38.321 clause 5.4.3.1.3).
     *
     * \param process an idle process whose tbsBits are set; its maxTransmissions become those of
     * the packet in it that is allowed the most
     * \param maxTransmissions of flows that have no number of their own
     */
    void FillBlock(NrHarqProcess& process, uint32_t maxTransmissions);

    /**
     * Fills a new transport block of direct delivery.
     *
     * \param process an idle process whose delivery and elements are set
     * \param cost what bytes cost
     * \param maxTransmissions of flows that have no number of their own
     */
    void FillDirect(NrHarqProcess& process, const NrDirectCost& cost, uint32_t maxTransmissions);

    /**
     * Lets direct delivery wait, or go on.
     *
     * \param hold whether flows that deliver bits or symbols send nothing
     */
    void HoldDirect(bool hold);

    /**
     * \return how what is sent next is delivered: a block has contents of one kind
     */
    NrDelivery GetHeadDelivery() const;

    /**
     * Counts a transmission of a block and what it costs its packets.
     *
     * \param process the process, its transmissions already raised
     * \param sinrDb effective SINR of this transmission
     * \param decoded whether the block is decoded after it
     */
    void CountTransmission(const NrHarqProcess& process, double sinrDb, bool decoded);

    /**
     * Gives the contents of a decoded block to the receiver.
     *
     * \param process the process
     */
    void Receive(const NrHarqProcess& process);

    /**
     * \param served bytes of new data in this slot, for the average rate
     */
    void UpdateAverage(double served);

    /**
     * \return the averaged rate in bytes a slot
     */
    double GetAverageRate() const;

    /**
     * Reports the figures of a period and starts the next.
     *
     * \param end its end
     * \param seconds its length
     */
    void EmitKpi(Time end, double seconds);

    /**
     * Ends all packets under way and reports the byte counters.
     *
     * \param appBytes UDP and TCP payload bytes that arrived
     * \param appHeaderBytes bytes of their IP and UDP or TCP headers
     */
    void Finish(uint64_t appBytes, uint64_t appHeaderBytes);

    /**
     * \return whether any process is in use
     */
    bool HasBlocks() const;

    /**
     * \return the processes
     */
    std::vector<NrHarqProcess>& GetProcesses();

    /**
     * \return the MCS choice
     */
    Ptr<NrLinkAdaptation> GetLinkAdaptation() const;

  private:
    /// A bearer: its flow and its entities.
    struct Bearer
    {
        NrFlowConfig flow;  //!< the flow
        Ptr<NrRlc> rlc;     //!< its RLC entity
        Ptr<NrPdcp> pdcp;   //!< its PDCP entity, null for status reports
        double credit{0.0}; //!< Bj of TS 38.321: bytes that its prioritised rate has earned
        Time creditTime;    //!< when that was counted
    };

    /**
     * \param packet an IP packet
     * \return the bearer for it
     */
    Bearer& Classify(Ptr<const Packet> packet);

    /// Raises a block's transmissions to what the flow of its last pieces, from a first one on,
    /// may.
    static void AllowTransmissions(NrHarqProcess& process,
                                   std::size_t first,
                                   const NrFlowConfig& flow,
                                   uint32_t usual);

    /// Lets the next of the bearers of a priority come first in the next block: equal priorities
    /// are served equally (TS 38.321 clause 5.4.3.1.3).
    void TakeTurns();

    /// Counts what the prioritised rates have earned since the last time.
    void EarnCredits();

    /// Puts a bearer in the order of priorities, behind those of the same one.
    void InsertBearer(Bearer bearer);

    /**
     * Writes a packet record and counts its bytes.
     *
     * \param sdu the packet
     * \param event what happened
     */
    void OnSdu(const NrSduPtr& sdu, cosim::sim::PacketEvent event);

    /**
     * Describes the first packets of a bearer.
     *
     * \param bearer the bearer
     */
    void DescribeQueue(const Bearer& bearer);

    double m_averageSlots{0.0};                     //!< time constant of the average rate
    uint32_t m_cell{0};                             //!< serving cell
    uint32_t m_ue{0};                               //!< UE
    bool m_uplink{false};                           //!< direction
    Ptr<NrTraceSink> m_sink;                        //!< where records go
    DeliverCallback m_deliver;                      //!< takes packets at the far end
    NrRlc::PendingCallback m_pending;               //!< told of unexpected demand
    std::vector<Bearer> m_bearers;                  //!< by priority, the default bearer last
    std::vector<std::size_t> m_order;               //!< bearers as they are served next
    std::vector<NrHarqProcess> m_processes;         //!< HARQ
    Ptr<NrLinkAdaptation> m_adaptation;             //!< MCS choice
    NrLinkMeter m_meter;                            //!< counts all of it
    double m_averageRate{0.0};                      //!< bytes a slot
    uint32_t m_busy{0};                             //!< processes in use
    bool m_directHeld{false};                       //!< see HoldDirect
    uint32_t m_processCount{0};                     //!< HARQ processes
    uint32_t m_describedPackets{0};                 //!< in a description at most
    std::vector<NrQueueItem> m_described;           //!< the packets that wait
    std::unordered_map<uint64_t, double> m_covered; //!< share of a message that was sent
};

} // namespace ns3

#endif // NR_LINK_H
