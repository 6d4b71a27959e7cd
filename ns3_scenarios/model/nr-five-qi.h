// SPDX-License-Identifier: GPL-2.0-only
#ifndef NR_FIVE_QI_H
#define NR_FIVE_QI_H

#include "ns3/nstime.h"

#include <cstdint>

namespace ns3
{

/**
 * The characteristics that go with a standardised 5QI (TS 23.501 table 5.7.4-1).
 */
struct NrFiveQi
{
    /// How its bit rate is treated.
    enum class Resource
    {
        NON_GBR,           //!< no guaranteed bit rate
        GBR,               //!< guaranteed bit rate
        DELAY_CRITICAL_GBR //!< guaranteed, and late packets count as lost
    };

    uint8_t value;     //!< the 5QI
    Resource resource; //!< resource type
    uint8_t priority;  //!< default priority level, 1 comes first
    Time budget;       //!< packet delay budget
    double lossTarget; //!< packet error rate

    /**
     * \param fiveqi a 5QI
     * \return its row; that of 9 (best effort) for one that is not standardised
     */
    static const NrFiveQi& Get(uint8_t fiveqi);
};

} // namespace ns3

#endif // NR_FIVE_QI_H
