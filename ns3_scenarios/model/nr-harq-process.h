// SPDX-License-Identifier: GPL-2.0-only
#ifndef NR_HARQ_PROCESS_H
#define NR_HARQ_PROCESS_H

#include "nr-buffer-report.h"
#include "nr-delivery.h"
#include "nr-sdu.h"

#include <cstdint>
#include <vector>

namespace ns3
{

/**
 * A HARQ process: a transport block and what became of its transmissions so far.
 *
 * NrHarqCombining says what its transmissions are worth together.
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

    State state{State::IDLE};     //!< where it stands
    uint64_t feedbackSlot{0};     //!< slot from which the feedback is known
    bool decoded{false};          //!< what the feedback will say
    double draw{0.0};             //!< uniform in [0, 1): lost where the rate is above it
    uint8_t mcs{0};               //!< MCS index
    uint8_t layers{1};            //!< spatial layers
    bool backedOff{false};        //!< whether its MCS is below the chosen one
    uint32_t tbsBits{0};          //!< transport block size
    uint32_t prbs{0};             //!< PRBs of each transmission
    uint32_t symbols{0};          //!< data symbols of the first transmission
    uint32_t transmissions{0};    //!< so far
    uint32_t maxTransmissions{1}; //!< at most, by its contents
    NrBufferReport report;        //!< buffer status report in it (uplink)
    std::vector<float> sinr;      //!< linear effective SINR of each transmission
    bool chosen{false};           //!< for truth replay
    /// Of a chosen block [transmissions][layers][PRBs]; of direct delivery the sum, [layers][PRBs].
    std::vector<float> elementSinr;
    std::vector<NrRlcSegment> segments;      //!< contents
    uint32_t elements{0};                    //!< resource elements of a transmission, of all layers
    NrDelivery delivery{NrDelivery::PACKET}; //!< how its contents get through
    uint8_t headerMcs{0};                    //!< MCS index of its headers (direct delivery)
    uint32_t headerBits{0};                  //!< bits of its headers (direct delivery)
    uint32_t headerElements{0};              //!< resource elements of its headers (direct delivery)
    uint32_t contentBytes{0};                //!< room for contents (direct delivery)
};

} // namespace ns3

#endif // NR_HARQ_PROCESS_H
