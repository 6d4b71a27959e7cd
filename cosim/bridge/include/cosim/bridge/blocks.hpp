// SPDX-License-Identifier: MIT
#ifndef COSIM_BRIDGE_BLOCKS_HPP
#define COSIM_BRIDGE_BLOCKS_HPP

#include "record.hpp"
#include "segment.hpp"

#include <span>
#include <string>

namespace cosim::bridge
{

/// Numbered blocks of floats that a producer publishes ahead; read in order, each until released.
template <class Header> class BlockReader
{
  public:
    explicit BlockReader(const Segment& segment)
        : m_segment(segment)
    {
    }

    /// Binds the channel to its memory; Bridge::Start does it.
    void Open(const ChannelEntry& entry)
    {
        m_entry = entry;
        m_control = m_segment.At<BlocksControl>(entry.offset);
        m_waiter = Waiter(&m_segment.Own());
    }

    /// Waits for block `number`, which must be the one after the last released.
    const Header& Wait(std::uint64_t number)
    {
        if (m_control == nullptr)
        {
            throw BridgeError("a blocks channel was used before Bridge::Start()");
        }
        if (number != m_released)
        {
            throw BridgeError(std::string("blocks '") + m_entry.name + "': asked for block " +
                              std::to_string(number) + ", the next one is " +
                              std::to_string(m_released));
        }
        const auto published = [this, number] {
            // Acquire: whoever reads the count also reads the block.
            return m_control->published.load(std::memory_order_acquire) > number;
        };
        if (!published())
        {
            const auto start = Clock::now();
            m_segment.Wait(m_waiter, published, m_entry.name, std::chrono::nanoseconds{0});
            const auto waited = std::chrono::nanoseconds(Clock::now() - start).count();
            m_control->stalls.fetch_add(1, std::memory_order_relaxed);
            m_control->stallNs.fetch_add(static_cast<std::uint64_t>(waited),
                                         std::memory_order_relaxed);
            if (number == 0)
            {
                m_control->firstStallNs.store(static_cast<std::uint64_t>(waited),
                                              std::memory_order_relaxed);
            }
        }
        return *Slot<const Header>(0);
    }

    /// \return the current block's floats, in place.
    std::span<const float> Data() const
    {
        const auto bytes = *m_segment.At<std::uint64_t>(
            m_entry.endsOffset + m_released % m_entry.capacity[0] * sizeof(std::uint64_t));
        return {Slot<const float>(AlignUp(m_entry.recordBytes[0], kCacheLine)),
                bytes / sizeof(float)};
    }

    /// Gives the current block's slot back to the producer.
    void Release()
    {
        // Release: the producer that reads the count overwrites the slot only after our reads.
        m_control->released.store(++m_released, std::memory_order_release);
        // The host may publish itself, and then sleeps as the host.
        Ring(m_segment.Peer(PRODUCER));
        Ring(m_segment.Peer(HOST));
    }

    std::uint64_t Stalls() const
    {
        return m_control->stalls.load(std::memory_order_relaxed);
    }

    double StallSeconds() const
    {
        return 1e-9 * static_cast<double>(m_control->stallNs.load(std::memory_order_relaxed));
    }

  private:
    template <class T> T* Slot(std::size_t offset) const
    {
        return m_segment.At<T>(m_entry.recordsOffset[0] +
                               m_released % m_entry.capacity[0] * m_entry.slotBytes + offset);
    }

    const Segment& m_segment;
    ChannelEntry m_entry{};
    BlocksControl* m_control = nullptr;
    Waiter m_waiter;
    std::uint64_t m_released = 0;
};

} // namespace cosim::bridge

#endif // COSIM_BRIDGE_BLOCKS_HPP
