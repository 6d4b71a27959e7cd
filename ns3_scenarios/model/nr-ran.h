// SPDX-License-Identifier: GPL-2.0-only
#ifndef NR_RAN_H
#define NR_RAN_H

#include "nr-buffer-status.h"
#include "nr-carrier.h"
#include "nr-channel-source.h"
#include "nr-handover-controller.h"
#include "nr-harq-combining.h"
#include "nr-interference.h"
#include "nr-link.h"
#include "nr-phy-abstraction.h"
#include "nr-scheduler.h"
#include "nr-trace-sink.h"
#include "nr-truth-sampler.h"
#include "nr-uplink-power.h"

#include "ns3/object.h"
#include "ns3/random-variable-stream.h"

#include <functional>
#include <memory>
#include <vector>

namespace ns3
{

/**
 * The cells of a carrier and their UEs, driven by one event a slot.
 *
 * In a slot, in this order: blocks decoded in the slot before are delivered; the channel moves on;
 * UEs measure; every cell schedules both directions; every transmission's SINR per PRB is computed,
 * with the interference of what the other cells transmit in the same slot; blocks are decoded or
 * not by a random draw against their error rate.
 */
class NrRan : public Object
{
  public:
    /// Serving cell of a UE during a handover.
    static constexpr uint32_t NO_CELL = UINT32_MAX;

    /// Takes an IP packet of a UE that left the air.
    using DeliverCallback = std::function<void(uint32_t ue, Ptr<Packet>)>;

    /**
     * \return the TypeId
     */
    static TypeId GetTypeId();

    /**
     * \param carrier the carrier, the same for all cells
     * \param phy from SINR to block error rate
     * \param channel gains of all links
     * \param sink where records go
     * \param cells the number of cells
     */
    void Configure(Ptr<NrCarrier> carrier,
                   Ptr<NrPhyAbstraction> phy,
                   Ptr<NrChannelSource> channel,
                   Ptr<NrTraceSink> sink,
                   uint32_t cells);

    /**
     * \param cell serving cell
     * \return the UE's number
     */
    uint32_t AddUe(uint32_t cell);

    /**
     * \param flow a flow that gets a bearer of its own
     */
    void AddFlow(const NrFlowConfig& flow);

    /**
     * \param toUe takes downlink packets at the UE
     * \param toNetwork takes uplink packets at the gNB
     */
    void SetDelivery(DeliverCallback toUe, DeliverCallback toNetwork);

    /**
     * \param ue the UE
     * \param uplink direction
     * \param packet an IP packet for the air
     */
    void Enqueue(uint32_t ue, bool uplink, Ptr<Packet> packet);

    /**
     * Numbers cells in records from here on, and packets together with other bandwidth parts. To
     * be called before Configure.
     *
     * \param firstCell number of the first cell in records
     * \param packets packets so far of all bandwidth parts
     */
    void SetNumbers(uint32_t firstCell, std::shared_ptr<uint64_t> packets);

    /**
     * Lets UEs change their cells here when they do in another bandwidth part.
     *
     * \param part the other one; it decides for both
     */
    void Follow(Ptr<NrRan> part);

    /**
     * Starts the slots.
     *
     * \param end simulated time of the last slot
     */
    void Start(Time end);

    /**
     * Ends all packets under way and reports the byte counters. Call after the simulation.
     *
     * \param appBytes gives UDP and TCP payload bytes that arrived, by UE and direction
     * \param appHeaderBytes the same for their IP and UDP or TCP headers
     */
    void Finish(const std::function<uint64_t(uint32_t, bool)>& appBytes,
                const std::function<uint64_t(uint32_t, bool)>& appHeaderBytes);

    /**
     * \param ue the UE
     * \param uplink direction
     * \return its link
     */
    Ptr<NrLink> GetLink(uint32_t ue, bool uplink) const;

    /**
     * \param ue the UE
     * \return its serving cell; during a handover, NO_CELL
     */
    uint32_t GetCell(uint32_t ue) const;

