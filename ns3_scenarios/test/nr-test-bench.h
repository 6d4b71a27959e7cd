// SPDX-License-Identifier: GPL-2.0-only
#ifndef NR_TEST_BENCH_H
#define NR_TEST_BENCH_H

#include "nr-constant-channel-source.h"
#include "nr-ran.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>
#include <vector>

namespace ns3
{

/// Keeps the records that tests look at.
class KeepingSink : public NrTraceSink
{
  public:
    void Slot(const cosim::sim::SlotRecord& record) override;
    void Packet(const cosim::sim::PacketRecord& record) override;
    void Counter(const cosim::sim::CounterRecord& record) override;
    void Direct(const cosim::sim::DirectBlock& record,
                std::span<const cosim::sim::DirectPiece> pieces,
                std::span<const float> sinr) override;

    std::vector<cosim::sim::SlotRecord> slots;       //!< transport blocks
    std::vector<cosim::sim::PacketRecord> packets;   //!< packets
    std::vector<cosim::sim::CounterRecord> counters; //!< at the end
    std::vector<cosim::sim::DirectBlock> direct;     //!< blocks of direct delivery
    std::vector<cosim::sim::DirectPiece> pieces;     //!< of all of them, one after another
    std::vector<float> directSinr;                   //!< of the latest of them
};

/// Two cells between which every UE walks: in dB, gains go from -90 to -120 and cross at half of
/// the time.
class CrossingChannel : public NrChannelSource
{
  public:
    CrossingChannel(uint32_t prbs, Time duration)
        : m_prbs(prbs),
          m_duration(duration)
    {
    }

    void Advance(Time now) override
    {
        const double share = std::min(now.GetSeconds() / m_duration.GetSeconds(), 1.0);
        for (const uint32_t cell : {0, 1})
        {
            const double db = -90.0 - 30.0 * (cell == 0 ? share : 1.0 - share);
            m_gains[cell].assign(m_prbs, static_cast<float>(std::pow(10.0, db / 10.0)));
        }
    }

    std::span<const float> GetGains(uint32_t cell, uint32_t, uint32_t) const override
    {
        return m_gains[cell];
    }

    uint32_t GetLayers() const override
    {
        return 1;
    }

  private:
    uint32_t m_prbs;               //!< of all parts
    Time m_duration;               //!< of the way
    std::vector<float> m_gains[2]; //!< by cell
};

/**
 * One cell or more with constant, flat channels, and raw packets instead of an IP stack: what comes
 * out follows from the transport block sizes and the block error rates alone.
 *
 * The carrier is FDD, 15 kHz, 25 PRBs (5 MHz): the setting of ns-3's own LTE scheduler tests.
 */
class NrTestBench
{
  public:
    /// Block error rate over MCS index and SINR in dB.
    using BlerFunction = std::function<double(uint32_t mcs, double snrDb)>;

    /**
     * \param carrier the carrier, initialized
     * \param bler error model, the same for all block sizes
     * \return an abstraction with a table of it from -40 to 40 dB
     */
    static Ptr<NrPhyAbstraction> MakePhy(Ptr<NrCarrier> carrier, const BlerFunction& bler);

    /// What can be set.
    struct Options
    {
        std::string scheduler{"ns3::NrRrScheduler"};             //!< class
        std::vector<double> snrDb;                               //!< of each UE on every PRB
        BlerFunction bler{[](uint32_t, double) { return 0.0; }}; //!< error model
        uint32_t maxHarqTx{4};                                   //!< transmissions
        double blerTarget{0.1};                                  //!< of link adaptation
        bool outerLoop{false};                                   //!< OLLA
        uint32_t mcsTable{1};                                    //!< MCS table
        uint32_t layers{1};                                      //!< equal layers of every link
        Ptr<NrChannelSource> channel;                            //!< instead of a constant one
    };

    static constexpr uint32_t PRBS = 25; //!< of the carrier

    /**
     * \param options what to build
     */
    explicit NrTestBench(const Options& options);
    ~NrTestBench();

    /**
     * Keeps a queue full all the time.
     *
     * \param ue the UE
     * \param bytes of a packet
     * \param uplink direction
     */
    void Saturate(uint32_t ue, uint32_t bytes = 1000, bool uplink = false);

    /**
     * Puts one packet into the queue at a time.
     *
     * \param at when
     * \param ue the UE
     * \param bytes of the packet
     * \param uplink direction
     */
    void SendAt(Time at, uint32_t ue, uint32_t bytes, bool uplink = false);

    /**
     * Puts a downlink IP packet of a message into the queue at a time.
     *
     * \param at when
     * \param ue the UE
     * \param bytes of the UDP payload
     * \param port UDP destination port
     * \param importance PDU-set importance
     * \param headerBytes of the payload, at its beginning, 0 if unknown
     */
    void SendTagged(Time at,
                    uint32_t ue,
                    uint32_t bytes,
                    uint16_t port,
                    double importance,
                    uint32_t headerBytes = 0);

    /**
     * \param seconds simulated time
     */
    void Run(double seconds);

    /**
     * \param ue the UE
     * \return bytes that it received or that were received from it
     */
    uint64_t GetReceived(uint32_t ue) const;

    /**
     * \param mcs MCS index
     * \return the SINR in dB from which the step error model decodes
     */
    static double Threshold(uint32_t mcs);

    /**
     * \param snrDb SINR of a PRB
     * \return the gain that gives it
     */
    static double Gain(double snrDb);

    /**
     * An error model without luck: nothing below the threshold of the MCS, everything above.
     */
    static double Step(uint32_t mcs, double snrDb);

    Ptr<KeepingSink> sink;  //!< records
    Ptr<NrRan> ran;         //!< the cell
    Ptr<NrCarrier> carrier; //!< its carrier

  private:
    /// Fills a queue up and comes back a slot later.
    void TopUp(uint32_t ue, uint32_t bytes, bool uplink);

    std::vector<uint64_t> m_received; //!< by UE
};

} // namespace ns3

#endif // NR_TEST_BENCH_H
