// SPDX-License-Identifier: MIT
#ifndef COSIM_NS3AI_CONNECTION_HPP
#define COSIM_NS3AI_CONNECTION_HPP

#include "find_segment.hpp"
#include "layout.hpp"

#include "cosim/bridge/host_watch.hpp"
#include "cosim/bridge/memory_limit.hpp"
#include "cosim/bridge/ticker.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <string>

#include <pthread.h>
#include <sys/mman.h>
#include <sys/stat.h>

namespace cosim::ns3ai
{

/// How the C++ half waits; see PythonHalf for the other.
struct CppHalf
{
    static constexpr bool kPython = false;

    template <class Action> static void Pause(Action&& sleep)
    {
        sleep();
    }
};

/**
 * One process's end of the segment: the mapping, its turn-taking, and the other process's life.
 *
 * The process that creates the segment is the bridge's HOST side, whichever language it is written
 * in; the one that opens it is the SIMULATOR side.
 */
class Connection
{
  public:
    Connection(bool creator,
               bool useVector,
               std::uint64_t leastBytes,
               std::uint64_t cpp2pyBytes,
               std::uint64_t py2cppBytes,
               const Names& names)
        : m_creator(creator),
          m_segment(creator ? CreateSegment(names) : OpenSegment(names))
    {
        Forks(); // counts from here on
        m_forks = Forks();
        if (const char* limit = std::getenv("COSIM_NS3AI_TIMEOUT_S"))
        {
            m_timeout = std::chrono::duration<double>(std::max(0.0, std::atof(limit)));
        }
        try
        {
            creator ? Create(useVector, leastBytes, cpp2pyBytes, py2cppBytes)
                    : Open(useVector, cpp2pyBytes, py2cppBytes);
        }
        catch (...)
        {
            Unmap();
            throw;
        }
        m_waiter = bridge::Waiter(&Own());
    }

    ~Connection()
    {
        End();
        Unmap();
    }

    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    Control& Shared() const
    {
        return *reinterpret_cast<Control*>(m_base + kControlOffset);
    }

    void* At(const Area& area) const
    {
        return m_base + area.offset;
    }

    /// Takes memory for the first `bytes` of an area, so that running out is an error here and not
    /// a SIGBUS at some later access.
    void Reserve(Area& area, std::uint64_t bytes, const char* what)
    {
        if (bytes <= area.taken)
        {
            return;
        }
        CheckOwner();
        const auto most = Shared().areaBytes;
        if (bytes > most)
        {
            throw bridge::BridgeError(std::string("ns3-ai: ") + what + " of " +
                                      std::to_string(bytes) + " bytes, at most " +
                                      std::to_string(most) +
                                      " fit: give Experiment(shmSize=...) more in Python");
        }
        const auto wanted = std::min(most, std::max(bytes, 2 * area.taken));
        bridge::CheckMemory(wanted - area.taken);
        const int failed = ::posix_fallocate(
            m_segment.Fd(), static_cast<off_t>(area.offset), static_cast<off_t>(wanted));
        if (failed != 0)
        {
            throw bridge::BridgeError(std::string("ns3-ai: no memory for ") + what + " of " +
                                      std::to_string(bytes) + " bytes: " + std::strerror(failed));
        }
        area.taken = wanted;
    }

    /// Waits until the last message of this direction was read. \return false when it never will.
    template <class Half> bool BeginSend(Turn& turn, const char* what)
    {
        return Wait<Half>(
            [&turn] {
                // Acquire: the reader's reads are over before we overwrite what it read.
                return turn.received.load(std::memory_order_acquire) ==
                       turn.sent.load(std::memory_order_relaxed);
            },
            what);
    }

    void EndSend(Turn& turn, const char* what)
    {
        CheckOwner();
        const auto sent = turn.sent.load(std::memory_order_relaxed);
        if (sent != turn.received.load(std::memory_order_relaxed))
        {
            throw bridge::BridgeError(std::string("ns3-ai: ") + what +
                                      "End() without Begin(): the last message was not read yet");
        }
        // Release: whoever sees the count sees the message.
        turn.sent.store(sent + 1, std::memory_order_release);
        bridge::Ring(Peer());
    }

    /// Waits for a message. \return false when the other half has ended in order instead.
    template <class Half> bool BeginReceive(Turn& turn, const char* what)
    {
        return Wait<Half>(
            [&turn] {
                // Acquire: whoever sees the count sees the message.
                return turn.sent.load(std::memory_order_acquire) !=
                       turn.received.load(std::memory_order_relaxed);
            },
            what);
    }

    void EndReceive(Turn& turn, const char* what)
    {
        CheckOwner();
        const auto received = turn.received.load(std::memory_order_relaxed);
        if (turn.sent.load(std::memory_order_relaxed) == received)
        {
            if (PeerState() == bridge::SideState::FINISHED)
            {
                return; // there was none
            }
            throw bridge::BridgeError(std::string("ns3-ai: ") + what +
                                      "End() without Begin(): no message came");
        }
        // Release: our reads are over.
        turn.received.store(received + 1, std::memory_order_release);
        bridge::Ring(Peer());
    }

