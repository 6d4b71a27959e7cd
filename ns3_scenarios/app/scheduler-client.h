// SPDX-License-Identifier: GPL-2.0-only
#ifndef SCHEDULER_CLIENT_H
#define SCHEDULER_CLIENT_H

#include "nr-external-scheduler.h"
#include "nr-ran.h"

#include "cosim/bridge/bridge.hpp"
#include "cosim/sim/records.hpp"

#include <vector>

namespace ns3
{

/**
 * Puts the questions of external schedulers to the engine.
 */
class SchedulerClient
{
  public:
    /// The exchange with the engine.
    using Exchange =
        cosim::bridge::Exchange<cosim::sim::SchedulerCandidate, cosim::sim::SchedulerDecision>;

    /**
     * \param exchange with the engine
     */
    explicit SchedulerClient(Exchange& exchange);

    /**
     * Answers for all external schedulers of a network.
     *
     * \param ran the network
     */
    void Serve(NrRan& ran);

  private:
    /**
     * \param cell the cell
     * \param uplink its direction
     * \param candidates UEs with data
     * \param prbs PRBs that can be given
     * \return what the engine answers
     */
    std::vector<NrExternalScheduler::Decision> Ask(uint32_t cell,
                                                   bool uplink,
                                                   std::span<const NrCandidate> candidates,
                                                   uint32_t prbs);

    Exchange& m_exchange; //!< with the engine
};

} // namespace ns3

#endif // SCHEDULER_CLIENT_H
