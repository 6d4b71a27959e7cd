// SPDX-License-Identifier: MIT
/**
 * \file
 * The Python side's native part: waiting, and the atomics that publish and release. Records are
 * read and written by NumPy through the same mapping; nothing here copies them.
 */
#include "cosim/bridge/bridge.hpp"
#include "cosim/ns3ai/layout.hpp"
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
        WaitFor(news, timeout, [this] { return AnyEnded(); }, [this] { return !Ready(); });
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
        const auto disorderly = [this] {
            // An orderly end is news by itself; the process ends right after it.
            return Simulator() == SideState::RUNNING || Simulator() == SideState::ABSENT;
        };
        return WaitFor(news, timeout, [this] { return AnyEnded(); }, disorderly);
    }

    /// Waits until the blocks channel has a free slot. \return false after `timeout`.
    bool WaitFreeSlot(std::uint32_t channel, double timeout)
    {
        CheckOwner();
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

    /// \return position of the first unread record and how many are readable without a wrap.
    std::pair<std::uint64_t, std::uint64_t> Readable(std::uint32_t channel,
                                                     std::uint64_t read) const
    {
        CheckOwner();
        const auto& e = Entry(channel, ChannelKind::STREAM);
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

    void ReleaseRecords(std::uint32_t channel, std::uint64_t released)
    {
        CheckOwner();
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
        CheckOwner();
        const auto& e = Entry(channel, ChannelKind::BLOCKS);
        auto* c = At<BlocksControl>(e.offset);
        At<std::uint64_t>(e.endsOffset)[number % e.capacity[0]] = bytes;
        // Release: the simulator that reads the count also reads the block.
        c->published.store(number + 1, std::memory_order_release);
        Ring(Header().sides[SIMULATOR]);
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
    std::vector<int> m_pidfds;
    int m_hostPidfd = -1;
    bool m_foreign = false;
};

/// The host's end of one exchange, with as little as possible between two batches.
class NativeExchange
{
  public:
    NativeExchange(NativeSide& side, std::uint32_t channel)
        : m_side(side),
          m_entry(side.Entry(channel, ChannelKind::EXCHANGE)),
          m_control(side.At<ExchangeControl>(m_entry.offset)),
          m_reply(side.At<char>(m_entry.recordsOffset[1]))
    {
    }

    /// \return the records of the pending batch, or -1 if there is none.
    std::int64_t Poll()
    {
        m_side.CheckOwner();
        return Look();
    }

    /// Waits for a batch. \return its records, -1 after `timeout`, -2 when the simulator has ended
    /// (also with an error). Throws PeerDied as NativeSide::Wait does, and BridgeError when the
    /// simulator waits for room in a stream, because then no batch will ever come.
    std::int64_t Wait(double timeout)
    {
        m_side.CheckOwner();
        std::int64_t count = -1;
        unsigned looks = 0;
        const auto news = [&]() -> std::uint64_t {
            if ((count = Look()) >= 0)
            {
                return 1;
            }
            // The rest is rare and lies in other cache lines: not at every turn of a spin.
            if (++looks % 32 != 1)
            {
                return 0;
            }
            const auto state = m_side.Simulator();
            if (state == SideState::FINISHED || state == SideState::FAILED)
            {
                count = Look(); // a batch that came just before the end
                count = count >= 0 ? count : -2;
                return 1;
            }
            return 0;
        };
        const auto slow = [&]() -> std::uint64_t {
            looks = 0;
            if (const int stream = m_side.FullStream(); stream >= 0 && Look() < 0)
            {
                throw BridgeError(std::string("the stream '") +
                                  m_side.Header().directory[stream].name +
                                  "' is full, so the simulator waits and no request can come: read "
                                  "the streams too (Bridge.wait)");
            }
            return news();
        };
        if (news() == 0)
        {
            m_side.WaitForSimulator(slow, timeout);
        }
        return count;
    }

    /// Zeroes the first records of the answer.
    void Clear(std::size_t count)
    {
        std::memset(m_reply, 0, std::min(count, m_entry.capacity[1]) * m_entry.recordBytes[1]);
    }

    void Answer(std::uint32_t records, std::uint64_t payload)
    {
        m_side.CheckOwner();
        if (!m_pending)
        {
            throw BridgeError(std::string("exchange '") + m_entry.name +
                              "': there is no request to answer");
        }
        m_control->inRecords = records;
        m_control->inPayload = payload;
        m_pending = false;
        // Release: the simulator that reads the number also reads the records. The number is that
        // of the batch that was read, not of whatever stands there now.
        m_control->answer.store(m_number, std::memory_order_release);
        Ring(m_side.Header().sides[SIMULATOR]);
    }

  private:
    std::int64_t Look()
    {
        // Acquire: whoever reads the number also reads the batch.
        const auto request = m_control->request.load(std::memory_order_acquire);
        if (request == m_control->answer.load(std::memory_order_relaxed))
        {
            return -1;
        }
        m_number = request;
        m_pending = true;
        return static_cast<std::int64_t>(
            std::min<std::uint64_t>(m_control->outRecords, m_entry.capacity[0]));
    }

    NativeSide& m_side;
    const ChannelEntry& m_entry;
    ExchangeControl* m_control;
    char* m_reply;
    std::uint32_t m_number = 0;
    bool m_pending = false;
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
        .def("vacate", &NativeSide::Vacate)
        .def("expect", &NativeSide::Expect)
        .def("end", &NativeSide::End)
        .def("ready", &NativeSide::Ready)
        .def("state", &NativeSide::State)
        .def("directory", &NativeSide::Directory)
        .def("disown", &NativeSide::Disown)
        .def("watch", &NativeSide::Watch)
        .def("pid", &NativeSide::Pid)
        .def("wait", &NativeSide::Wait)
        .def("wait_ready", &NativeSide::WaitReady)
        .def("wait_free_slot", &NativeSide::WaitFreeSlot)
        .def("readable", &NativeSide::Readable)
        .def("release_records", &NativeSide::ReleaseRecords)
        .def("blocks", &NativeSide::Blocks)
        .def("publish", &NativeSide::Publish);

    py::class_<NativeExchange>(module, "NativeExchange")
        .def(py::init<NativeSide&, std::uint32_t>(), py::keep_alive<1, 2>())
        .def("poll", &NativeExchange::Poll)
        .def("wait", &NativeExchange::Wait)
        .def("clear", &NativeExchange::Clear)
        .def("answer", &NativeExchange::Answer);

    module.def("end_with_parent", [] {
        // A producer that computes when its host is killed must not go on computing. The watch
        // lasts as long as the process, so nothing may end it.
        static auto* watch = new HostWatch(OpenPidfd(::getppid()));
        static_cast<void>(watch);
    });

    module.def("link_of", &LinkOf, "Path of the link by which a named bridge is found.");

    module.attr("HEADER_BYTES") = AlignUp(sizeof(SegmentHeader), kPage);
    module.attr("NS3AI_TURNS") =
        py::make_tuple(cosim::ns3ai::kControlOffset + offsetof(cosim::ns3ai::Control, turns),
                       sizeof(cosim::ns3ai::Turns));
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
    AddSchema<SchedulerCandidate>(schemas, "SchedulerCandidate");
    AddSchema<SchedulerDecision>(schemas, "SchedulerDecision");
    AddSchema<SlotRecord>(schemas, "SlotRecord");
    AddSchema<PacketRecord>(schemas, "PacketRecord");
    AddSchema<KpiRecord>(schemas, "KpiRecord");
    AddSchema<DeliveryRecord>(schemas, "DeliveryRecord");
    AddSchema<CounterRecord>(schemas, "CounterRecord");
    AddSchema<ChannelBlock>(schemas, "ChannelBlock");
    module.attr("SIM_SCHEMAS") = schemas;
}
