// SPDX-License-Identifier: MIT
#ifndef COSIM_BRIDGE_SRC_NATIVE_SIDE_HPP
#define COSIM_BRIDGE_SRC_NATIVE_SIDE_HPP

#include "cosim/bridge/bridge.hpp"
#include "cosim/bridge/host_channels.hpp"

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

namespace cosim::bridge
{

namespace py = pybind11;

using Seconds = std::chrono::duration<double>;
constexpr double kForEver = 1e9; ///< seconds; longer limits are none

/// A side of a mapped segment. The buffer (an mmap) is kept alive; all offsets were checked by
/// Open.
class NativeSide
{
  public:
    NativeSide(const py::buffer& memory, std::uint32_t side)
        : m_buffer(memory.request(true)),
          m_base(static_cast<char*>(m_buffer.ptr)),
          m_side(side),
          m_waiter(&Header().sides[side])
    {
        const auto bytes = static_cast<std::size_t>(m_buffer.size * m_buffer.itemsize);
        if (side >= SIDES || bytes < sizeof(SegmentHeader))
        {
            throw BridgeError("no bridge segment: it is smaller than its own header");
        }
    }

    /// After a fork the child has the mapping too; it must not speak for its parent.
    void Disown()
    {
        m_foreign = true;
    }

    bool Foreign() const
    {
        return m_foreign;
    }

    void CheckOwner() const
    {
        if (m_foreign)
        {
            throw BridgeError("a bridge cannot be used in a forked child: make one there");
        }
    }

    NativeSide(const NativeSide&) = delete;
    NativeSide& operator=(const NativeSide&) = delete;

    ~NativeSide()
    {
        if (m_hostPidfd >= 0)
        {
            ::close(m_hostPidfd);
        }
    }

    /// The processes whose end ends every wait.
    void Watch(std::vector<int> pidfds)
    {
        m_pidfds = std::move(pidfds);
    }

    std::int32_t Pid(std::uint32_t side) const
    {
        return Header().sides[side].pid;
    }

    /// Writes a fresh header, as the host.
    void Initialise()
    {
        auto& header = Header();
        header.magic = kMagic;
        header.version = kVersion;
        Join();
    }

    /// Enters this process as the side's owner.
    void Join()
    {
        auto& own = Header().sides[m_side];
        own.pid = ::getpid();
        own.state.store(static_cast<std::uint32_t>(SideState::RUNNING), std::memory_order_release);
    }

    /// Makes room for another simulator, after the last one's process has ended.
    void Vacate()
    {
        auto& simulator = Header().sides[SIMULATOR];
        std::atomic_ref<std::int32_t>(simulator.pid).store(0, std::memory_order_relaxed);
        simulator.state.store(static_cast<std::uint32_t>(SideState::ABSENT),
                              std::memory_order_release);
    }

    /// Enters the process that will join as the simulator, unless it has joined already.
    void Expect(std::int32_t pid)
    {
        std::int32_t nobody = 0;
        std::atomic_ref<std::int32_t>(Header().sides[SIMULATOR].pid)
            .compare_exchange_strong(nobody, pid, std::memory_order_release);
    }

    void End(bool failed, const std::string& reason)
    {
        auto& own = Header().sides[m_side];
        std::memset(own.reason, 0, sizeof own.reason);
        reason.copy(own.reason, sizeof own.reason - 1);
        own.state.store(
            static_cast<std::uint32_t>(failed ? SideState::FAILED : SideState::FINISHED),
            std::memory_order_release);
        for (auto& other : Header().sides)
        {
            Ring(other);
        }
    }

    bool Ready() const
    {
        return Header().ready.load(std::memory_order_acquire) != 0;
    }

    std::pair<std::uint32_t, std::string> State(std::uint32_t side) const
    {
        const auto& block = Header().sides[side];
        const auto state = block.state.load(std::memory_order_acquire);
        return {state, std::string(block.reason, ::strnlen(block.reason, sizeof block.reason))};
    }