    /// Announces an orderly end; what was sent before stays readable.
    void End()
    {
        if (m_ended || m_forks != Forks())
        {
            return;
        }
        m_ended = true;
        Own().state.store(static_cast<std::uint32_t>(bridge::SideState::FINISHED),
                          std::memory_order_release);
        if (m_watch)
        {
            m_watch->Stop(); // the program may outlive Python now, to write its own results
        }
        bridge::Ring(Peer());
    }

  private:
    /// Address space only: vectors grow up to it without moving.
    static constexpr std::uint64_t kAreaBytes = std::uint64_t{1} << 30;

    /// \return how often this process is a fork since the first call.
    static unsigned Forks()
    {
        static unsigned forks = 0;
        static const int registered = ::pthread_atfork(nullptr, nullptr, [] { ++forks; });
        static_cast<void>(registered);
        return forks;
    }

    void CheckOwner() const
    {
        if (m_forks != Forks())
        {
            throw bridge::BridgeError(
                "ns3-ai: a message interface cannot be used in a forked child: make one there");
        }
    }

    bridge::SegmentHeader& Header() const
    {
        return *reinterpret_cast<bridge::SegmentHeader*>(m_base);
    }

    bridge::SideBlock& Own() const
    {
        return Header().sides[m_creator ? bridge::HOST : bridge::SIMULATOR];
    }

    bridge::SideBlock& Peer() const
    {
        return Header().sides[m_creator ? bridge::SIMULATOR : bridge::HOST];
    }

    bridge::SideState PeerState() const
    {
        return static_cast<bridge::SideState>(Peer().state.load(std::memory_order_acquire));
    }

    /// Lays the segment out, as the process that will wait for the other one.
    void Create(bool useVector,
                std::uint64_t leastBytes,
                std::uint64_t cpp2pyBytes,
                std::uint64_t py2cppBytes)
    {
        auto area = bridge::AlignUp(
            std::max({leastBytes, useVector ? kAreaBytes : 0, cpp2pyBytes, py2cppBytes}),
            bridge::kPage);
        // Where address space is limited (ulimit -v) take what there is.
        const auto floor = std::max({leastBytes, cpp2pyBytes, py2cppBytes});
        while (!Map(kAreasOffset + 2 * area))
        {
            area /= 2;
            if (area < floor)
            {
                throw bridge::BridgeError("ns3-ai: no address space for messages of " +
                                          std::to_string(floor) + " bytes");
            }
            area = bridge::AlignUp(area, bridge::kPage);
        }
        const int failed = ::posix_fallocate(m_segment.Fd(), 0, static_cast<off_t>(kAreasOffset));
        if (failed != 0)
        {
            throw bridge::BridgeError(std::string("ns3-ai: no memory: ") + std::strerror(failed));
        }
        auto& header = Header();
        header.magic = bridge::kMagic;
        header.version = bridge::kVersion;
        auto& control = Shared();
        control.areaBytes = area;
        control.useVector = useVector ? 1 : 0;
        control.cpp2py = {kAreasOffset, cpp2pyBytes, 0, 0};
        control.py2cpp = {kAreasOffset + area, py2cppBytes, 0, 0};
        Reserve(control.cpp2py, std::max<std::uint64_t>(cpp2pyBytes, 1), "a struct");
        Reserve(control.py2cpp, std::max<std::uint64_t>(py2cppBytes, 1), "a struct");
        Join();
        // Release: whoever sees the number sees the layout.
        control.magic.store(kMagic, std::memory_order_release);
    }

    void Open(bool useVector, std::uint64_t cpp2pyBytes, std::uint64_t py2cppBytes)
    {
        struct stat info{};
        if (::fstat(m_segment.Fd(), &info) != 0 ||
            static_cast<std::uint64_t>(info.st_size) < kAreasOffset || !Map(kAreasOffset) ||
            Header().magic != bridge::kMagic || Header().version != bridge::kVersion ||
            Shared().magic.load(std::memory_order_acquire) != kMagic)
        {
            throw bridge::BridgeError(
                "ns3-ai: the segment was not made by this version's message interface: build the "
                "program and the Python module with the headers of the installed package");
        }
        const auto area = Shared().areaBytes;
        const auto differ = [](const char* what, std::uint64_t here, std::uint64_t there) {
            if (here != there)
            {
                throw bridge::BridgeError(
                    std::string("ns3-ai: ") + what + " differ: " + std::to_string(here) +
                    " in this program, " + std::to_string(there) +
                    " in the one that made the memory: both halves must use the same structs and "
                    "the same SetUseVector / Experiment(useVector=...)");
            }
        };
        differ("useVector flags", useVector ? 1 : 0, Shared().useVector);
        differ("sizes of the C++-to-Python struct", cpp2pyBytes, Shared().cpp2py.elementBytes);
        differ("sizes of the Python-to-C++ struct", py2cppBytes, Shared().py2cpp.elementBytes);
        Unmap();
        if (area > (std::uint64_t{1} << 46) || !Map(kAreasOffset + 2 * area))
        {
            throw bridge::BridgeError("ns3-ai: no address space for two areas of " +
                                      std::to_string(area) + " bytes");
        }
        const auto host = PidOf(Peer()).load(std::memory_order_acquire);
        if (Own().state.load(std::memory_order_acquire) ==
                static_cast<std::uint32_t>(bridge::SideState::RUNNING) &&
            ::kill(PidOf(Own()).load(std::memory_order_relaxed), 0) == 0)
        {
            throw bridge::BridgeError("ns3-ai: another program uses this experiment's memory");
        }
        Join();
        if (m_segment.Inherited())
        {
            m_peer = bridge::OpenPidfd(host);
            m_peerPid = host;
            m_watch = std::make_unique<bridge::HostWatch>(m_peer);
        }
    }

