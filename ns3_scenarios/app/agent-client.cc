// SPDX-License-Identifier: GPL-2.0-only
#include "agent-client.h"

#include "ns3/simulator.h"

#include <cmath>
#include <cstring>
#include <stdexcept>

namespace ns3
{

using cosim::sim::ActionKind;
using cosim::sim::EventKind;
using cosim::sim::NodeAction;
using cosim::sim::PacketDescriptor;

namespace
{

/// \return a simulated time, where infinity means never
Time ToTime(double seconds)
{
    constexpr double CENTURY_S = 3.2e9;
    return seconds < CENTURY_S ? Seconds(seconds) : Time::Max();
}

} // namespace

AgentClient::AgentClient(Exchange& exchange, NrSimulation& simulation, Time duration)
    : m_exchange(exchange),
      m_simulation(simulation),
      m_duration(duration)
{
}

void AgentClient::Start()
{
    for (uint32_t node = 0; node <= m_simulation.GetEdgeNode(); ++node)
    {
        Event event{};
        event.record.kind = static_cast<uint32_t>(EventKind::START);
        event.record.node = node;
        Add(std::move(event));
    }
}

void AgentClient::NotifyPacket(uint32_t flow,
                               uint32_t source,
                               uint32_t node,
                               const std::vector<uint8_t>& data)
{
    Event event{};
    event.record.kind = static_cast<uint32_t>(EventKind::PACKET);
    event.record.node = node;
    event.record.flow = flow;
    event.record.source_node = source;
    event.payload = data;
    Add(std::move(event));
}

void AgentClient::Add(Event event)
{
    event.record.t_s = Simulator::Now().GetSeconds();
    m_batch.push_back(std::move(event));
    if (!m_planned)
    {
        m_planned = true;
        // Behind what is already planned for this time, which may add more events.
        Simulator::ScheduleNow(&AgentClient::ExchangeBatch, this);
    }
}

void AgentClient::ExchangeBatch()
{
    m_planned = false;
    for (const Event& event : m_batch)
    {
        auto& record = m_exchange.Append();
        record = event.record;
        if (!event.payload.empty())
        {
            m_exchange.AttachPayload(record, event.payload.data(), event.payload.size());
        }
    }
    m_batch.clear();
    for (const auto& action : m_exchange.Call())
    {
        Apply(action);
    }
}

void AgentClient::Apply(const NodeAction& action)
{
    if (!(action.delay_s >= 0.0))
    {
        throw std::runtime_error("an agent at node " + std::to_string(action.node) +
                                 " asked for a delay of " + std::to_string(action.delay_s) + " s");
    }
    switch (static_cast<ActionKind>(action.kind))
    {
    case ActionKind::TIMER: {
        const Time at = ToTime(Simulator::Now().GetSeconds() + action.delay_s);
        if (at > m_duration)
        {
            break;
        }
        Event event{};
        event.record.kind = static_cast<uint32_t>(EventKind::TIMER);
        event.record.node = action.node;
        event.record.token = action.token;
        Simulator::Schedule(ToTime(action.delay_s), &AgentClient::Add, this, event);
        break;
    }
    case ActionKind::SEND:
        Send(action);
        break;
    case ActionKind::STOP:
        Simulator::Stop();
        break;
    default:
        throw std::runtime_error("an agent's action is of the unknown kind " +
                                 std::to_string(action.kind));
    }
}

void AgentClient::Send(const NodeAction& action)
{
    const auto payload = m_exchange.Payload(action);
    const std::size_t head = action.packet_count * sizeof(PacketDescriptor);
    if (!m_simulation.HasFlow(action.flow) || payload.size() < head)
    {
        throw std::runtime_error("an agent at node " + std::to_string(action.node) +
                                 " sent on flow " + std::to_string(action.flow) +
                                 ", which does not exist, or without its packets' descriptors");
    }
    std::vector<PacketDescriptor> packets(action.packet_count);
    std::memcpy(packets.data(), payload.data(), head);
    std::vector<uint8_t> data(payload.begin() + static_cast<long>(head), payload.end());
    std::size_t total = 0;
    for (const auto& packet : packets)
    {
        total += packet.bytes;
    }
    if (total != data.size())
    {
        throw std::runtime_error("a message's packets have " + std::to_string(total) +
                                 " bytes, its descriptors say otherwise");
    }
    const Time deadline = ToTime(action.deadline_s);
    const auto send = [this, packets, data, flow = action.flow, id = action.message_id, deadline] {
        const uint8_t* at = data.data();
        NrMessageTag tag;
        tag.m_messageId = id;
        tag.m_deadline = deadline;
        for (const auto& packet : packets)
        {
            tag.m_importance = packet.importance;
            tag.m_share = packet.share;
            tag.m_headerBytes = packet.header_bytes;
            m_simulation.Send(flow, at, packet.bytes, tag);
            ++tag.m_packet;
            at += packet.bytes;
        }
    };
    Simulator::Schedule(ToTime(action.delay_s), send);
}

} // namespace ns3
