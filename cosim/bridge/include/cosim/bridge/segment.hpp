// SPDX-License-Identifier: MIT
#ifndef COSIM_BRIDGE_SEGMENT_HPP
#define COSIM_BRIDGE_SEGMENT_HPP

#include "error.hpp"
#include "layout.hpp"
#include "memory_limit.hpp"
#include "ticker.hpp"

#include <cerrno>
#include <cstring>
#include <optional>
#include <string>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

namespace cosim::bridge
{

/// The mapped segment as the simulator sees it: the mapping, its own side, and the peer it depends
/// on.
class Segment
{
  public:
    /// Maps the first pages of the descriptor and checks that the host made them.
    explicit Segment(int fd)
        : m_fd(fd)
    {
        struct stat info{};
        if (::fstat(fd, &info) != 0)
        {
            throw BridgeError("the bridge's descriptor " + std::to_string(fd) +
                              " is not open: start the program through cosim.bridge");
        }
        if (static_cast<std::size_t>(info.st_size) < sizeof(SegmentHeader))
        {
            throw BridgeError("the bridge's segment is truncated: " + std::to_string(info.st_size) +
                              " bytes, its header alone has " +
                              std::to_string(sizeof(SegmentHeader)));
        }
        Map(sizeof(SegmentHeader));
        try
        {
            CheckHeader();
        }
        catch (...)
        {
            Unmap();
            throw;
        }
    }

    ~Segment()
    {
        Unmap();
    }

    Segment(const Segment&) = delete;
    Segment& operator=(const Segment&) = delete;

    /// Enlarges the segment and maps all of it.
    void Grow(std::size_t bytes)
    {
        // Memory is reserved now: running out later would be a SIGBUS in the middle of a run.
        CheckMemory(bytes);
        const int failed = ::posix_fallocate(m_fd, 0, static_cast<off_t>(bytes));
        if (failed != 0)
        {
            throw BridgeError("no memory for a segment of " + std::to_string(bytes) +
                              " bytes: " + std::strerror(failed));
        }
        void* header = m_base;
        const std::size_t headerBytes = m_bytes;
        m_tick.reset(); // it names the old mapping
        Map(bytes);     // first: if it fails, the header must still be there to tell the host
        ::munmap(header, headerBytes);
    }

    SegmentHeader& Header() const
    {
        return *static_cast<SegmentHeader*>(m_base);
    }

    SideBlock& Own() const
    {
        return Header().sides[SIMULATOR];
    }

    SideBlock& Peer(Side side) const
    {
        return Header().sides[side];
    }

    template <class T> T* At(std::size_t offset) const
    {
        return reinterpret_cast<T*>(static_cast<char*>(m_base) + offset);
    }

    int HostPidfd() const
    {
        return m_hostPidfd;
    }

    /// How long any wait lasts that has no limit of its own; 0: as long as the host lives.
    void SetTimeout(std::chrono::nanoseconds timeout)
    {
        m_timeout = timeout;
    }

    /// Throws if the host has ended or given up.
    void CheckHost() const
    {
        const auto& host = Header().sides[HOST];
        const auto state = static_cast<SideState>(host.state.load(std::memory_order_acquire));
        if (state == SideState::FAILED)
        {
            throw PeerDied(std::string("the engine stopped the simulation: ") + host.reason);
        }
        if (state == SideState::FINISHED)
        {
            throw PeerDied("the engine closed the bridge while the simulation was running");
        }
        if (HasEnded(m_hostPidfd))
        {
            throw PeerDied("the engine's process has ended");
        }
    }

    /// Waits until `news()`; throws when the host has ended or the time has passed (`timeout`, or
    /// the segment's own if that is 0).
    template <class News>
    void Wait(Waiter& waiter, News&& news, const char* what, std::chrono::nanoseconds timeout) const
    {
        if (waiter.Spin(news))
        {
            return;
        }
        if (timeout.count() <= 0)
        {
            timeout = m_timeout;
        }
        if (!m_tick)
        {
            m_tick.emplace(Own());
        }
        const auto start = Clock::now();
        while (true)
        {
            std::chrono::nanoseconds slice{0};
            if (timeout.count() > 0)
            {
                const auto left = timeout - (Clock::now() - start);
                if (left.count() <= 0)
                {
                    throw Timeout(std::string("waited too long for the host at channel '") + what +
                                  "'");
                }
                slice = left < 2 * Ticker::kPeriod ? std::chrono::nanoseconds(left) : slice;
            }
            if (waiter.Sleep(news, slice))
            {
                return;
            }
            CheckHost();
        }
    }

  private:
    void CheckHeader()
    {
        if (Header().magic != kMagic)
        {
            throw BridgeError("the descriptor is no bridge segment (wrong magic number)");
        }
        if (Header().version != kVersion)
        {
            throw BridgeError("the segment has version " + std::to_string(Header().version) +
                              ", this program was built for version " + std::to_string(kVersion) +
                              ": build it again with the headers of the installed package");
        }
        if (Header().ready.load(std::memory_order_acquire) != 0)
        {
            throw BridgeError("another program has already laid out this segment: "
                              "a bridge serves one simulator");
        }
        const int host = Header().sides[HOST].pid;
        m_hostPidfd = OpenPidfd(host);
        if (m_hostPidfd < 0 && errno == ESRCH)
        {
            throw PeerDied("the process that started the bridge has ended");
        }
    }

    void Map(std::size_t bytes)
    {
        void* base = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, m_fd, 0);
        if (base == MAP_FAILED)
        {
            throw BridgeError("cannot map a segment of " + std::to_string(bytes) +
                              " bytes: " + std::strerror(errno));
        }
        m_base = base;
        m_bytes = bytes;
    }

    void Unmap()
    {
        m_tick.reset();
        if (m_base != nullptr)
        {
            ::munmap(m_base, m_bytes);
            m_base = nullptr;
        }
        if (m_hostPidfd >= 0)
        {
            ::close(m_hostPidfd);
            m_hostPidfd = -1;
        }
    }

    int m_fd;
    int m_hostPidfd = -1;
    void* m_base = nullptr;
    std::size_t m_bytes = 0;
    std::chrono::nanoseconds m_timeout{0};
    mutable std::optional<Ticker::Subscription> m_tick; ///< since the first sleep
};

} // namespace cosim::bridge

#endif // COSIM_BRIDGE_SEGMENT_HPP