    /**
     * \param leave told when a UE leaves its cell for another
     * \param switchPath told when the core must switch its path
     */
    void SetHandoverCallbacks(NrHandoverController::LeaveCallback leave,
                              NrHandoverController::CellCallback switchPath);

    /**
     * \return who decides on handovers
     */
    Ptr<NrHandoverController> GetHandoverController() const;

    /**
     * \return the number of cells
     */
    uint32_t GetCells() const;

    /**
     * \param cell the cell
     * \param uplink direction
     * \return its scheduler
     */
    Ptr<NrScheduler> GetScheduler(uint32_t cell, bool uplink) const;

    /**
     * \param stream first stream number
     * \return streams used
     */
    int64_t AssignStreams(int64_t stream);

  private:
    /// A UE.
    struct Ue
    {
        uint32_t cell{0};      //!< serving cell
        Ptr<NrLink> links[2];  //!< downlink, uplink
        double gain{0.0};      //!< filtered mean gain to the serving cell, for power control
        NrBufferStatus buffer; //!< uplink buffer as the gNB knows it
        bool arrived{false};   //!< has not measured in its cell yet
    };

    /// A cell.
    struct Cell
    {
        Ptr<NrScheduler> schedulers[2]; //!< downlink, uplink
        std::vector<uint32_t> ues;      //!< UEs that it serves in this slot
    };

    /// A transmission of this slot.
    struct Transmission
    {
        uint32_t ue;            //!< UE
        bool uplink;            //!< direction
        NrHarqProcess* process; //!< its block
        uint32_t firstPrb;      //!< first PRB
        double power;           //!< of each PRB, in W
    };

    /// The slot event.
    void Slot();

    /// Loses what a UE's processes have in the air: blocks that nobody has been given yet.
    void LoseInAir(uint32_t ue);

    /// \return a format as it is used for a candidate: its MCS less the back-off
    NrTransportFormat BackOff(NrTransportFormat format, const NrCandidate& candidate) const;

    /// Takes a UE out of its cell: what is in the air is lost, queues stay.
    void Leave(uint32_t ue, uint32_t target);

    /// Puts a UE into a cell.
    void Enter(uint32_t ue, uint32_t cell);

    /**
     * Takes new measurements where they are due.
     */
    void Measure();

    /**
     * \param mcs MCS index
     * \param symbols data symbols
     * \return the fewest PRBs whose block can carry anything at all
     */
    uint32_t GetLeastPrbs(uint8_t mcs, uint32_t symbols) const;

    /**
     * Sees to it that no share is too narrow to carry anything.
     *
     * \param prbs PRBs that the shares may use together
     * \param symbols data symbols
     */
    void WidenNarrowShares(uint32_t prbs, uint32_t symbols);

    /**
     * \param symbols data symbols
     * \param format MCS and layers
     * \return bytes that a PRB carries, on average over some
     */
    double GetBytesPerPrb(uint32_t symbols, const NrTransportFormat& format) const;

    /**
     * Tells candidates what they would have in each group of PRBs.
     *
     * \param groups the number of groups
     * \param firstPrb where the first begins
     * \param symbols data symbols
     * \param uplink direction
     */
    void DescribeGroups(uint32_t groups, uint32_t firstPrb, uint32_t symbols, bool uplink);

    /**
     * Serves UEs with a configured grant in this slot (TS 38.321 clause 5.8.2): their PRBs are set
     * aside whether they have data or not.
     *
     * \param cell the cell
     * \param symbols data symbols
     * \param nextPrb first free PRB
     * \return the first that is free afterwards
     */
    uint32_t ServeConfiguredGrants(uint32_t cell, uint32_t symbols, uint32_t nextPrb);