    void Join()
    {
        PidOf(Own()).store(::getpid(), std::memory_order_release);
        Own().state.store(static_cast<std::uint32_t>(bridge::SideState::RUNNING),
                          std::memory_order_release);
    }

    static std::atomic_ref<std::int32_t> PidOf(bridge::SideBlock& side)
    {
        return std::atomic_ref<std::int32_t>(side.pid);
    }

    /// \return whether the process behind the other side has ended. Its number may change once:
    /// from a script that Python started to the program that the script starts.
    bool PeerEnded()
    {
        const auto pid = PidOf(Peer()).load(std::memory_order_acquire);
        if (pid <= 0)
        {
            return false; // nobody was started yet
        }
        if (pid != m_peerPid)
        {
            ClosePeer();
            m_peer = bridge::OpenPidfd(pid);
            m_peerPid = pid;
            if (m_peer < 0)
            {
                return errno == ESRCH;
            }
        }
        return m_peer < 0 ? ::kill(pid, 0) != 0 && errno == ESRCH : bridge::HasEnded(m_peer);
    }

    /// \return true with news, false when the other half has ended in order.
    template <class Half, class News> bool Wait(News&& news, const char* what)
    {
        CheckOwner();
        if (m_waiter.Spin(news))
        {
            return true;
        }
        if (!m_tick)
        {
            m_tick.emplace(Own());
        }
        const auto start = bridge::Clock::now();
        while (true)
        {
            std::chrono::nanoseconds slice{0};
            if (m_timeout.count() > 0)
            {
                const auto left = std::chrono::duration_cast<std::chrono::nanoseconds>(
                    m_timeout - (bridge::Clock::now() - start));
                if (left.count() <= 0)
                {
                    throw bridge::Timeout(std::string("ns3-ai: ") + what +
                                          "Begin() waited longer than COSIM_NS3AI_TIMEOUT_S");
                }
                slice = left < 2 * bridge::Ticker::kPeriod ? left : slice;
            }
            const auto ended = [this] { return PeerState() == bridge::SideState::FINISHED; };
            const auto any = [&news, &ended] { return news() || ended(); };
            bool dead = false;
            Half::Pause([&] { dead = !m_waiter.Sleep(any, slice) && PeerEnded(); });
            if (news())
            {
                return true;
            }
            if (ended())
            {
                if (news()) // a message that came just before the end
                {
                    return true;
                }
                return false;
            }
            if (dead && !ended())
            {
                throw bridge::PeerDied(
                    std::string("ns3-ai: the other process (") + std::to_string(m_peerPid) +
                    ") has ended while " + what + "Begin() waited for it" +
                    (Half::kPython ? ": see its output (Experiment.run(show_output=True))" : ""));
            }
        }
    }

    bool Map(std::uint64_t bytes)
    {
        // Beyond the file's end there is address space only; Reserve moves the end.
        void* base = ::mmap(
            nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, m_segment.Fd(), 0);
        if (base == MAP_FAILED)
        {
            return false;
        }
        m_base = static_cast<char*>(base);
        m_bytes = bytes;
        return true;
    }

    void Unmap()
    {
        m_tick.reset();
        if (m_base != nullptr)
        {
            ::munmap(m_base, m_bytes);
            m_base = nullptr;
        }
        m_watch.reset();
        ClosePeer();
    }

    void ClosePeer()
    {
        if (m_peer >= 0)
        {
            ::close(m_peer);
            m_peer = -1;
        }
    }

    bool m_creator;
    FoundSegment m_segment;
    unsigned m_forks = 0;
    char* m_base = nullptr;
    std::uint64_t m_bytes = 0;
    std::chrono::duration<double> m_timeout{0};
    bridge::Waiter m_waiter;
    std::unique_ptr<bridge::HostWatch> m_watch;
    std::optional<bridge::Ticker::Subscription> m_tick; ///< since the first sleep
    int m_peer = -1;                                    ///< pidfd
    std::int32_t m_peerPid = 0;
    bool m_ended = false;
};

} // namespace cosim::ns3ai

#endif // COSIM_NS3AI_CONNECTION_HPP
