// SPDX-License-Identifier: MIT
/**
 * \file
 * The Python side's native part: waiting, and the atomics that publish and release. Records are
 * read and written by NumPy through the same mapping; nothing here copies them.
 */
#include "cosim/bridge/bridge.hpp"
#include "cosim/sim/records.hpp"

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

namespace py = pybind11;
using namespace cosim::bridge;

namespace
{

using Seconds = std::chrono::duration<double>;

/// A side of a mapped segment. The buffer (an mmap) is kept alive; all offsets were checked by
/// Open.
class NativeSide
{
  public:
    NativeSide(const py::buffer& memory, std::uint32_t side)
        : m_buffer(memory.request(true)),
          m_base(static_cast<char*>(m_buffer.ptr)),
          m_side(side),
          m_waiter(Header().sides[side])
    {
        const auto bytes = static_cast<std::size_t>(m_buffer.size * m_buffer.itemsize);
        if (side >= SIDES || bytes < sizeof(SegmentHeader))
        {
            throw BridgeError("no bridge segment: it is smaller than its own header");
        }
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
    bool WaitReady(double timeout, const std::vector<int>& pidfds)
    {
        const auto news = [this]() -> std::uint64_t {
            return Ready() || Simulator() == SideState::FINISHED ||
                   Simulator() == SideState::FAILED;
        };
        WaitFor(news, timeout, [&] { return AnyEnded(pidfds); }, [this] { return !Ready(); });
        return Ready();
    }

    /// Waits for news of any channel. \return a bit for each channel with news, bit 63
    /// when the simulator has ended, 0 after `timeout` or a signal's slice. Throws PeerDied when
    /// one of the processes behind `pidfds` has ended without saying so.
    std::uint64_t Wait(double timeout, const std::vector<int>& pidfds)
    {
        const auto orderly = [this] {
            // An orderly end is news by itself; the process ends right after it.
            return Simulator() == SideState::RUNNING || Simulator() == SideState::ABSENT;
        };
        return WaitFor(
            [this] { return News(); }, timeout, [&] { return AnyEnded(pidfds); }, orderly);
    }

    /// Waits until the blocks channel has a free slot. \return false after `timeout`.
    bool WaitFreeSlot(std::uint32_t channel, double timeout)
    {
        const auto& e = Entry(channel, ChannelKind::BLOCKS);
        auto* control = At<BlocksControl>(e.offset);
        const auto slots = e.capacity[0];
        const auto ended = [this] {
            const auto state = Simulator();
            const auto host =
                static_cast<SideState>(Header().sides[HOST].state.load(std::memory_order_acquire));
            return state == SideState::FINISHED || state == SideState::FAILED ||
                   host == SideState::FINISHED || host == SideState::FAILED;
        };
        const auto news = [&]() -> std::uint64_t {
            return control->published.load(std::memory_order_relaxed) -
                           control->released.load(std::memory_order_acquire) <
                       slots ||
                   ended();
        };
        const bool any =
            WaitFor(news, timeout, [this] { return HostEnded(); }, [] { return true; }) != 0;
        if (ended())
        {
            throw PeerDied("the simulation is over: no more blocks are wanted");
        }
        return any;
    }

    /// \return whether a batch is pending, its records and its payload bytes.
    std::tuple<bool, std::uint32_t, std::uint64_t> Request(std::uint32_t channel) const
    {
        const auto& e = Entry(channel, ChannelKind::EXCHANGE);
        const auto* c = At<ExchangeControl>(e.offset);
        const bool pending =
            c->request.load(std::memory_order_acquire) != c->answer.load(std::memory_order_relaxed);
        return {pending, std::min<std::uint64_t>(c->outRecords, e.capacity[0]), c->outPayload};
    }

    void Answer(std::uint32_t channel, std::uint32_t records, std::uint64_t payload)
    {
        const auto& e = Entry(channel, ChannelKind::EXCHANGE);
        auto* c = At<ExchangeControl>(e.offset);
        c->inRecords = records;
        c->inPayload = payload;
        // Release: the simulator that reads the number also reads the records.
        c->answer.store(c->request.load(std::memory_order_relaxed), std::memory_order_release);
        Ring(Header().sides[SIMULATOR]);
    }

    /// \return position of the first unread record and how many are readable without a wrap.
    std::pair<std::uint64_t, std::uint64_t> Readable(std::uint32_t channel,
                                                     std::uint64_t read) const
    {
        const auto& e = Entry(channel, ChannelKind::STREAM);
        auto* c = At<StreamControl>(e.offset);
        c->flushed.store(0, std::memory_order_relaxed);
        // Acquire pairs with the writer's release: the records are there.
        const auto written = c->written.load(std::memory_order_acquire);
        const auto at = read % e.capacity[0];
        return {at, std::min(written - read, e.capacity[0] - at)};
    }

    void ReleaseRecords(std::uint32_t channel, std::uint64_t released)
    {
        const auto& e = Entry(channel, ChannelKind::STREAM);
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
            Ring(Header().sides[SIMULATOR]);
        }
    }

    std::tuple<std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t> Blocks(
        std::uint32_t channel) const
    {
        const auto* c = At<BlocksControl>(Entry(channel, ChannelKind::BLOCKS).offset);
        return {c->published.load(std::memory_order_acquire),
                c->released.load(std::memory_order_acquire),
                c->stalls.load(std::memory_order_relaxed),
                c->stallNs.load(std::memory_order_relaxed)};
    }