    /// \return the directory, after checking that everything in it lies inside the mapping.
    py::list Directory() const
    {
        const auto& header = Header();
        const auto bytes = static_cast<std::uint64_t>(m_buffer.size * m_buffer.itemsize);
        if (header.magic != kMagic || header.version != kVersion)
        {
            throw BridgeError("this is no segment of this version of the bridge");
        }
        if (header.bytes != bytes || header.channels > kMaxChannels)
        {
            throw BridgeError("the segment is damaged or truncated: its header says " +
                              std::to_string(header.bytes) + " bytes, it has " +
                              std::to_string(bytes));
        }
        py::list channels;
        for (std::uint32_t i = 0; i < header.channels; ++i)
        {
            const auto& e = header.directory[i];
            py::list sides;
            for (int side = 0; side < 2; ++side)
            {
                const auto inside = [bytes](std::uint64_t offset, std::uint64_t size) {
                    return offset <= bytes && size <= bytes - offset;
                };
                const auto width =
                    e.kind == ChannelKind::BLOCKS ? e.slotBytes : e.recordBytes[side];
                if (!inside(e.schemaOffset[side], e.schemaBytes[side]) ||
                    e.capacity[side] > bytes || width > bytes ||
                    !inside(e.recordsOffset[side], e.capacity[side] * width) ||
                    !inside(e.payloadOffset[side],
                            e.kind == ChannelKind::BLOCKS ? 0 : e.payloadBytes[side]))
                {
                    throw BridgeError("the segment's directory is damaged");
                }
                py::dict d;
                d["schema"] = py::str(m_base + e.schemaOffset[side],
                                      static_cast<size_t>(e.schemaBytes[side]));
                d["hash"] = e.schemaHash[side];
                d["capacity"] = e.capacity[side];
                d["records_offset"] = e.recordsOffset[side];
                d["payload_offset"] = e.payloadOffset[side];
                d["payload_bytes"] = e.payloadBytes[side];
                sides.append(d);
            }
            py::dict d;
            d["name"] = std::string(e.name, ::strnlen(e.name, kNameBytes));
            d["kind"] = static_cast<std::uint32_t>(e.kind);
            d["sides"] = sides;
            d["ends_offset"] = e.endsOffset;
            d["slot_bytes"] = e.slotBytes;
            channels.append(d);
        }
        return channels;
    }

    /// Waits until the simulator has laid out the segment, or has ended. Looks at the header alone:
    /// whoever waits for the layout has not mapped more. \return whether it is ready.
    bool WaitReady(double timeout)
    {
        const auto news = [this]() -> std::uint64_t {
            return Ready() || Simulator() == SideState::FINISHED ||
                   Simulator() == SideState::FAILED;
        };
        WaitFor(news, news, timeout, [this] { return AnyEnded(); }, [this] { return !Ready(); });
        return Ready();
    }

    /// Waits for news of any channel. \return a bit for each channel with news, bit 63
    /// when the simulator has ended, 0 after `timeout` or a signal's slice. Throws PeerDied when
    /// one of the watched processes has ended without saying so.
    std::uint64_t Wait(double timeout)
    {
        CheckOwner();
        return WaitForSimulator([this] { return News(); }, timeout);
    }

    /// Waits for `news` from the simulator, whose end without an announcement is an error.
    template <class News_> std::uint64_t WaitForSimulator(News_&& news, double timeout)
    {
        return WaitForSimulator(news, news, timeout);
    }

    /// The same with a quick look while spinning and a thorough one before each sleep.
    template <class Quick, class Thorough>
    std::uint64_t WaitForSimulator(Quick&& quick,
                                   Thorough&& thorough,
                                   double timeout,
                                   std::chrono::nanoseconds eager = Waiter::kMostYielding)
    {
        const auto disorderly = [this] {
            // An orderly end is news by itself; the process ends right after it.
            return Simulator() == SideState::RUNNING || Simulator() == SideState::ABSENT;
        };
        return WaitFor(quick, thorough, timeout, [this] { return AnyEnded(); }, disorderly, eager);
    }

    /// Waits until the blocks channel has a free slot. \return false after `timeout`.
    bool WaitFreeSlot(std::uint32_t channel, double timeout)
    {
        CheckOwner();
        const auto& e = Entry(channel, ChannelKind::BLOCKS);
        const auto ended = [this] {
            const auto state = Simulator();
            const auto host =
                static_cast<SideState>(Header().sides[HOST].state.load(std::memory_order_acquire));
            return state == SideState::FINISHED || state == SideState::FAILED ||
                   host == SideState::FINISHED || host == SideState::FAILED;
        };
        const auto news = [&]() -> std::uint64_t { return View().HasRoom(e) || ended(); };
        const bool any =
            WaitFor(news, news, timeout, [this] { return HostEnded(); }, [] { return true; }) != 0;
        if (ended())
        {
            throw PeerDied("the simulation is over: no more blocks are wanted");
        }
        return any;
    }

    /// \return position of the first unread record and how many are readable without a wrap.
    std::pair<std::uint64_t, std::uint64_t> Readable(std::uint32_t channel,
                                                     std::uint64_t read) const
    {
        CheckOwner();
        const auto& e = Entry(channel, ChannelKind::STREAM);
        return View().Readable(e, read);
    }

    void ReleaseRecords(std::uint32_t channel, std::uint64_t released)
    {
        CheckOwner();
        View().Release(Entry(channel, ChannelKind::STREAM), released);
    }

    std::array<std::uint64_t, 5> Blocks(std::uint32_t channel) const
    {
        const auto* c = At<BlocksControl>(Entry(channel, ChannelKind::BLOCKS).offset);
        return {c->published.load(std::memory_order_acquire),
                c->released.load(std::memory_order_acquire),
                c->stalls.load(std::memory_order_relaxed),
                c->stallNs.load(std::memory_order_relaxed),
                c->firstStallNs.load(std::memory_order_relaxed)};
    }

