// SPDX-License-Identifier: GPL-2.0-only
#ifndef AGENT_CLIENT_H
#define AGENT_CLIENT_H

#include "nr-simulation.h"

#include "cosim/bridge/bridge.hpp"
#include "cosim/sim/records.hpp"

#include <vector>

namespace ns3
{

/**
 * The agents' deputy in ns-3: tells them what happens at their nodes and does what they answer.
 *
 * Events of the same simulated time go in one batch. After the duration, timers are not set any
 * more.
 */
class AgentClient
{
  public:
    /// The exchange with the engine.
    using Exchange = cosim::bridge::Exchange<cosim::sim::NodeEvent, cosim::sim::NodeAction>;

    /**
     * \param exchange with the engine
     * \param simulation whose flows the agents use
     * \param duration after which timers are ignored
     */
    AgentClient(Exchange& exchange, NrSimulation& simulation, Time duration);

    /**
     * Tells every node at time 0 that the simulation starts.
     */
    void Start();

    /**
     * Tells the agents of a node about a packet.
     *
     * \param flow the flow
     * \param source who sent it
     * \param node where it arrived
     * \param data its bytes
     */
    void NotifyPacket(uint32_t flow,
                      uint32_t source,
                      uint32_t node,
                      const std::vector<uint8_t>& data);

  private:
    /// An event that waits for its batch.
    struct Event
    {
        cosim::sim::NodeEvent record; //!< without its payload's place
        std::vector<uint8_t> payload; //!< bytes
    };

    /**
     * Adds an event to the batch of this simulated time.
     *
     * \param event the event
     */
    void Add(Event event);

    /// Sends the batch and does what is answered.
    void ExchangeBatch();

    /**
     * Does what an agent answered.
     *
     * \param action the action
     */
    void Apply(const cosim::sim::NodeAction& action);

    /**
     * Plans or does the sending of a message's packets.
     *
     * \param action SEND
     */
    void Send(const cosim::sim::NodeAction& action);

    Exchange& m_exchange;       //!< with the engine
    NrSimulation& m_simulation; //!< the network
    Time m_duration;            //!< of the simulation
    std::vector<Event> m_batch; //!< of this simulated time
    bool m_planned{false};      //!< whether the batch is about to be sent
};

} // namespace ns3

#endif // AGENT_CLIENT_H
