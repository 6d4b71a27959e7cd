// SPDX-License-Identifier: MIT
#ifndef COSIM_BRIDGE_STREAM_HPP
#define COSIM_BRIDGE_STREAM_HPP

#include "record.hpp"
#include "segment.hpp"

#include <cstring>
#include <string>

namespace cosim::bridge
{

/// Records one way, none ever lost: a full ring makes the writer wait.
template <class Record> class StreamWriter
{
  public:
    explicit StreamWriter(const Segment& segment)
        : m_segment(segment)
    {
    }

    /// Binds the channel to its memory; Bridge::Start does it.
    void Open(const ChannelEntry& entry)
    {
        m_entry = entry;
        m_control = m_segment.At<StreamControl>(entry.offset);
        m_records = m_segment.At<Record>(entry.recordsOffset[0]);
        m_ends = m_segment.At<std::uint64_t>(entry.endsOffset);
        m_capacity = entry.capacity[0];
        m_waiter = Waiter(&m_segment.Own());
    }

    /// Writes a record; waits while the ring is full. Throws PeerDied, or Timeout if the bridge has
    /// a limit.
    void Push(const Record& record)
    {
        MakeRoom(0);
        Publish(record, m_payloadWritten);
    }

    /// Pushes a record whose `payload_offset` and `payload_bytes` fields will name a copy of
    /// `data`.
    void Push(Record record, const void* data, std::size_t bytes)
    {
        CheckStarted();
        if (bytes > m_entry.payloadBytes[0] / 2)
        {
            throw BridgeError(std::string("stream '") + m_entry.name + "': a payload of " +
                              std::to_string(bytes) + " bytes; at most half of the ring's " +
                              std::to_string(m_entry.payloadBytes[0]) +
                              " fit: declare more in AddStream");
        }
        // A payload is contiguous: what is left before the ring's end is skipped if it is too
        // short.
        const std::uint64_t ring = m_entry.payloadBytes[0];
        std::uint64_t start = m_payloadWritten;
        if (bytes > 0 && start % ring + bytes > ring)
        {
            start += ring - start % ring;
        }
        MakeRoom(start + bytes);
        if (bytes > 0)
        {
            std::memcpy(m_segment.At<char>(m_entry.payloadOffset[0] + start % ring), data, bytes);
        }
        record.payload_offset = static_cast<std::uint32_t>(bytes > 0 ? start % ring : 0);
        record.payload_bytes = static_cast<std::uint32_t>(bytes);
        Publish(record, start + bytes);
    }

    /// Wakes the reader for what has been pushed so far.
    void Flush()
    {
        CheckStarted();
        m_control->flushed.store(1, std::memory_order_release);
        Ring(m_segment.Peer(HOST));
    }

  private:
    /// Costs nothing in the usual case: a channel that is not open has no capacity, so nothing
    /// fits.
    void CheckStarted() const
    {
        if (m_control == nullptr)
        {
            throw BridgeError("a stream was used before Bridge::Start()");
        }
    }

    bool Fits(std::uint64_t payloadEnd) const
    {
        return m_written - m_released < m_capacity &&
               (payloadEnd <= m_payloadReleased + m_entry.payloadBytes[0]);
    }

    void Look()
    {
        // Acquire pairs with the reader's release: its reads of the old records are over. The
        // payload's count is stored before the records' count, so it is at least as new.
        m_released = m_control->released.load(std::memory_order_acquire);
        m_payloadReleased = m_control->payloadReleased.load(std::memory_order_acquire);
    }

    void MakeRoom(std::uint64_t payloadEnd)
    {
        if (Fits(payloadEnd))
        {
            return;
        }
        CheckStarted();
        Look();
        if (Fits(payloadEnd))
        {
            return;
        }
        // The reader rings only while this flag is set; the fence of Ring orders it before the
        // doorbell's look at the reader, as the fence of Sleep does before ours at its counts.
        m_control->writerWaits.store(1, std::memory_order_seq_cst);
        Ring(m_segment.Peer(HOST));
        const auto room = [this, payloadEnd] {
            Look();
            return Fits(payloadEnd);
        };
        m_segment.Wait(m_waiter, room, m_entry.name, std::chrono::nanoseconds{0});
        m_control->writerWaits.store(0, std::memory_order_relaxed);
    }

    void Publish(const Record& record, std::uint64_t payloadEnd)
    {
        m_records[m_place] = record;
        m_ends[m_place] = payloadEnd;
        m_place = m_place + 1 == m_capacity ? 0 : m_place + 1;
        m_payloadWritten = payloadEnd;
        ++m_written;
        // Release: a reader that sees the count sees the record and its payload.
        m_control->written.store(m_written, std::memory_order_release);
        if (m_written - m_rung >= m_capacity / 4)
        {
            // Not at every record: a look at the reader's cache line costs as much as the record.
            m_rung = m_written;
            Ring(m_segment.Peer(HOST));
        }
    }

    const Segment& m_segment;
    ChannelEntry m_entry{};
    StreamControl* m_control = nullptr;
    Record* m_records = nullptr;
    std::uint64_t* m_ends = nullptr;
    std::uint64_t m_capacity = 0;
    std::uint64_t m_place = 0; ///< m_written modulo m_capacity, without a division a record
    Waiter m_waiter;
    std::uint64_t m_written = 0;
    std::uint64_t m_payloadWritten = 0;
    std::uint64_t m_released = 0;
    std::uint64_t m_payloadReleased = 0;
    std::uint64_t m_rung = 0;
};

} // namespace cosim::bridge

#endif // COSIM_BRIDGE_STREAM_HPP