    void Publish(std::uint32_t channel, std::uint64_t number, std::uint64_t bytes)
    {
        const auto& e = Entry(channel, ChannelKind::BLOCKS);
        auto* c = At<BlocksControl>(e.offset);
        At<std::uint64_t>(e.endsOffset)[number % e.capacity[0]] = bytes;
        // Release: the simulator that reads the count also reads the block.
        c->published.store(number + 1, std::memory_order_release);
        Ring(Header().sides[SIMULATOR]);
    }

  private:
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
            const auto& e = Header().directory[i];
            bool fresh = false;
            if (e.kind == ChannelKind::EXCHANGE)
            {
                const auto* c = At<ExchangeControl>(e.offset);
                fresh = c->request.load(std::memory_order_acquire) !=
                        c->answer.load(std::memory_order_relaxed);
            }
            else if (e.kind == ChannelKind::STREAM)
            {
                const auto* c = At<StreamControl>(e.offset);
                const auto unread = c->written.load(std::memory_order_acquire) -
                                    c->released.load(std::memory_order_relaxed);
                fresh = unread > 0 && (2 * unread >= e.capacity[0] ||
                                       c->writerWaits.load(std::memory_order_acquire) != 0 ||
                                       c->flushed.load(std::memory_order_acquire) != 0);
            }
            news |= std::uint64_t{fresh} << i;
        }
        const auto state = Simulator();
        if (state == SideState::FINISHED || state == SideState::FAILED)
        {
            news |= std::uint64_t{1} << 63;
        }
        return news;
    }

    static bool AnyEnded(const std::vector<int>& pidfds)
    {
        return std::any_of(pidfds.begin(), pidfds.end(), HasEnded);
    }

    bool HostEnded()
    {
        if (m_hostPidfd < 0)
        {
            m_hostPidfd = static_cast<int>(::syscall(SYS_pidfd_open, Header().sides[HOST].pid, 0));
            if (m_hostPidfd < 0 && errno == ESRCH)
            {
                return true; // it was gone before we first looked
            }
        }
        return HasEnded(m_hostPidfd);
    }

    /// Waits for `news`; throws PeerDied when the other process has `ended` and that is `fatal`.
    template <class News_, class Ended, class Fatal>
    std::uint64_t WaitFor(News_&& news, double timeout, Ended&& ended, Fatal&& fatal)
    {
        std::uint64_t found = 0;
        const auto look = [&] { return (found = news()) != 0; };
        // The GIL stays ours while we spin: giving it back and taking it again costs more than a
        // typical answer takes.
        if (m_waiter.Spin(look))
        {
            return found;
        }
        const auto deadline = Clock::now() + Seconds(timeout);
        while (true)
        {
            const auto left = std::chrono::duration_cast<std::chrono::nanoseconds>(
                std::min<Seconds>(deadline - Clock::now(), std::chrono::milliseconds{100}));
            if (left.count() <= 0)
            {
                return 0;
            }
            bool any = false;
            bool dead = false;
            {
                const py::gil_scoped_release released;
                any = m_waiter.Sleep(look, left);
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
    int m_hostPidfd = -1;
};

template <class Record> void AddSchema(py::dict& schemas, const char* name)
{
    schemas[name] = py::make_tuple(Schema<Record>::Description(), Schema<Record>::Hash());
}

} // namespace

PYBIND11_MODULE(_bridge, module)
{
    module.doc() = "Native part of cosim.bridge.";
    const auto base =
        py::register_exception<BridgeError>(module, "BridgeError", PyExc_RuntimeError);
    py::register_exception<PeerDied>(module, "PeerDied", base.ptr());

    py::class_<NativeSide>(module, "NativeSide")
        .def(py::init<const py::buffer&, std::uint32_t>())
        .def("initialise", &NativeSide::Initialise)
        .def("join", &NativeSide::Join)
        .def("end", &NativeSide::End)
        .def("ready", &NativeSide::Ready)
        .def("state", &NativeSide::State)
        .def("directory", &NativeSide::Directory)
        .def("wait", &NativeSide::Wait)
        .def("wait_ready", &NativeSide::WaitReady)
        .def("wait_free_slot", &NativeSide::WaitFreeSlot)
        .def("request", &NativeSide::Request)
        .def("answer", &NativeSide::Answer)
        .def("readable", &NativeSide::Readable)
        .def("release_records", &NativeSide::ReleaseRecords)
        .def("blocks", &NativeSide::Blocks)
        .def("publish", &NativeSide::Publish);

    module.def("end_with_parent", [] {
        // A producer that computes when its host is killed must not go on computing.
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    });

    module.attr("HEADER_BYTES") = AlignUp(sizeof(SegmentHeader), kPage);
    module.attr("SIDES") = py::dict(py::arg("simulator") = static_cast<int>(SIMULATOR),
                                    py::arg("host") = static_cast<int>(HOST),
                                    py::arg("producer") = static_cast<int>(PRODUCER));

    using namespace cosim::sim;
    py::dict schemas;
    AddSchema<SetupRequest>(schemas, "SetupRequest");
    AddSchema<SetupPart>(schemas, "SetupPart");
    AddSchema<NodeEvent>(schemas, "NodeEvent");
    AddSchema<NodeAction>(schemas, "NodeAction");
    AddSchema<PacketDescriptor>(schemas, "PacketDescriptor");
    AddSchema<SlotRecord>(schemas, "SlotRecord");
    AddSchema<PacketRecord>(schemas, "PacketRecord");
    AddSchema<KpiRecord>(schemas, "KpiRecord");
    AddSchema<DeliveryRecord>(schemas, "DeliveryRecord");
    AddSchema<CounterRecord>(schemas, "CounterRecord");
    AddSchema<ChannelBlock>(schemas, "ChannelBlock");
    module.attr("SIM_SCHEMAS") = schemas;
}
