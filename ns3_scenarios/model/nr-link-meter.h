// SPDX-License-Identifier: GPL-2.0-only
#ifndef NR_LINK_METER_H
#define NR_LINK_METER_H

#include "cosim/sim/records.hpp"

#include "nr-harq-process.h"

#include "ns3/nstime.h"

#include <cstdint>
#include <vector>

namespace ns3
{

/**
 * What one UE's link in one direction has carried: sums over a period, and bytes over the run,
 * which must add up (see cosim::sim::CounterRecord).
 */
class NrLinkMeter
{
  public:
    /**
     * \param cell serving cell
     * \param ue UE
     * \param uplink direction
     */
    void Configure(uint32_t cell, uint32_t ue, bool uplink);

    /**
     * \param cell the cell from now on
     */
    void SetCell(uint32_t cell);

    /**
     * Counts a block that was filled, and its parts.
     *
     * \param process the block
     * \param used of its bytes; the others are padding
     */
    void CountContents(const NrHarqProcess& process, uint32_t used);

    /**
     * Counts a transmission of a block and what it costs its packets.
     *
     * \param process the process, its transmissions already raised
     * \param sinrDb effective SINR of this transmission
     * \param decoded whether the block is decoded after it
     */
    void CountTransmission(const NrHarqProcess& process, double sinrDb, bool decoded);

    /**
     * \param sdu a packet that was delivered now
     */
    void CountDelivered(const NrSdu& sdu);

    /**
     * \param sdu a packet that was given up
     */
    void CountDropped(const NrSdu& sdu);

    /**
     * Starts the next period.
     *
     * \param end end of the one before
     * \param seconds its length
     * \param queuedBytes that wait at its end
     * \return its figures
     */
    cosim::sim::KpiRecord TakePeriod(Time end, double seconds, uint64_t queuedBytes);

    /**
     * \param appBytes UDP and TCP payload bytes that arrived
     * \param appHeaderBytes bytes of their IP and UDP or TCP headers
     * \return bytes over the run
     */
    cosim::sim::CounterRecord GetCounters(uint64_t appBytes, uint64_t appHeaderBytes) const;

  private:
    /// Sums over a period.
    struct Period
    {
        uint64_t deliveredBytes{0};   //!< IP bytes
        uint64_t blocks{0};           //!< transmissions
        uint64_t lost{0};             //!< of these not decoded
        uint64_t mcsSum{0};           //!< of their MCS indices
        double sinrSum{0.0};          //!< of their effective SINRs in dB
        uint32_t prbs{0};             //!< PRBs used
        std::vector<double> delaysMs; //!< of delivered packets
    };

    cosim::sim::CounterRecord m_counter{}; //!< bytes over the run
    Period m_period;                       //!< sums since the last KPI record
};

} // namespace ns3

#endif // NR_LINK_METER_H
