// SPDX-License-Identifier: GPL-2.0-only
#ifndef NR_TRACE_SINK_H
#define NR_TRACE_SINK_H

#include "cosim/sim/records.hpp"

#include "ns3/simple-ref-count.h"

#include <cstddef>
#include <span>

namespace ns3
{

/**
 * Where records go. This one forgets them; the executable's writes them to the bridge's streams and
 * a test's keeps them.
 */
class NrTraceSink : public SimpleRefCount<NrTraceSink>
{
  public:
    virtual ~NrTraceSink() = default;

    /**
     * \param record a transport block
     */
    virtual void Slot(const cosim::sim::SlotRecord& record)
    {
        (void)record;
    }

    /**
     * \param record what happened to an IP packet
     */
    virtual void Packet(const cosim::sim::PacketRecord& record)
    {
        (void)record;
    }

    /**
     * \param record a period's figures of one UE and direction
     */
    virtual void Kpi(const cosim::sim::KpiRecord& record)
    {
        (void)record;
    }

    /**
     * \param record one UE's and direction's bytes over the whole simulation
     */
    virtual void Counter(const cosim::sim::CounterRecord& record)
    {
        (void)record;
    }

    /**
     * \param record a transmission of a transport block chosen for truth replay
     * \param sinr SINR (linear) of a resource element, one a transmission so far, layer and PRB
     */
    virtual void Truth(const cosim::sim::TruthRecord& record, std::span<const float> sinr)
    {
        (void)record;
        (void)sinr;
    }

    /**
     * \param record a transport block of direct delivery whose headers were decoded
     * \param pieces the contents of packets in it
     * \param sinr SINR (linear) of a resource element, one a layer and PRB, over all transmissions
     */
    virtual void Direct(const cosim::sim::DirectBlock& record,
                        std::span<const cosim::sim::DirectPiece> pieces,
                        std::span<const float> sinr)
    {
        (void)record;
        (void)pieces;
        (void)sinr;
    }

    /**
     * \param record a UDP payload that reached its application
     * \param data its bytes
     * \param bytes how many
     */
    virtual void Delivery(const cosim::sim::DeliveryRecord& record,
                          const uint8_t* data,
                          std::size_t bytes)
    {
        (void)record;
        (void)data;
        (void)bytes;
    }
};

} // namespace ns3

#endif // NR_TRACE_SINK_H
