// SPDX-License-Identifier: GPL-2.0-only
#ifndef NR_HARQ_PROCESS_H
#define NR_HARQ_PROCESS_H

#include "nr-sdu.h"

#include <cstdint>
#include <vector>

namespace ns3
{

/**
 * A HARQ process: a transport block and what became of its transmissions so far.
 *
 * Soft combining is chase combining: the effective SINRs of the transmissions add up. The
 * redundancy version goes through 0, 2, 3, 1 (TS 38.214 clause 5.1.2.1) and is traced; the gain of
 * incremental redundancy beyond the sum of energies is not modelled here.
 */
struct NrHarqProcess
{
    /// Where the process stands.
    enum class State
    {
        IDLE,      //!< free
        SENT,      //!< waiting for feedback
        RETRANSMIT //!< feedback said no; waiting for resources
    };

    State state{State::IDLE};           //!< where it stands
    uint64_t feedbackSlot{0};           //!< slot from which the feedback is known
    bool decoded{false};                //!< what the feedback will say
    uint8_t mcs{0};                     //!< MCS index
    uint8_t layers{1};                  //!< spatial layers
    uint32_t tbsBits{0};                //!< transport block size
    uint32_t prbs{0};                   //!< PRBs of each transmission
    uint32_t symbols{0};                //!< data symbols of the first transmission
    uint32_t transmissions{0};          //!< so far
    double sinrSum{0.0};                //!< linear effective SINR, summed over transmissions
    std::vector<NrRlcSegment> segments; //!< contents

    /**
     * \return the redundancy version of the latest transmission
     */
    uint8_t GetRedundancyVersion() const
    {
        static constexpr uint8_t ORDER[] = {0, 2, 3, 1};
        return ORDER[(transmissions - 1) % 4];
    }
};

} // namespace ns3

#endif // NR_HARQ_PROCESS_H
