// SPDX-License-Identifier: MIT
/**
 * \file
 * The simulator's end of the bridge. Ten lines couple an ns-3 program to Python:
 *
 *     auto bridge = cosim::bridge::Bridge::FromEnvironment();
 *     auto& agents = bridge->AddExchange<Observation, Decision>("agents", 64, 0, 64, 0);
 *     bridge->Start();
 *     agents.Append().t_s = Simulator::Now().GetSeconds();
 *     for (const Decision& decision : agents.Call()) { ... }
 *     bridge->Finish();
 */
#ifndef COSIM_BRIDGE_BRIDGE_HPP
#define COSIM_BRIDGE_BRIDGE_HPP

#include "attach.hpp"
#include "blocks.hpp"
#include "exchange.hpp"
#include "host_watch.hpp"
#include "stream.hpp"

#include <cstdlib>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace cosim::bridge
{

/// Owns the segment's layout and the channels in it.
class Bridge
{
  public:
    /**
     * Connects to the host that started this program, by the descriptor that it inherited
     * (COSIM_BRIDGE_FD), or by its place in /proc if a script between the two closed it
     * (COSIM_BRIDGE_PATH). A program that was started by hand, for example in a debugger, connects
     * by a name (COSIM_BRIDGE_NAME) that the host gave with `Bridge.create(attach_name=...)`.
     */
    static std::unique_ptr<Bridge> FromEnvironment()
    {
        return std::unique_ptr<Bridge>(new Bridge(OpenFromEnvironment()));
    }

    /// Connects to a host that waits under a name.
    static std::unique_ptr<Bridge> Attach(const std::string& name)
    {
        return std::unique_ptr<Bridge>(new Bridge(OpenByName(name)));
    }

    /// Connects through an open descriptor, which stays the caller's.
    static std::unique_ptr<Bridge> FromDescriptor(int fd)
    {
        return std::unique_ptr<Bridge>(new Bridge(fd));
    }

    /// How long any wait may last (Timeout is thrown then); 0, the default: as long as the host
    /// lives.
    void SetTimeout(std::chrono::nanoseconds timeout)
    {
        m_segment.SetTimeout(timeout);
    }

    Bridge(const Bridge&) = delete;
    Bridge& operator=(const Bridge&) = delete;

    /// Tells the host of an end that Finish() did not announce.
    ~Bridge()
    {
        if (!m_finished)
        {
            Fail("the simulation ended without Bridge::Finish(), probably by an error");
        }
    }

    /// Declares an exchange; sizes are limits of one batch, payloads in bytes.
    template <class Out, class In>
    Exchange<Out, In>& AddExchange(const std::string& name,
                                   std::size_t maxOut,
                                   std::size_t outPayload,
                                   std::size_t maxIn,
                                   std::size_t inPayload)
    {
        CheckSize(name, maxOut, sizeof(Out), outPayload);
        CheckSize(name, maxIn, sizeof(In), inPayload);
        Declared& d = Declare(name, ChannelKind::EXCHANGE, sizeof(ExchangeControl));
        Describe<Out>(d, 0, maxOut, outPayload);
        Describe<In>(d, 1, maxIn, inPayload);
        return Make<Exchange<Out, In>>(d);
    }

    /// Declares a stream of up to `capacity` unread records and `payloadBytes` unread bytes.
    template <class Record>
    StreamWriter<Record>& AddStream(const std::string& name,
                                    std::size_t capacity,
                                    std::size_t payloadBytes = 0)
    {
        if (capacity < 2)
        {
            throw BridgeError("stream '" + name + "' needs a capacity of 2 records or more");
        }
        CheckSize(name, capacity, sizeof(Record), payloadBytes);
        Declared& d = Declare(name, ChannelKind::STREAM, sizeof(StreamControl));
        Describe<Record>(d, 0, capacity, payloadBytes);
        return Make<StreamWriter<Record>>(d);
    }

    /// Declares blocks of up to `maxBlockBytes`, of which `slots` are in flight at most.
    template <class Header>
    BlockReader<Header>& AddBlocks(const std::string& name,
                                   std::size_t slots,
                                   std::size_t maxBlockBytes)
    {
        CheckSize(name, slots, maxBlockBytes + sizeof(Header), maxBlockBytes);
        Declared& d = Declare(name, ChannelKind::BLOCKS, sizeof(BlocksControl));
        Describe<Header>(d, 0, slots, maxBlockBytes);
        d.entry.slotBytes =
            AlignUp(AlignUp(sizeof(Header), kCacheLine) + maxBlockBytes, kCacheLine);
        return Make<BlockReader<Header>>(d);
    }

    /// Lays the declared channels out and lets the host in. The channels work from here on.
    void Start()
    {
        if (m_started)
        {
            throw BridgeError("Bridge::Start() was called twice");
        }
        std::size_t at = AlignUp(sizeof(SegmentHeader), kPage);
        const auto place = [&at](std::size_t bytes) {
            const std::size_t start = AlignUp(at, kCacheLine);
            at = start + bytes;
            return start;
        };
        for (Declared& d : m_declared)
        {
            ChannelEntry& e = d.entry;
            e.offset = place(d.controlBytes);
            for (int side = 0; side < 2; ++side)
            {
                e.schemaBytes[side] = d.schema[side].size();
                e.schemaOffset[side] = place(e.schemaBytes[side]);
                const bool blocks = e.kind == ChannelKind::BLOCKS;
                e.recordsOffset[side] =
                    place(e.capacity[side] * (blocks ? e.slotBytes : e.recordBytes[side]));
                e.payloadOffset[side] = blocks ? 0 : place(e.payloadBytes[side]);
            }
            e.endsOffset = place(e.capacity[0] * sizeof(std::uint64_t));
            e.bytes = at - e.offset;
        }
        at = AlignUp(at, kPage);
        m_segment.Grow(at);
        SegmentHeader& header = m_segment.Header();
        header.bytes = at;
        header.channels = static_cast<std::uint32_t>(m_declared.size());
        std::size_t number = 0;
        for (Declared& d : m_declared)
        {
            for (int side = 0; side < 2; ++side)
            {
                std::memcpy(m_segment.At<char>(d.entry.schemaOffset[side]),
                            d.schema[side].data(),
                            d.schema[side].size());
            }
            header.directory[number] = d.entry;
            d.open(header.directory[number]);
            ++number;
        }
        m_segment.Own().pid = ::getpid();
        m_segment.Own().state.store(static_cast<std::uint32_t>(SideState::RUNNING),
                                    std::memory_order_release);
        // Release: whoever sees `ready` sees the directory.
        header.ready.store(1, std::memory_order_release);
        Ring(m_segment.Peer(HOST));
        Ring(m_segment.Peer(PRODUCER));
        m_started = true;
    }

    /// Ends in order: what was pushed stays readable.
    void Finish()
    {
        m_finished = true;
        End(SideState::FINISHED, "");
    }

    /// Ends with an error that the host will report.
    void Fail(const std::string& reason)
    {
        m_finished = true;
        End(SideState::FAILED, reason);
    }

  private:
    /// `payload_offset` and `payload_bytes` have 32 bits.
    static constexpr std::size_t kMostBytes = 0xffffffffU;

    struct Declared
    {
        ChannelEntry entry{};
        std::size_t controlBytes = 0;
        std::string schema[2];
        std::function<void(const ChannelEntry&)> open;
    };

    explicit Bridge(int fd)
        : m_segment(fd),
          m_watch(m_segment.HostPidfd())
    {
        m_segment.CheckHost();
    }

    Declared& Declare(const std::string& name, ChannelKind kind, std::size_t controlBytes)
    {
        if (m_started)
        {
            throw BridgeError("channel '" + name + "' was declared after Bridge::Start()");
        }
        if (name.empty() || name.size() >= kNameBytes)
        {
            throw BridgeError("a channel's name has 1 to " + std::to_string(kNameBytes - 1) +
                              " characters: '" + name + "'");
        }
        if (m_declared.size() == kMaxChannels)
        {
            throw BridgeError("a segment has at most " + std::to_string(kMaxChannels) +
                              " channels");
        }
        for (const Declared& other : m_declared)
        {
            if (name == other.entry.name)
            {
                throw BridgeError("two channels are named '" + name + "'");
            }
        }
        Declared& d = m_declared.emplace_back();
        name.copy(d.entry.name, kNameBytes - 1);
        d.entry.kind = kind;
        d.controlBytes = controlBytes;
        return d;
    }

    static void CheckSize(const std::string& name,
                          std::size_t capacity,
                          std::size_t recordBytes,
                          std::size_t payloadBytes)
    {
        if (capacity == 0)
        {
            throw BridgeError("channel '" + name + "' has a capacity of 0");
        }
        if (payloadBytes > kMostBytes || capacity > kMostBytes / recordBytes)
        {
            throw BridgeError("channel '" + name + "': " + std::to_string(capacity) +
                              " records and " + std::to_string(payloadBytes) +
                              " bytes of payload are too many; a channel has at most " +
                              std::to_string(kMostBytes) + " bytes of each");
        }
    }

    template <class Record>
    void Describe(Declared& d, int side, std::size_t capacity, std::size_t payloadBytes)
    {
        d.schema[side] = Schema<Record>::Description();
        d.entry.schemaHash[side] = Schema<Record>::Hash();
        d.entry.recordBytes[side] = sizeof(Record);
        d.entry.capacity[side] = capacity;
        d.entry.payloadBytes[side] = payloadBytes;
    }

    /// A channel exists from its declaration on; it gets its memory in Start().
    template <class Channel> Channel& Make(Declared& d)
    {
        auto channel = std::make_shared<Channel>(m_segment);
        d.open = [channel](const ChannelEntry& entry) { channel->Open(entry); };
        return *channel;
    }

    void End(SideState state, const std::string& reason)
    {
        SideBlock& own = m_segment.Own();
        std::memset(own.reason, 0, sizeof own.reason);
        reason.copy(own.reason, sizeof own.reason - 1);
        // Release: whoever sees the state sees the reason and everything pushed before.
        own.state.store(static_cast<std::uint32_t>(state), std::memory_order_release);
        m_watch.Stop(); // the program may outlive the host now, to write its own results
        Ring(m_segment.Peer(HOST));
        Ring(m_segment.Peer(PRODUCER));
    }

    Segment m_segment;
    HostWatch m_watch;
    std::deque<Declared> m_declared; ///< a deque: `Make` keeps references
    bool m_started = false;
    bool m_finished = false;
};

} // namespace cosim::bridge

#endif // COSIM_BRIDGE_BRIDGE_HPP
