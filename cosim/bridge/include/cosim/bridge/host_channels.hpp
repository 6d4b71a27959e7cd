// SPDX-License-Identifier: MIT
/**
 * \file
 * The other end of each channel: what the host does with the counts. The Python module is made of
 * these, and so is the program that is run under sanitizers.
 */
#ifndef COSIM_BRIDGE_HOST_CHANNELS_HPP
#define COSIM_BRIDGE_HOST_CHANNELS_HPP

#include "waiter.hpp"

#include <algorithm>
#include <cstdint>
#include <utility>

namespace cosim::bridge
{

/// The mapped segment as the host sees it; what it names outlives it.
struct HostView
{
    char* base = nullptr;

    SegmentHeader& Header() const
    {
        return *reinterpret_cast<SegmentHeader*>(base);
    }

    SideBlock& Simulator() const
    {
        return Header().sides[SIMULATOR];
    }

    template <class T> T* At(std::uint64_t offset) const
    {
        return reinterpret_cast<T*>(base + offset);
    }

    /// \return the number of the pending batch of an exchange, or the last answer's if there is
    /// none.
    static std::uint32_t Request(const ExchangeControl& control)
    {
        // Acquire: whoever reads the number also reads the batch.
        return control.request.load(std::memory_order_acquire);
    }

    /// Answers batch `number`: not whatever stands there now.
    void Answer(ExchangeControl& control,
                std::uint32_t number,
                std::uint32_t records,
                std::uint64_t payload) const
    {
        control.inRecords = records;
        control.inPayload = payload;
        // Release: the simulator that reads the number also reads the records.
        control.answer.store(number, std::memory_order_release);
        Ring(Simulator());
    }

    /// \return position of the first unread record and how many are readable without a wrap.
    std::pair<std::uint64_t, std::uint64_t> Readable(const ChannelEntry& e,
                                                     std::uint64_t read) const
    {
        auto* c = At<StreamControl>(e.offset);
        if (c->flushed.load(std::memory_order_relaxed) != 0)
        {
            // An exchange, not a store: it either takes the writer's mark, and then (acquire) the
            // records before it are seen below, or comes before it and leaves it standing. A plain
            // store could drift behind the load below and wipe out a mark set in between.
            c->flushed.exchange(0, std::memory_order_acq_rel);
        }
        // Acquire pairs with the writer's release: the records are there.
        const auto written = c->written.load(std::memory_order_acquire);
        const auto at = read % e.capacity[0];
        return {at, std::min(written - read, e.capacity[0] - at)};
    }

    /// Gives all records before number `released` back.
    void Release(const ChannelEntry& e, std::uint64_t released) const
    {
        auto* c = At<StreamControl>(e.offset);
        const auto* ends = At<std::uint64_t>(e.endsOffset);
        // Release: our reads of the records and payloads are over.
        c->payloadReleased.store(ends[(released - 1) % e.capacity[0]], std::memory_order_release);
        c->released.store(released, std::memory_order_release);
        // The fence orders the counts before the look at the flag, as the writer's orders the flag
        // before its look at the counts: one of the two sees the other.
        std::atomic_thread_fence(std::memory_order_seq_cst);
        if (c->writerWaits.load(std::memory_order_relaxed) != 0)
        {
            Ring(Simulator());
        }
    }

    /// Publishes block `number`, whose data have `bytes`.
    void Publish(const ChannelEntry& e, std::uint64_t number, std::uint64_t bytes) const
    {
        auto* c = At<BlocksControl>(e.offset);
        At<std::uint64_t>(e.endsOffset)[number % e.capacity[0]] = bytes;
        // Release: the simulator that reads the count also reads the block.
        c->published.store(number + 1, std::memory_order_release);
        Ring(Simulator());
    }

    /// \return whether a blocks channel has room for another block.
    bool HasRoom(const ChannelEntry& e) const
    {
        const auto* c = At<BlocksControl>(e.offset);
        // Acquire: the simulator's reads of the block that lay in the slot are over.
        return c->published.load(std::memory_order_relaxed) -
                   c->released.load(std::memory_order_acquire) <
               e.capacity[0];
    }

    /// \return whether a channel wants the host's attention.
    bool IsFresh(const ChannelEntry& e) const
    {
        if (e.kind == ChannelKind::EXCHANGE)
        {
            const auto* c = At<ExchangeControl>(e.offset);
            return Request(*c) != c->answer.load(std::memory_order_relaxed);
        }
        if (e.kind == ChannelKind::STREAM)
        {
            const auto* c = At<StreamControl>(e.offset);
            const auto unread = c->written.load(std::memory_order_acquire) -
                                c->released.load(std::memory_order_relaxed);
            return unread > 0 && (2 * unread >= e.capacity[0] ||
                                  c->writerWaits.load(std::memory_order_acquire) != 0 ||
                                  c->flushed.load(std::memory_order_acquire) != 0);
        }
        return false;
    }
};

} // namespace cosim::bridge

#endif // COSIM_BRIDGE_HOST_CHANNELS_HPP
