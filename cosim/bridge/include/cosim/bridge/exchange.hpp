// SPDX-License-Identifier: MIT
#ifndef COSIM_BRIDGE_EXCHANGE_HPP
#define COSIM_BRIDGE_EXCHANGE_HPP

#include "record.hpp"
#include "segment.hpp"

#include <algorithm>
#include <cstring>
#include <span>
#include <string>

namespace cosim::bridge
{

/**
 * A batch of `Out` records to the host, a batch of `In` records back; the simulator waits.
 *
 * Records may carry bytes of any length: their `payload_offset` and `payload_bytes` fields then
 * name a piece of the batch's arena.
 */
template <class Out, class In> class Exchange
{
  public:
    explicit Exchange(const Segment& segment)
        : m_segment(segment)
    {
    }

    /// Binds the channel to its memory; Bridge::Start does it.
    void Open(const ChannelEntry& entry)
    {
        m_entry = entry;
        m_control = m_segment.At<ExchangeControl>(entry.offset);
        m_out = m_segment.At<Out>(entry.recordsOffset[0]);
        m_waiter = Waiter(&m_segment.Own());
    }

    /// \return the next record of the batch, zeroed, in shared memory.
    Out& Append()
    {
        CheckIdle();
        if (m_records == m_entry.capacity[0])
        {
            throw BridgeError(Where() + "a batch has more than " +
                              std::to_string(m_entry.capacity[0]) +
                              " records: declare more in AddExchange");
        }
        const std::size_t room = m_entry.capacity[0] * sizeof(Out);
        const std::size_t at = m_records * sizeof(Out);
        constexpr std::size_t kAhead = kLinesAhead * kCacheLine;
        if (m_records == 0)
        {
            Prefetch(m_out, std::min(room, kAhead + sizeof(Out)), true);
        }
        else if (at + kAhead + sizeof(Out) <= room)
        {
            Prefetch(reinterpret_cast<const char*>(m_out) + at + kAhead, sizeof(Out), true);
        }
        Out* record = m_out + m_records++;
        std::memset(static_cast<void*>(record), 0, sizeof(Out));
        return *record;
    }

    /// Copies `bytes` into the batch's arena and names them in the record.
    void AttachPayload(Out& record, const void* data, std::size_t bytes)
    {
        if (bytes > m_entry.payloadBytes[0] - m_payload)
        {
            throw BridgeError(Where() + "a batch's payloads need more than " +
                              std::to_string(m_entry.payloadBytes[0]) +
                              " bytes: declare more in AddExchange");
        }
        if (bytes > 0)
        {
            std::memcpy(m_segment.At<char>(m_entry.payloadOffset[0] + m_payload), data, bytes);
        }
        record.payload_offset = static_cast<std::uint32_t>(m_payload);
        record.payload_bytes = static_cast<std::uint32_t>(bytes);
        m_payload += bytes;
    }

    std::size_t Pending() const
    {
        return m_records;
    }

    /**
     * Sends the batch and waits for the answer, which stays valid until the next Append.
     *
     * Throws Timeout after `timeout` (0: the bridge's own limit); the batch then stays with the
     * host, and only Await may follow.
     */
    std::span<const In> Call(std::chrono::nanoseconds timeout = std::chrono::nanoseconds{0})
    {
        CheckIdle();
        m_control->outRecords = static_cast<std::uint32_t>(m_records);
        m_control->outPayload = m_payload;
        m_records = 0;
        m_payload = 0;
        m_pending = true;
        // Release: the host that reads the number also reads the batch.
        m_control->request.store(++m_number, std::memory_order_release);
        Ring(m_segment.Peer(HOST));
        return Await(timeout);
    }

    /// Goes on waiting for an answer after a Timeout.
    std::span<const In> Await(std::chrono::nanoseconds timeout = std::chrono::nanoseconds{0})
    {
        if (!m_pending)
        {
            throw BridgeError(Where() + "there is no batch to wait for");
        }
        const auto answered = [this] {
            // Acquire: whoever reads the number also reads the answer's records.
            return m_control->answer.load(std::memory_order_acquire) == m_number;
        };
        m_segment.Wait(m_waiter, answered, m_entry.name, timeout);
        m_pending = false;
        if (m_control->inRecords > m_entry.capacity[1])
        {
            throw BridgeError(Where() + "the answer is damaged");
        }
        const In* records = m_segment.At<const In>(m_entry.recordsOffset[1]);
        Prefetch(
            records, std::min(m_control->inRecords * sizeof(In), kLinesAhead * kCacheLine), false);
        return {records, m_control->inRecords};
    }

    /// \return the bytes that a record of the answer carries.
    std::span<const std::uint8_t> Payload(const In& record) const
    {
        if (std::uint64_t{record.payload_offset} + record.payload_bytes > m_entry.payloadBytes[1])
        {
            throw BridgeError(Where() + "an answer's payload lies outside its arena");
        }
        return {m_segment.At<std::uint8_t>(m_entry.payloadOffset[1] + record.payload_offset),
                record.payload_bytes};
    }

  private:
    std::string Where() const
    {
        return std::string("exchange '") + m_entry.name + "': ";
    }

    void CheckIdle() const
    {
        if (m_control == nullptr)
        {
            throw BridgeError("an exchange was used before Bridge::Start()");
        }
        if (m_pending)
        {
            throw BridgeError(Where() + "the last batch is not answered yet: call Await()");
        }
    }

    const Segment& m_segment;
    ChannelEntry m_entry{};
    ExchangeControl* m_control = nullptr;
    Out* m_out = nullptr;
    Waiter m_waiter;
    std::uint64_t m_records = 0;
    std::uint64_t m_payload = 0;
    std::uint32_t m_number = 0;
    bool m_pending = false;
};

} // namespace cosim::bridge

#endif // COSIM_BRIDGE_EXCHANGE_HPP
