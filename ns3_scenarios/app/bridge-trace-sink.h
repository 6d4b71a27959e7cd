// SPDX-License-Identifier: GPL-2.0-only
#ifndef BRIDGE_TRACE_SINK_H
#define BRIDGE_TRACE_SINK_H

#include "nr-trace-sink.h"

#include "cosim/bridge/bridge.hpp"

namespace ns3
{

/**
 * Writes records to the bridge's streams; a full stream makes the simulation wait, nothing is lost.
 */
class BridgeTraceSink : public NrTraceSink
{
  public:
    /**
     * \param bridge where the streams are declared, before its Start()
     */
    explicit BridgeTraceSink(cosim::bridge::Bridge& bridge);

    void Slot(const cosim::sim::SlotRecord& record) override;
    void Packet(const cosim::sim::PacketRecord& record) override;
    void Kpi(const cosim::sim::KpiRecord& record) override;
    void Counter(const cosim::sim::CounterRecord& record) override;
    void Truth(const cosim::sim::TruthRecord& record, std::span<const float> sinr) override;
    void Direct(const cosim::sim::DirectBlock& record,
                std::span<const cosim::sim::DirectPiece> pieces,
                std::span<const float> sinr) override;
    void Delivery(const cosim::sim::DeliveryRecord& record,
                  const uint8_t* data,
                  std::size_t bytes) override;

    /**
     * Lets the engine see everything written so far.
     */
    void Flush();

  private:
    cosim::bridge::StreamWriter<cosim::sim::SlotRecord>& m_slots;          //!< transport blocks
    cosim::bridge::StreamWriter<cosim::sim::PacketRecord>& m_packets;      //!< IP packets
    cosim::bridge::StreamWriter<cosim::sim::KpiRecord>& m_kpis;            //!< periods
    cosim::bridge::StreamWriter<cosim::sim::DeliveryRecord>& m_deliveries; //!< payloads
    cosim::bridge::StreamWriter<cosim::sim::CounterRecord>& m_counters;    //!< at the end
    cosim::bridge::StreamWriter<cosim::sim::TruthRecord>& m_truth;         //!< sampled blocks
    cosim::bridge::StreamWriter<cosim::sim::DirectBlock>& m_direct;        //!< of direct delivery
    std::vector<std::byte> m_scratch;                                      //!< a payload
};

} // namespace ns3

#endif // BRIDGE_TRACE_SINK_H