    void Publish(std::uint32_t channel, std::uint64_t number, std::uint64_t bytes)
    {
        CheckOwner();
        View().Publish(Entry(channel, ChannelKind::BLOCKS), number, bytes);
    }

    HostView View() const
    {
        return HostView{m_base};
    }

    SegmentHeader& Header() const
    {
        return *reinterpret_cast<SegmentHeader*>(m_base);
    }

    template <class T> T* At(std::uint64_t offset) const
    {
        return reinterpret_cast<T*>(m_base + offset);
    }

    const ChannelEntry& Entry(std::uint32_t channel, ChannelKind kind) const
    {
        if (channel >= Header().channels || Header().directory[channel].kind != kind)
        {
            throw BridgeError("no such channel of that kind");
        }
        return Header().directory[channel];
    }

    SideState Simulator() const
    {
        return static_cast<SideState>(
            Header().sides[SIMULATOR].state.load(std::memory_order_acquire));
    }

    /// \return the number of a stream whose writer waits for room, or -1.
    int FullStream() const
    {
        const auto channels = std::min<std::uint32_t>(Header().channels, kMaxChannels);
        for (std::uint32_t i = 0; i < channels; ++i)
        {
            const auto& e = Header().directory[i];
            if (e.kind == ChannelKind::STREAM &&
                At<StreamControl>(e.offset)->writerWaits.load(std::memory_order_acquire) != 0)
            {
                return static_cast<int>(i);
            }
        }
        return -1;
    }

  private:
    std::uint64_t News() const
    {
        std::uint64_t news = 0;
        if (!Ready() || Header().bytes > static_cast<std::uint64_t>(m_buffer.size))
        {
            // Only the header is mapped: the channels lie behind it.
            return Simulator() == SideState::FAILED ? std::uint64_t{1} << 63 : 0;
        }
        const auto channels = std::min<std::uint32_t>(Header().channels, kMaxChannels);
        for (std::uint32_t i = 0; i < channels; ++i)
        {
            news |= std::uint64_t{View().IsFresh(Header().directory[i])} << i;
        }
        const auto state = Simulator();
        if (state == SideState::FINISHED || state == SideState::FAILED)
        {
            news |= std::uint64_t{1} << 63;
        }
        return news;
    }

    bool AnyEnded() const
    {
        return std::any_of(m_pidfds.begin(), m_pidfds.end(), HasEnded);
    }

    bool HostEnded()
    {
        if (m_hostPidfd < 0)
        {
            m_hostPidfd = OpenPidfd(Header().sides[HOST].pid);
            if (m_hostPidfd < 0 && errno == ESRCH)
            {
                return true; // it was gone before we first looked
            }
        }
        return HasEnded(m_hostPidfd);
    }

    /// Waits for `news`; throws PeerDied when the other process has `ended` and that is `fatal`.
    template <class Quick, class Thorough, class Ended, class Fatal>
    std::uint64_t WaitFor(Quick&& quick,
                          Thorough&& thorough,
                          double timeout,
                          Ended&& ended,
                          Fatal&& fatal,
                          std::chrono::nanoseconds eager = Waiter::kMostYielding)
    {
        std::uint64_t found = 0;
        const auto look = [&] { return (found = thorough()) != 0; };
        // The GIL stays ours while we spin: giving it back and taking it again costs more than a
        // typical answer takes.
        if (m_waiter.Spin([&] { return (found = quick()) != 0; }))
        {
            return found;
        }
        if (!m_tick)
        {
            m_tick.emplace(Header().sides[m_side]);
        }
        const auto deadline = Clock::now() + Seconds(timeout);
        while (true)
        {
            std::chrono::nanoseconds left{0};
            if (timeout < kForEver)
            {
                const Seconds rest = deadline - Clock::now();
                if (rest.count() <= 0)
                {
                    return 0;
                }
                left = rest < 2 * Ticker::kPeriod
                           ? std::chrono::ceil<std::chrono::nanoseconds>(rest)
                           : left;
            }
            bool any = false;
            bool dead = false;
            {
                const py::gil_scoped_release released;
                any = m_waiter.Sleep(look, left, eager);
                dead = !any && ended();
            }
            if (PyErr_CheckSignals() != 0)
            {
                throw py::error_already_set();
            }
            if (any || look())
            {
                return found;
            }
            if (dead && fatal())
            {
                throw PeerDied("the other process has ended");
            }
        }
    }

    py::buffer_info m_buffer;
    char* m_base;
    std::uint32_t m_side;
    Waiter m_waiter;
    std::optional<Ticker::Subscription> m_tick; ///< since the first sleep
    std::vector<int> m_pidfds;
    int m_hostPidfd = -1;
    bool m_foreign = false;
};

} // namespace cosim::bridge

#endif // COSIM_BRIDGE_SRC_NATIVE_SIDE_HPP
