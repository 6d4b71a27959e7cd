// SPDX-License-Identifier: MIT
/**
 * \file
 * Every record that crosses the bridge between a SemCoSim engine (Python) and its ns-3 executable
 * (C++), declared once. Python derives its numpy.dtype from these declarations and both sides
 * compare the schema hash at start, so a mismatch is an error and never a silent misread.
 *
 * Units are in the names: `_s` seconds, `_db` decibel, `_bps` bit/s. Nodes are numbered
 * 0 .. ues-1 for the UEs, then `ues` for the edge server.
 */
#ifndef COSIM_SIM_RECORDS_HPP
#define COSIM_SIM_RECORDS_HPP

#include "cosim/bridge/record.hpp"

#include <cstdint>

namespace cosim::sim
{

/// Names of the channels in the segment.
inline constexpr const char* kSetupChannel = "setup";  ///< exchange SetupRequest -> SetupPart
inline constexpr const char* kAgentChannel = "agents"; ///< exchange NodeEvent -> NodeAction
inline constexpr const char* kSchedulerChannel = "scheduler";  ///< exchange, see SchedulerCandidate
inline constexpr const char* kSlotChannel = "slots";           ///< stream SlotRecord
inline constexpr const char* kPacketChannel = "packets";       ///< stream PacketRecord
inline constexpr const char* kKpiChannel = "kpis";             ///< stream KpiRecord
inline constexpr const char* kDeliveryChannel = "deliveries";  ///< stream DeliveryRecord + payload
inline constexpr const char* kCounterChannel = "counters";     ///< stream CounterRecord
inline constexpr const char* kTruthChannel = "truth";          ///< stream TruthRecord + payload
inline constexpr const char* kDirectChannel = "direct";        ///< stream DirectBlock + payload
inline constexpr const char* kChannelBlockChannel = "channel"; ///< blocks ChannelBlock

/// What an agent is told. Kinds of NodeEvent.
enum class EventKind : std::uint32_t
{
    START = 1, ///< simulation time 0, once for every node
    TIMER = 2, ///< a timer that the agent set; `token` is the agent's own
    PACKET =
        3,    ///< a packet arrived at this node on a flow with NotifyDelivery; bytes in the payload
    SENT = 4, ///< the first bit of the message went on air (flows with NotifySent)
};

/// What an agent can do. Kinds of NodeAction.
enum class ActionKind : std::uint32_t
{
    TIMER = 1, ///< wake me `delay_s` from now with `token`
    SEND = 2,  ///< hand the packets of one message to the IP stack `delay_s` from now
    STOP = 3,  ///< end the simulation at the current time
};

/// PacketRecord::event. Names in traces: enqueue, dequeue, deliver, drop, discard.
enum class PacketEvent : std::uint32_t
{
    ENQUEUE = 1, ///< the IP packet entered the RLC queue
    DEQUEUE = 2, ///< its first byte entered a transport block
    DELIVER = 3, ///< reassembled and handed to IP at the other side of the air
    DROP = 4,    ///< lost on the air or refused by a full queue (see reason)
    DISCARD = 5, ///< removed from the queue on purpose (deadline, PDU-set rule)
};

/// PacketRecord::reason.
enum class PacketReason : std::uint32_t
{
    NONE = 0,
    QUEUE_FULL = 1,     ///< the RLC queue was full
    HARQ_EXHAUSTED = 2, ///< a transport block with a part of it failed for good
    REASSEMBLY = 3,     ///< reassembly timer, another part is missing
    DEADLINE = 4,       ///< its deadline passed in the queue
    SIMULATION_END = 5, ///< still under way when the simulation ended
    REORDERING = 6,     ///< came after PDCP's reordering timer had given it up
    RLC_RETX = 7,       ///< RLC's limit of retransmissions in acknowledged mode
    HANDOVER = 8,       ///< sent in part, or not forwarded, when its UE left the cell
    DISCARD_TIMER = 9,  ///< PDCP's discard timer expired in the queue
};

/// How the contents of a flow's packets get through a transport block. Names in scenarios: packet,
/// bits, symbols.
enum class Delivery : std::uint32_t
{
    PACKET = 0,  ///< coded, with a CRC: whole or not at all
    BITS = 1,    ///< coded, without a CRC: with the bits that the decoder got wrong
    SYMBOLS = 2, ///< a byte is a value, two values a complex symbol, sent as they are
};

enum class Direction : std::uint32_t
{
    DOWNLINK = 0,
    UPLINK = 1,
};

#define COSIM_SETUP_REQUEST_FIELDS(F, A) \
    F(std::uint32_t, protocol)           \
    F(std::uint32_t, reserved)

/// Kinds of SetupPart: 1 configuration text, 2 BLER table, 3 EESM beta of each MCS.
#define COSIM_SETUP_PART_FIELDS(F, A) \
    F(std::uint32_t, kind)            \
    A(std::uint32_t, dims, 3)         \
    F(std::uint32_t, payload_offset)  \
    F(std::uint32_t, payload_bytes)

#define COSIM_NODE_EVENT_FIELDS(F, A) \
    F(double, t_s)                    \
    F(std::uint32_t, kind)            \
    F(std::uint32_t, node)            \
    F(std::uint64_t, token)           \
    F(std::uint64_t, message_id)      \
    F(std::uint32_t, flow)            \
    F(std::uint32_t, source_node)     \
    F(std::uint32_t, payload_offset)  \
    F(std::uint32_t, payload_bytes)

/// SEND's payload: packet_count x PacketDescriptor, then the packets' bytes one after another.
#define COSIM_NODE_ACTION_FIELDS(F, A) \
    F(double, delay_s)                 \
    F(double, deadline_s)              \
    F(std::uint32_t, kind)             \
    F(std::uint32_t, node)             \
    F(std::uint64_t, token)            \
    F(std::uint64_t, message_id)       \
    F(std::uint32_t, flow)             \
    F(std::uint32_t, packet_count)     \
    F(std::uint32_t, payload_offset)   \
    F(std::uint32_t, payload_bytes)

/// One packet of a message: its UDP payload size, its PDU-set importance (TS 23.501 5.37), 0
/// least, the share of the message's units that it holds, 0 if unknown, and how many of its bytes
/// are headers, which flows that deliver bits or symbols protect.
#define COSIM_PACKET_DESCRIPTOR_FIELDS(F, A) \
    F(std::uint32_t, bytes)                  \
    F(float, importance)                     \
    F(float, share)                          \
    F(std::uint32_t, header_bytes)

/// A UE with data in a slot whose PRBs an agent shares out. All records of a request are of the
/// same cell, direction and slot. `prbs` can be given in all, `max_prbs` to this UE at most;
/// `average_bytes` a slot is the UE's exponentially averaged rate; `head_*` is its oldest packet.
#define COSIM_SCHEDULER_CANDIDATE_FIELDS(F, A) \
    F(double, t_s)                             \
    F(std::uint32_t, cell)                     \
    F(std::uint32_t, direction)                \
    F(std::uint32_t, prbs)                     \
    F(std::uint32_t, ue)                       \
    F(std::uint64_t, demand_bytes)             \
    F(double, bytes_per_prb)                   \
    F(double, average_bytes)                   \
    F(std::uint32_t, max_prbs)                 \
    F(std::uint32_t, priority)                 \
    F(std::uint32_t, layers)                   \
    F(std::uint32_t, head_bytes)               \
    F(double, head_delay_s)                    \
    F(double, head_budget_s)                   \
    F(double, head_importance)                 \
    F(double, head_utility)                    \
    F(std::uint64_t, head_message)             \
    F(double, delay_budget_s)                  \
    F(double, loss_target)                     \
    F(double, semantic_value)

/// The answer about a UE: its PRBs in this slot, or its weight until the next request.
#define COSIM_SCHEDULER_DECISION_FIELDS(F, A) \
    F(std::uint32_t, ue)                      \
    F(std::uint32_t, prbs)                    \
    F(double, weight)

#define COSIM_SLOT_FIELDS(F, A)         \
    F(double, t_s)                      \
    F(std::uint32_t, cell)              \
    F(std::uint32_t, direction)         \
    F(std::uint32_t, ue)                \
    F(std::uint32_t, tbs_bits)          \
    F(std::uint16_t, prb_first)         \
    F(std::uint16_t, prb_count)         \
    F(std::uint8_t, layers)             \
    F(std::uint8_t, mcs)                \
    F(std::uint8_t, harq_process)       \
    F(std::uint8_t, redundancy_version) \
    F(float, sinr_eff_db)               \
    F(float, bler_predicted)            \
    F(std::uint32_t, ack)               \
    F(std::uint32_t, reserved)

/// `bytes` is the IP packet; `air_bytes` (DELIVER, DROP) all RLC + MAC bytes, headers and
/// retransmissions included, that were spent on it; padding belongs to nobody. `air_elements` is
/// its share of the resource elements of its blocks' PRBs, over all 14 symbols and all layers.
#define COSIM_PACKET_FIELDS(F, A) \
    F(double, t_s)                \
    F(std::uint64_t, packet_id)   \
    F(std::uint64_t, message_id)  \
    F(std::uint32_t, flow)        \
    F(std::uint32_t, ue)          \
    F(std::uint32_t, cell)        \
    F(std::uint32_t, direction)   \
    F(std::uint32_t, event)       \
    F(std::uint32_t, reason)      \
    F(std::uint32_t, bytes)       \
    F(std::uint32_t, air_bytes)   \
    F(double, air_elements)

#define COSIM_KPI_FIELDS(F, A)    \
    F(double, t_s)                \
    F(std::uint32_t, cell)        \
    F(std::uint32_t, ue)          \
    F(std::uint32_t, direction)   \
    F(std::uint32_t, prb_used)    \
    F(double, throughput_bps)     \
    F(double, bler)               \
    F(double, mcs_mean)           \
    F(double, sinr_db)            \
    F(std::uint64_t, queue_bytes) \
    F(double, delay_ms_mean)      \
    F(double, delay_ms_p95)

/// A UDP payload that reached its application; the bytes are the stream record's payload.
#define COSIM_DELIVERY_FIELDS(F, A)  \
    F(double, t_s)                   \
    F(std::uint64_t, packet_id)      \
    F(std::uint32_t, node)           \
    F(std::uint32_t, source_node)    \
    F(std::uint32_t, flow)           \
    F(std::uint32_t, reserved)       \
    F(std::uint32_t, payload_offset) \
    F(std::uint32_t, payload_bytes)

/// Byte conservation, one record per (UE, direction) at the end. All in bytes.
/// phy = every transport block sent, retransmissions too.  The identity that must hold:
/// phy = retransmitted + padding + mac_header + rlc_header + pdcp_header + sdu_sent, and
/// sdu_sent = sdu_delivered + sdu_lost + sdu_in_flight;  sdu bytes are IP packets, and
/// sdu_delivered = app_delivered + ip_udp_header (with TCP, its headers instead of UDP's).
/// Acknowledged mode: payload that RLC sends again counts as retransmitted, and its part is
/// rlc_retransmitted; status reports count as rlc_header, and their part is rlc_status.
#define COSIM_COUNTER_FIELDS(F, A)      \
    F(std::uint32_t, cell)              \
    F(std::uint32_t, ue)                \
    F(std::uint32_t, direction)         \
    F(std::uint32_t, reserved)          \
    F(std::uint64_t, phy)               \
    F(std::uint64_t, retransmitted)     \
    F(std::uint64_t, rlc_retransmitted) \
    F(std::uint64_t, rlc_status)        \
    F(std::uint64_t, padding)           \
    F(std::uint64_t, mac_header)        \
    F(std::uint64_t, rlc_header)        \
    F(std::uint64_t, pdcp_header)       \
    F(std::uint64_t, sdu_sent)          \
    F(std::uint64_t, sdu_delivered)     \
    F(std::uint64_t, sdu_lost)          \
    F(std::uint64_t, sdu_in_flight)     \
    F(std::uint64_t, ip_udp_header)     \
    F(std::uint64_t, app_delivered)

/// A transmission of a transport block chosen for truth replay, `transmission` 1 being the first.
/// The payload is float32: the SINR (linear) of a resource element in all its transmissions so far,
/// [transmissions][layers][PRBs], as the abstraction saw it.
#define COSIM_TRUTH_FIELDS(F, A)     \
    F(double, t_s)                   \
    F(std::uint32_t, cell)           \
    F(std::uint32_t, direction)      \
    F(std::uint32_t, ue)             \
    F(std::uint32_t, tbs_bits)       \
    F(std::uint32_t, elements)       \
    F(std::uint16_t, prb_count)      \
    F(std::uint8_t, layers)          \
    F(std::uint8_t, mcs)             \
    F(float, sinr_eff_db)            \
    F(float, bler_predicted)         \
    F(std::uint32_t, ack)            \
    F(std::uint32_t, transmission)   \
    F(std::uint32_t, payload_offset) \
    F(std::uint32_t, payload_bytes)

/// A transport block of flows that deliver bits or symbols, whose headers were decoded. Its
/// resource elements, `elements` a PRB and layer, carry first headers (`header_elements`, with the
/// MCS `header_mcs`), then contents, of which there is room for `content_bytes`. The payload is
/// `pieces` DirectPieces, then float32: the SINR (linear) of a resource element, [layers][PRBs],
/// summed over the block's transmissions, which are all alike.
#define COSIM_DIRECT_BLOCK_FIELDS(F, A) \
    F(double, t_s)                      \
    F(std::uint32_t, cell)              \
    F(std::uint32_t, direction)         \
    F(std::uint32_t, ue)                \
    F(std::uint32_t, delivery)          \
    F(std::uint32_t, elements)          \
    F(std::uint32_t, header_elements)   \
    F(std::uint32_t, content_bytes)     \
    F(std::uint16_t, prb_count)         \
    F(std::uint8_t, layers)             \
    F(std::uint8_t, mcs)                \
    F(std::uint32_t, header_mcs)        \
    F(std::uint32_t, pieces)            \
    F(std::uint32_t, payload_offset)    \
    F(std::uint32_t, payload_bytes)

/// Contents of a packet in such a block: `bytes` of its UDP payload, which begin `offset` bytes
/// before the payload's end, behind `at` bytes of contents of other packets in the block. `packet`
/// counts the packets of the message.
#define COSIM_DIRECT_PIECE_FIELDS(F, A) \
    F(std::uint64_t, message_id)        \
    F(std::uint32_t, packet)            \
    F(std::uint32_t, offset)            \
    F(std::uint32_t, bytes)             \
    F(std::uint32_t, at)

/// Header of one channel block; the array that follows is float32, C order,
/// power gain [times][cells][ues][layers][prbs] (linear, antennas and beamforming included). With
/// `interference` 1, the last of the layers is none: it holds the gains of links as interferers,
/// without beamforming, and the others are those of links that may serve.
#define COSIM_CHANNEL_BLOCK_FIELDS(F, A) \
    F(std::uint64_t, number)             \
    F(double, t_start_s)                 \
    F(double, sample_interval_s)         \
    F(std::uint32_t, times)              \
    F(std::uint32_t, cells)              \
    F(std::uint32_t, ues)                \
    F(std::uint32_t, layers)             \
    F(std::uint32_t, prbs)               \
    F(std::uint32_t, interference)

COSIM_RECORD(SetupRequest, COSIM_SETUP_REQUEST_FIELDS);
COSIM_RECORD(SetupPart, COSIM_SETUP_PART_FIELDS);
COSIM_RECORD(NodeEvent, COSIM_NODE_EVENT_FIELDS);
COSIM_RECORD(NodeAction, COSIM_NODE_ACTION_FIELDS);
COSIM_RECORD(PacketDescriptor, COSIM_PACKET_DESCRIPTOR_FIELDS);
COSIM_RECORD(SchedulerCandidate, COSIM_SCHEDULER_CANDIDATE_FIELDS);
COSIM_RECORD(SchedulerDecision, COSIM_SCHEDULER_DECISION_FIELDS);
COSIM_RECORD(SlotRecord, COSIM_SLOT_FIELDS);
COSIM_RECORD(PacketRecord, COSIM_PACKET_FIELDS);
COSIM_RECORD(KpiRecord, COSIM_KPI_FIELDS);
COSIM_RECORD(DeliveryRecord, COSIM_DELIVERY_FIELDS);
COSIM_RECORD(CounterRecord, COSIM_COUNTER_FIELDS);
COSIM_RECORD(TruthRecord, COSIM_TRUTH_FIELDS);
COSIM_RECORD(DirectBlock, COSIM_DIRECT_BLOCK_FIELDS);
COSIM_RECORD(DirectPiece, COSIM_DIRECT_PIECE_FIELDS);
COSIM_RECORD(ChannelBlock, COSIM_CHANNEL_BLOCK_FIELDS);

} // namespace cosim::sim

#endif // COSIM_SIM_RECORDS_HPP
