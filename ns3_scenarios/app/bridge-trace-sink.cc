// SPDX-License-Identifier: GPL-2.0-only
#include "bridge-trace-sink.h"

namespace ns3
{

namespace
{
// A few hundred milliseconds of a loaded cell, so that neither side waits for the other's time
// slice.
constexpr std::size_t SLOT_RECORDS = 16384;
constexpr std::size_t PACKET_RECORDS = 16384;
constexpr std::size_t KPI_RECORDS = 4096;
constexpr std::size_t DELIVERY_RECORDS = 4096;
constexpr std::size_t DELIVERY_BYTES = 8U << 20U;
constexpr std::size_t COUNTER_RECORDS = 1024;
constexpr std::size_t TRUTH_RECORDS = 1024;
constexpr std::size_t TRUTH_BYTES = 2U << 20U;
constexpr std::size_t DIRECT_RECORDS = 1024;
constexpr std::size_t DIRECT_BYTES = 2U << 20U;
} // namespace

BridgeTraceSink::BridgeTraceSink(cosim::bridge::Bridge& bridge)
    : m_slots(bridge.AddStream<cosim::sim::SlotRecord>(cosim::sim::kSlotChannel, SLOT_RECORDS)),
      m_packets(
          bridge.AddStream<cosim::sim::PacketRecord>(cosim::sim::kPacketChannel, PACKET_RECORDS)),
      m_kpis(bridge.AddStream<cosim::sim::KpiRecord>(cosim::sim::kKpiChannel, KPI_RECORDS)),
      m_deliveries(bridge.AddStream<cosim::sim::DeliveryRecord>(
          cosim::sim::kDeliveryChannel, DELIVERY_RECORDS, DELIVERY_BYTES)),
      m_counters(bridge.AddStream<cosim::sim::CounterRecord>(cosim::sim::kCounterChannel,
                                                             COUNTER_RECORDS)),
      m_truth(bridge.AddStream<cosim::sim::TruthRecord>(
          cosim::sim::kTruthChannel, TRUTH_RECORDS, TRUTH_BYTES)),
      m_direct(bridge.AddStream<cosim::sim::DirectBlock>(
          cosim::sim::kDirectChannel, DIRECT_RECORDS, DIRECT_BYTES))
{
}

void BridgeTraceSink::Slot(const cosim::sim::SlotRecord& record)
{
    m_slots.Push(record);
}

void BridgeTraceSink::Packet(const cosim::sim::PacketRecord& record)
{
    m_packets.Push(record);
}

void BridgeTraceSink::Kpi(const cosim::sim::KpiRecord& record)
{
    m_kpis.Push(record);
}

void BridgeTraceSink::Counter(const cosim::sim::CounterRecord& record)
{
    m_counters.Push(record);
}

void BridgeTraceSink::Truth(const cosim::sim::TruthRecord& record, std::span<const float> sinr)
{
    m_truth.Push(record, sinr.data(), sinr.size_bytes());
}

void BridgeTraceSink::Direct(const cosim::sim::DirectBlock& record,
                             std::span<const cosim::sim::DirectPiece> pieces,
                             std::span<const float> sinr)
{
    const auto first = std::as_bytes(pieces);
    const auto second = std::as_bytes(sinr);
    m_scratch.assign(first.begin(), first.end());
    m_scratch.insert(m_scratch.end(), second.begin(), second.end());
    m_direct.Push(record, m_scratch.data(), m_scratch.size());
}

void BridgeTraceSink::Delivery(const cosim::sim::DeliveryRecord& record,
                               const uint8_t* data,
                               std::size_t bytes)
{
    m_deliveries.Push(record, data, bytes);
}

void BridgeTraceSink::Flush()
{
    m_slots.Flush();
    m_packets.Flush();
    m_kpis.Flush();
    m_deliveries.Flush();
    m_counters.Flush();
    m_truth.Flush();
    m_direct.Flush();
}

} // namespace ns3
