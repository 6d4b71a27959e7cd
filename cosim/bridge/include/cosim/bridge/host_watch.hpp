// SPDX-License-Identifier: MIT
#ifndef COSIM_BRIDGE_HOST_WATCH_HPP
#define COSIM_BRIDGE_HOST_WATCH_HPP

#include <csignal>
#include <cstdio>
#include <thread>

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace cosim::bridge
{

/**
 * Ends this program when the host's process has ended while it computes: no orphan.
 *
 * The kernel's parent-death signal is not used: it is sent when the *thread* that started the
 * program ends, and to the child only, so a host that starts programs from short-lived threads, or
 * through a script, would lose or keep them wrongly. A thread that sleeps in poll(2) costs nothing.
 */
class HostWatch
{
  public:
    /// \param pidfd the host's, or -1 (an old kernel): then nothing is watched.
    explicit HostWatch(int pidfd)
        : m_stop(pidfd >= 0 ? ::eventfd(0, EFD_CLOEXEC) : -1)
    {
        if (m_stop >= 0)
        {
            m_thread = std::thread([pidfd, stop = m_stop] { Watch(pidfd, stop); });
        }
    }

    ~HostWatch()
    {
        Stop();
    }

    HostWatch(const HostWatch&) = delete;
    HostWatch& operator=(const HostWatch&) = delete;

    /// From here on the program may outlive the host.
    void Stop()
    {
        if (m_thread.joinable())
        {
            ::eventfd_write(m_stop, 1);
            m_thread.join();
            ::close(m_stop);
        }
    }

  private:
    /// A program that waits at a channel notices within 0.1 s by itself, with an exception.
    static constexpr int kGraceMs = 400;

    static void Watch(int pidfd, int stop)
    {
        sigset_t all; // signals are for the program's own threads
        sigfillset(&all);
        ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
        pollfd entries[2] = {{pidfd, POLLIN, 0}, {stop, POLLIN, 0}};
        while (::poll(entries, 2, -1) < 0)
        {
        }
        if (entries[1].revents != 0 || ::poll(&entries[1], 1, kGraceMs) > 0)
        {
            return;
        }
        std::fputs("cosim.bridge: the engine's process has ended, so this program ends\n", stderr);
        ::kill(::getpid(), SIGTERM);
    }

    int m_stop;
    std::thread m_thread;
};

} // namespace cosim::bridge

#endif // COSIM_BRIDGE_HOST_WATCH_HPP
