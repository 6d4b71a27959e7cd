// SPDX-License-Identifier: MIT
/**
 * \file
 * What lies where in the segment. Everything in it is plain memory or a lock-free atomic, so it
 * means the same in every process that maps it, whatever the address.
 */
#ifndef COSIM_BRIDGE_LAYOUT_HPP
#define COSIM_BRIDGE_LAYOUT_HPP

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace cosim::bridge
{

inline constexpr std::uint64_t kMagic = 0x3145474449524243ULL; // "CBRIDGE1" read as bytes
inline constexpr std::uint32_t kVersion = 2;
inline constexpr std::size_t kCacheLine = 64;
inline constexpr std::size_t kPage = 4096;
inline constexpr std::size_t kMaxChannels = 32;
inline constexpr std::size_t kNameBytes = 48;

static_assert(std::atomic<std::uint32_t>::is_always_lock_free);
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

/// Who waits where. Each has a doorbell of its own.
enum Side : std::uint32_t
{
    SIMULATOR = 0, ///< the C++ program that lays out the segment
    HOST = 1,      ///< the process that created the segment and started the program
    PRODUCER = 2,  ///< a third process that publishes blocks
    SIDES = 3,
};

enum class SideState : std::uint32_t
{
    ABSENT = 0,
    RUNNING = 1,
    FINISHED = 2, ///< ended in order; what it published stays valid
    FAILED = 3,   ///< ended with an error, see `reason`
};

/// A side's own cache line, then its rarely used words.
struct SideBlock
{
    alignas(kCacheLine) std::atomic<std::uint32_t> doorbell; ///< the futex word
    std::atomic<std::uint32_t> sleeping; ///< 1 while its owner may be in the kernel
    std::atomic<std::uint32_t> state;    ///< SideState
    std::int32_t pid;
    char reason[kCacheLine * 4 - 16];
};

static_assert(sizeof(SideBlock) == 256);

enum class ChannelKind : std::uint32_t
{
    EXCHANGE = 1,
    STREAM = 2,
    BLOCKS = 3,
};

/// A channel in the directory. Offsets are from the segment's start, sizes in bytes.
struct ChannelEntry
{
    char name[kNameBytes];
    ChannelKind kind;
    std::uint32_t reserved;
    std::uint64_t offset; ///< of the channel's control words
    std::uint64_t bytes;
    /// Two directions of an exchange (0 out of the simulator, 1 into it); others use index 0.
    std::uint64_t recordBytes[2];
    std::uint64_t capacity[2]; ///< records, or slots of a blocks channel
    std::uint64_t recordsOffset[2];
    std::uint64_t payloadOffset[2];
    std::uint64_t payloadBytes[2]; ///< arena, ring, or bytes of one block's data
    std::uint64_t schemaOffset[2];
    std::uint64_t schemaBytes[2];
    std::uint64_t schemaHash[2];
    std::uint64_t endsOffset; ///< of a stream's payload ends, one 64-bit word a record
    std::uint64_t slotBytes;  ///< of a blocks channel
};

/// The first page(s) of the segment.
struct SegmentHeader
{
    std::uint64_t magic;
    std::uint32_t version;
    std::uint32_t channels;
    std::uint64_t bytes;
    std::atomic<std::uint32_t> ready; ///< 1 once the directory is complete
    std::uint32_t reserved;
    SideBlock sides[SIDES];
    ChannelEntry directory[kMaxChannels];
};

/// A batch each way. `request` and `answer` are batch numbers; a batch is pending while they
/// differ.
struct ExchangeControl
{
    alignas(kCacheLine) std::atomic<std::uint32_t> request;
    std::uint32_t outRecords;
    std::uint64_t outPayload;
    alignas(kCacheLine) std::atomic<std::uint32_t> answer;
    std::uint32_t inRecords;
    std::uint64_t inPayload;
};

/// A ring with one writer and one reader. Counts only grow; positions are counts modulo capacity.
struct StreamControl
{
    alignas(kCacheLine) std::atomic<std::uint64_t> written;
    std::atomic<std::uint32_t> writerWaits; ///< the writer found no room
    std::atomic<std::uint32_t> flushed;     ///< the writer wants its records read soon
    alignas(kCacheLine) std::atomic<std::uint64_t> released;
    std::atomic<std::uint64_t> payloadReleased;
};

/// Numbered blocks, published in order by one producer and released in order by one consumer.
struct BlocksControl
{
    alignas(kCacheLine) std::atomic<std::uint64_t> published;
    alignas(kCacheLine) std::atomic<std::uint64_t> released;
    std::atomic<std::uint64_t> stalls;
    std::atomic<std::uint64_t> stallNs;
    std::atomic<std::uint64_t> firstStallNs; ///< of it, for block 0
};

/// Lines that a core asks for at once; more wait for the first.
inline constexpr std::size_t kLinesAhead = 16;

/**
 * Asks for cache lines that the other side's core holds, before they are used one after another: a
 * line takes some 50 ns from core to core, and a core fetches many at the same time but stores in
 * order. \param write whether they will be written (they are then taken away from the other core)
 */
inline void Prefetch(const void* first, std::size_t bytes, bool write)
{
    const char* const start = static_cast<const char*>(first);
    for (std::size_t at = 0; at < bytes; at += kCacheLine)
    {
#if defined(__x86_64__)
        if (write)
        {
            // Not __builtin_prefetch(p, 1): without -mprfchw that is a prefetch for reading.
            asm volatile("prefetchw %0" : : "m"(start[at]));
            continue;
        }
#endif
        write ? __builtin_prefetch(start + at, 1) : __builtin_prefetch(start + at, 0);
    }
}

constexpr std::size_t AlignUp(std::size_t value, std::size_t to)
{
    return (value + to - 1) / to * to;
}

} // namespace cosim::bridge

#endif // COSIM_BRIDGE_LAYOUT_HPP
