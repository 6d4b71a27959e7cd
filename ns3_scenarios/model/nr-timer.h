// SPDX-License-Identifier: GPL-2.0-only
#ifndef NR_TIMER_H
#define NR_TIMER_H

#include "ns3/nstime.h"
#include "ns3/simulator.h"

#include <functional>
#include <utility>

namespace ns3
{

/**
 * A protocol timer that is restarted often and expires seldom: restarting only moves the deadline,
 * and one event at a time looks whether it is reached.
 */
class NrTimer
{
  public:
    /**
     * \param expire called at expiry, when the timer no longer runs; it may start it again
     */
    explicit NrTimer(std::function<void()> expire)
        : m_expire(std::move(expire))
    {
    }

    NrTimer(const NrTimer&) = delete;
    NrTimer& operator=(const NrTimer&) = delete;

    ~NrTimer()
    {
        m_event.Cancel();
    }

    /**
     * Starts or restarts it.
     *
     * \param delay from now
     */
    void Start(Time delay)
    {
        m_running = true;
        m_deadline = Simulator::Now() + delay;
        if (!m_event.IsPending() || m_eventTime > m_deadline)
        {
            m_event.Cancel();
            Plan();
        }
    }

    /// Stops it.
    void Stop()
    {
        m_running = false;
    }

    /**
     * \return whether it runs
     */
    bool IsRunning() const
    {
        return m_running;
    }

  private:
    /// Plans the event for the deadline.
    void Plan()
    {
        m_eventTime = m_deadline;
        m_event = Simulator::Schedule(m_deadline - Simulator::Now(), [this] { Look(); });
    }

    /// Expires if the deadline is reached, else comes back at it.
    void Look()
    {
        if (!m_running)
        {
            return;
        }
        if (Simulator::Now() < m_deadline)
        {
            Plan();
            return;
        }
        m_running = false;
        m_expire();
    }

    std::function<void()> m_expire; //!< told of expiry
    EventId m_event;                //!< looks
    Time m_eventTime;               //!< when
    Time m_deadline;                //!< of the timer
    bool m_running{false};          //!< whether it runs
};

} // namespace ns3

#endif // NR_TIMER_H
