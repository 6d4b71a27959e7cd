// SPDX-License-Identifier: MIT
/**
 * \file
 * Waiting for the other side: spin as long as spinning has paid, then offer the core to whoever may
 * need it, the other side perhaps, as long as that has paid, then sleep in a futex, and look after
 * the other side's life while asleep.
 *
 * Why no wake-up is lost. The one who makes news writes it, then a sequentially consistent fence,
 * then reads `sleeping`. The one who waits reads `doorbell`, writes `sleeping`, then the same
 * fence, then reads the news. The two fences are ordered one way or the other: either the waiter
 * reads the news and does not sleep, or the maker reads `sleeping` = 1 and rings. Ringing changes
 * the futex word before it wakes, so a waiter that is between its look at the news and the kernel
 * is turned away by the futex itself.
 */
#ifndef COSIM_BRIDGE_WAITER_HPP
#define COSIM_BRIDGE_WAITER_HPP

#include "layout.hpp"

#include <algorithm>
#include <chrono>
#include <climits>
#include <ctime>

#include <linux/futex.h>
#include <poll.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace cosim::bridge
{

using Clock = std::chrono::steady_clock;

/// Wakes a side if it sleeps. Call after the news has been written.
inline void Ring(SideBlock& side)
{
    std::atomic_thread_fence(std::memory_order_seq_cst); // see the file's comment
    if (side.sleeping.load(std::memory_order_relaxed) != 0)
    {
        side.doorbell.fetch_add(1, std::memory_order_release);
        // Not FUTEX_PRIVATE: the waiter is another process.
        ::syscall(SYS_futex, &side.doorbell, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
    }
}

/// \return a descriptor of a process, or -1 with errno (ESRCH: it has ended).
inline int OpenPidfd(int pid)
{
    return static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
}

/// \return true once the process behind a pidfd has ended (a zombie has).
inline bool HasEnded(int pidfd)
{
    if (pidfd < 0)
    {
        return false;
    }
    pollfd entry{pidfd, POLLIN, 0};
    return ::poll(&entry, 1, 0) > 0;
}

/// When to try again what has not paid: after more and more waits.
class Probe
{
  public:
    constexpr Probe(std::uint32_t least, std::uint32_t most)
        : m_least(least),
          m_most(most)
    {
    }

    bool Due()
    {
        if (m_left == 0)
        {
            return true;
        }
        --m_left;
        return false;
    }

    void Paid()
    {
        m_pause /= 2;
        m_left = 0;
    }

    void Failed()
    {
        m_pause = std::clamp(2 * m_pause, m_least, m_most);
        m_left = m_pause;
    }

  private:
    std::uint32_t m_least;
    std::uint32_t m_most;
    std::uint32_t m_pause = 0;
    std::uint32_t m_left = 0;
};

/// How long to spin: learned from how waits ended, and never on a single CPU.
class SpinBudget
{
  public:
    SpinBudget()
    {
        cpu_set_t cpus;
        CPU_ZERO(&cpus);
        m_several = ::sched_getaffinity(0, sizeof cpus, &cpus) == 0 && CPU_COUNT(&cpus) > 1;
    }

    std::chrono::nanoseconds Next()
    {
        if (!m_several)
        {
            return std::chrono::nanoseconds{0};
        }
        // Even after many failures try a long spin now and then: the other side may have become
        // fast. Long, because a side that sleeps is slow only as long as this one lets it sleep: a
        // short look would never see past the wake-up that it caused itself.
        if (m_ns < kLeastNs)
        {
            return std::chrono::nanoseconds{m_probe.Due() ? kMostNs : 0};
        }
        return std::chrono::nanoseconds{m_ns};
    }

    void Paid(std::chrono::nanoseconds after)
    {
        m_ns = std::clamp<std::int64_t>(4 * after.count(), std::max(m_ns, kLeastNs), kMostNs);
        m_probe.Paid();
    }

    void Failed()
    {
        if (m_ns < kLeastNs)
        {
            m_probe.Failed();
        }
        m_ns /= 2;
    }

  private:
    static constexpr std::int64_t kLeastNs = 1'000;
    static constexpr std::int64_t kMostNs = 20'000;
    std::int64_t m_ns = kMostNs;
    Probe m_probe{32, 1024};
    bool m_several = false;
};

inline void Relax()
{
#if defined(__x86_64__)
    _mm_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
}

/// What a wait ended with.
enum class WaitResult
{
    NEWS,
    TIMEOUT,
    INTERRUPTED, ///< a slice passed or a signal came: look after other things, then wait again
};

/// One side's waiting.
class Waiter
{
  public:
    /// As long as a wake-up may take.
    static constexpr std::chrono::microseconds kMostYielding{50};

    /// \param own the side that waits; its memory outlives the waiter.
    explicit Waiter(SideBlock* own = nullptr)
        : m_own(own)
    {
    }

    /// Spins for news as long as it has paid lately. \return true when there is news.
    template <class News> bool Spin(News&& news)
    {
        if (news())
        {
            return true;
        }
        const auto budget = m_budget.Next();
        if (budget.count() == 0)
        {
            return false;
        }
        const auto start = Clock::now();
        for (unsigned turn = 1;; ++turn)
        {
            Relax();
            if (news())
            {
                m_budget.Paid(Clock::now() - start);
                return true;
            }
            if (turn % 16 == 0 && Clock::now() - start > budget)
            {
                m_budget.Failed();
                return false;
            }
        }
    }

    /// Yields for at most `eager`, then sleeps until somebody rings, at most `slice` (0: the Ticker
    /// rings). \return true when there is news.
    template <class News>
    bool Sleep(News&& news,
               std::chrono::nanoseconds slice,
               std::chrono::nanoseconds eager = kMostYielding)
    {
        if (Yield(news, eager))
        {
            return true;
        }
        const auto seen = m_own->doorbell.load(std::memory_order_acquire);
        m_own->sleeping.store(1, std::memory_order_relaxed);
        std::atomic_thread_fence(std::memory_order_seq_cst); // see the file's comment
        bool found = news();
        if (!found)
        {
            const timespec time{static_cast<time_t>(slice.count() / 1'000'000'000),
                                static_cast<long>(slice.count() % 1'000'000'000)};
            ::syscall(SYS_futex,
                      &m_own->doorbell,
                      FUTEX_WAIT,
                      seen,
                      slice.count() > 0 ? &time : nullptr,
                      nullptr,
                      0);
        }
        m_own->sleeping.store(0, std::memory_order_relaxed);
        return found || news();
    }

  private:
    /// Offers the core to others. Where both sides share one, the other side runs at once, for two
    /// thirds of what a futex costs. Where busy strangers share it, a whole slice of theirs may
    /// pass, so what took long has not paid, with news or without.
    template <class News> bool Yield(News&& news, std::chrono::nanoseconds most)
    {
        if (!m_yields.Due())
        {
            return false;
        }
        const auto start = Clock::now();
        bool found = false;
        bool late = false;
        while (!found && !late)
        {
            ::sched_yield();
            found = news();
            late = Clock::now() - start > most;
        }
        late ? m_yields.Failed() : m_yields.Paid();
        return found;
    }

    SideBlock* m_own;
    SpinBudget m_budget;
    Probe m_yields{1, 65536}; // a slice of each of many strangers, seldom enough to go unnoticed
};

} // namespace cosim::bridge

#endif // COSIM_BRIDGE_WAITER_HPP