    /**
     * Fills a new block of a UE and sends it.
     *
     * \param ue the UE
     * \param uplink direction
     * \param format MCS and layers
     * \param firstPrb first PRB
     * \param prbs PRBs
     * \param symbols data symbols
     * \param backedOff whether the format's MCS is below the one that was chosen
     * \return its bytes, 0 if nothing fits
     */
    double SendNewBlock(uint32_t ue,
                        bool uplink,
                        const NrTransportFormat& format,
                        uint32_t firstPrb,
                        uint32_t prbs,
                        uint32_t symbols,
                        bool backedOff);

    /**
     * Schedules one cell and direction.
     *
     * \param cell the cell
     * \param uplink direction
     * \param symbols data symbols in this slot
     */
    void Schedule(uint32_t cell, bool uplink, uint32_t symbols);

    /**
     * Adds a transmission to the slot.
     *
     * \param ue the UE
     * \param uplink direction
     * \param process its block
     * \param firstPrb first PRB
     */
    void Transmit(uint32_t ue, bool uplink, NrHarqProcess& process, uint32_t firstPrb);

    /**
     * Decides whether a block is decoded.
     *
     * A block has one draw for all its transmissions, and is lost as long as the block error rate
     * of what has been sent so far lies above it: as if it had one SINR, hidden, from which on it
     * is decoded. Of blocks that were lost at rate b1, the share b2 / b1 is then lost again at b2.
     * With a draw for each transmission (`HarqMemory` false) it would be b2, as if nothing were
     * known about a block that was lost.
     *
     * \param transmission the transmission
     */
    void Decode(const Transmission& transmission);

    /**
     * Gives a block that has just been decided to truth replay, with the SINRs of all its
     * transmissions.
     *
     * \param transmission the latest transmission
     * \param sinrDb its effective SINR
     * \param bler the predicted probability that it is lost
     */
    void EmitTruth(const Transmission& transmission, double sinrDb, double bler) const;

    /// \return block error rate of a process after all its transmissions, the latest of which had
    /// this effective SINR
    double GetBler(const NrHarqProcess& process, double sinr) const;

    /// Adds a transmission's SINRs to those of a process of direct delivery.
    /// \return error rate of its headers after all its transmissions
    double GetHeaderBler(NrHarqProcess& process) const;

    /**
     * Records a block of direct delivery whose headers were decoded.
     *
     * \param transmission the transmission
     */
    void EmitDirect(const Transmission& transmission) const;

    /// \return the MCS of headers beside contents of another
    uint8_t GetHeaderMcs(uint8_t mcs) const;

    /// \return what bytes of a block of direct delivery cost
    NrDirectCost GetDirectCost(NrDelivery delivery, uint8_t mcs) const;

    /**
     * Describes what a UE may send next.
     *
     * \param candidate what is known of its queues is set, and leastPrbs
     * \param number UE number
     * \param uplink direction
     * \param symbols data symbols of the slot
     * \param withQueue whether its packets are wanted
     */
    void DescribeNext(
        NrCandidate& candidate, uint32_t number, bool uplink, uint32_t symbols, bool withQueue);

    /**
     * Describes what a candidate of direct delivery needs.
     *
     * \param candidate its bytesPerPrb, demandBytes and maxPrbs are set
     * \param format of its block
     * \param symbols data symbols of the slot
     */
    void DescribeDirect(NrCandidate& candidate,
                        const NrTransportFormat& format,
                        uint32_t symbols) const;

    /**
     * \param candidate of direct delivery
     * \param uplink direction
     * \param symbols data symbols of the slot
     * \return PRBs that the headers of its first packet take, with a symbol of contents; more than
     * there are if they do not fit
     */
    uint32_t GetDirectPrbs(const NrCandidate& candidate, bool uplink, uint32_t symbols) const;

    /// \return SINR that is lost by spreading a UE's power over PRBs, in dB
    double GetSpreadingDb(const Ue& ue, uint32_t prbs) const;

