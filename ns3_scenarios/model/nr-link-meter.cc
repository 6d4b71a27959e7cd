// SPDX-License-Identifier: GPL-2.0-only
#include "nr-link-meter.h"

#include "ns3/simulator.h"

#include <algorithm>
#include <cmath>

namespace ns3
{

using Delivery = NrDelivery;
using cosim::sim::Direction;
using cosim::sim::PacketReason;

namespace
{

constexpr uint32_t SLOT_ELEMENTS = 12 * 14; // of a PRB, reference signals and control too

/// \return IP bytes of a packet that were sent
uint64_t GetSentBytes(const NrSdu& sdu)
{
    return sdu.sent > sdu.pdcpHeader ? sdu.sent - sdu.pdcpHeader : 0;
}

} // namespace

void NrLinkMeter::Configure(uint32_t cell, uint32_t ue, bool uplink)
{
    m_counter.cell = cell;
    m_counter.ue = ue;
    m_counter.direction = static_cast<uint32_t>(uplink ? Direction::UPLINK : Direction::DOWNLINK);
}

void NrLinkMeter::SetCell(uint32_t cell)
{
    m_counter.cell = cell;
}

void NrLinkMeter::CountContents(const NrHarqProcess& process, uint32_t used)
{
    m_counter.padding += process.tbsBits / 8 - used;
    for (const auto& segment : process.segments)
    {
        // What RLC sends again is no new byte of the packet or of its PDCP header.
        const bool fresh = segment.offset == 0 && segment.again == 0;
        const uint32_t pdcp = fresh ? segment.sdu->pdcpHeader : 0;
        m_counter.mac_header += segment.macHeader;
        m_counter.rlc_header += segment.rlcHeader;
        m_counter.rlc_status += segment.bytes == 0 ? segment.rlcHeader : 0;
        m_counter.pdcp_header += pdcp;
        m_counter.retransmitted += segment.again;
        m_counter.rlc_retransmitted += segment.again;
        m_counter.sdu_sent += segment.bytes - segment.again - pdcp;
    }
}

void NrLinkMeter::CountTransmission(const NrHarqProcess& process, double sinrDb, bool decoded)
{
    const uint32_t bytes = process.tbsBits / 8;
    m_counter.phy += bytes;
    if (process.transmissions > 1)
    {
        m_counter.retransmitted += bytes;
    }
    for (const auto& segment : process.segments)
    {
        const uint32_t cost = segment.macHeader + segment.rlcHeader + segment.bytes;
        segment.sdu->airBytes += cost;
        const double share = process.delivery == Delivery::PACKET
                                 ? double(cost) / bytes
                                 : segment.elements / process.elements;
        segment.sdu->airElements += share * SLOT_ELEMENTS * process.prbs * process.layers;
    }
    ++m_period.blocks;
    m_period.lost += !decoded;
    m_period.mcsSum += process.mcs;
    m_period.sinrSum += sinrDb;
    m_period.prbs += process.prbs;
}

void NrLinkMeter::CountDelivered(const NrSdu& sdu)
{
    m_counter.sdu_delivered += sdu.bytes;
    m_period.deliveredBytes += sdu.bytes;
    m_period.delaysMs.push_back((Simulator::Now() - sdu.enqueued).GetSeconds() * 1e3);
}

void NrLinkMeter::CountDropped(const NrSdu& sdu)
{
    auto& counter =
        sdu.reason == PacketReason::SIMULATION_END ? m_counter.sdu_in_flight : m_counter.sdu_lost;
    counter += GetSentBytes(sdu);
}

cosim::sim::KpiRecord NrLinkMeter::TakePeriod(Time end, double seconds, uint64_t queuedBytes)
{
    cosim::sim::KpiRecord record{};
    const double blocks = static_cast<double>(m_period.blocks);
    auto& delays = m_period.delaysMs;
    record.t_s = end.GetSeconds();
    record.cell = m_counter.cell;
    record.ue = m_counter.ue;
    record.direction = m_counter.direction;
    record.prb_used = m_period.prbs;
    record.throughput_bps = 8.0 * static_cast<double>(m_period.deliveredBytes) / seconds;
    const bool any = m_period.blocks > 0;
    record.bler = any ? static_cast<double>(m_period.lost) / blocks : NAN;
    record.mcs_mean = any ? static_cast<double>(m_period.mcsSum) / blocks : NAN;
    record.sinr_db = any ? m_period.sinrSum / blocks : NAN;
    record.queue_bytes = queuedBytes;
    record.delay_ms_mean = NAN;
    record.delay_ms_p95 = NAN;
    if (!delays.empty())
    {
        double sum = 0.0;
        for (const double delay : delays)
        {
            sum += delay;
        }
        record.delay_ms_mean = sum / static_cast<double>(delays.size());
        // Nearest rank: the smallest value that 95 % do not exceed.
        const auto rank =
            static_cast<std::size_t>(std::ceil(0.95 * static_cast<double>(delays.size())) - 1);
        std::nth_element(delays.begin(), delays.begin() + static_cast<long>(rank), delays.end());
        record.delay_ms_p95 = delays[rank];
    }
    m_period = Period{};
    return record;
}

cosim::sim::CounterRecord NrLinkMeter::GetCounters(uint64_t appBytes, uint64_t appHeaderBytes) const
{
    auto counter = m_counter;
    counter.app_delivered = appBytes;
    counter.ip_udp_header = appHeaderBytes;
    return counter;
}

} // namespace ns3