    Ptr<NrCarrier> m_carrier;                        //!< the carrier
    Ptr<NrPhyAbstraction> m_phy;                     //!< error model
    Ptr<NrChannelSource> m_channel;                  //!< gains
    Ptr<NrTraceSink> m_sink;                         //!< records
    bool m_harqMemory{true};                         //!< one draw for all transmissions
    Ptr<UniformRandomVariable> m_draw;               //!< decides on blocks
    std::vector<Cell> m_cells;                       //!< cells
    std::vector<Ue> m_ues;                           //!< UEs
    std::vector<Transmission> m_now;                 //!< of this slot
    DeliverCallback m_toUe;                          //!< at the UE
    DeliverCallback m_toNetwork;                     //!< at the gNB
    std::vector<float> m_sinr;                       //!< scratch
    std::vector<double> m_noise;                     //!< scratch
    std::vector<NrCandidate> m_candidates;           //!< scratch
    std::vector<uint32_t> m_shares;                  //!< scratch
    std::vector<float> m_groups;                     //!< scratch
    std::vector<std::size_t> m_places;               //!< scratch
    std::vector<double> m_served;                    //!< scratch
    Ptr<NrHarqCombining> m_combining;                //!< of transmissions of a block
    Ptr<NrInterference> m_interference;              //!< of other cells
    Ptr<NrHandoverController> m_handover;            //!< moves UEs between cells
    NrHandoverController::LeaveCallback m_leave;     //!< told of UEs that leave
    NrHandoverController::CellCallback m_switchPath; //!< told of paths to switch
    NrUplinkPower m_uplinkPower;                     //!< power control
    NrBufferStatus::Config m_bufferConfig;           //!< delays of requests and reports
    uint64_t m_slot{0};                              //!< number of the slot
    std::shared_ptr<uint64_t> m_packets;             //!< packets so far
    uint32_t m_firstCell{0};                         //!< its number in records
    std::vector<NrRan*> m_followers;                 //!< bandwidth parts with the same UEs
    bool m_follows{false};                           //!< whether another one decides
    Time m_end;                                      //!< end of the slots
    Time m_nextKpi;                                  //!< end of the period
    double m_gnbNoise{0.0};                          //!< W a PRB
    double m_ueNoise{0.0};                           //!< W a PRB
    double m_gnbPower{0.0};                          //!< W a PRB

    TypeId m_schedulerType;           //!< class of the schedulers
    TypeId m_ulSchedulerType;         //!< class of the uplink's
    double m_gnbTxPowerDbm{0.0};      //!< total
    double m_gnbNoiseFigureDb{0.0};   //!< receiver
    double m_ueTxPowerDbm{0.0};       //!< maximum
    double m_ueNoiseFigureDb{0.0};    //!< receiver
    double m_p0Dbm{0.0};              //!< a PRB
    double m_alpha{0.0};              //!< share of the path loss
    uint32_t m_maxHarqTx{0};          //!< transmissions of a block
    uint32_t m_k1Slots{0};            //!< data to feedback
    uint32_t m_cqiPeriodSlots{0};     //!< between measurements
    uint32_t m_grantDelaySlots{0};    //!< request to grant
    uint32_t m_requestPeriodSlots{0}; //!< between request occasions
    uint32_t m_firstGrantBytes{0};    //!< after a request
    uint32_t m_reportDelaySlots{0};   //!< decoded report to its use
    uint32_t m_configuredPeriod{0};   //!< slots between configured grants, 0 none
    uint32_t m_configuredBytes{0};    //!< of a configured grant
    uint32_t m_maxLayersDl{1};        //!< of a block
    uint32_t m_maxLayersUl{1};        //!< of a block
    Time m_kpiPeriod;                 //!< of records
    bool m_slotTrace{true};           //!< whether blocks are recorded
    bool m_forward{true};             //!< whether queues are forwarded at a handover
    double m_truthFraction{0.0};      //!< of blocks given to truth replay
    uint32_t m_headerBackoff{0};      //!< MCS indices (direct delivery)
    NrTruthSampler m_truthSampler;    //!< chooses them
};

} // namespace ns3

#endif // NR_RAN_H
