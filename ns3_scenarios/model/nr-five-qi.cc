// SPDX-License-Identifier: GPL-2.0-only
#include "nr-five-qi.h"

#include <algorithm>
#include <iterator>

namespace ns3
{

const NrFiveQi& NrFiveQi::Get(uint8_t fiveqi)
{
    static const NrFiveQi table[] = {
        {1, Resource::GBR, 20, MilliSeconds(100), 1e-2},
        {2, Resource::GBR, 40, MilliSeconds(150), 1e-3},
        {3, Resource::GBR, 30, MilliSeconds(50), 1e-3},
        {4, Resource::GBR, 50, MilliSeconds(300), 1e-6},
        {5, Resource::NON_GBR, 10, MilliSeconds(100), 1e-6},
        {6, Resource::NON_GBR, 60, MilliSeconds(300), 1e-6},
        {7, Resource::NON_GBR, 70, MilliSeconds(100), 1e-3},
        {8, Resource::NON_GBR, 80, MilliSeconds(300), 1e-6},
        {9, Resource::NON_GBR, 90, MilliSeconds(300), 1e-6},
        {10, Resource::NON_GBR, 90, MilliSeconds(1100), 1e-6},
        {65, Resource::GBR, 7, MilliSeconds(75), 1e-2},
        {66, Resource::GBR, 20, MilliSeconds(100), 1e-2},
        {67, Resource::GBR, 15, MilliSeconds(100), 1e-3},
        {69, Resource::NON_GBR, 5, MilliSeconds(60), 1e-6},
        {70, Resource::NON_GBR, 55, MilliSeconds(200), 1e-6},
        {71, Resource::GBR, 56, MilliSeconds(150), 1e-6},
        {72, Resource::GBR, 56, MilliSeconds(300), 1e-4},
        {73, Resource::GBR, 56, MilliSeconds(300), 1e-8},
        {74, Resource::GBR, 56, MilliSeconds(500), 1e-8},
        {76, Resource::GBR, 56, MilliSeconds(500), 1e-4},
        {79, Resource::NON_GBR, 65, MilliSeconds(50), 1e-2},
        {80, Resource::NON_GBR, 68, MilliSeconds(10), 1e-6},
        {82, Resource::DELAY_CRITICAL_GBR, 19, MilliSeconds(10), 1e-4},
        {83, Resource::DELAY_CRITICAL_GBR, 22, MilliSeconds(10), 1e-4},
        {84, Resource::DELAY_CRITICAL_GBR, 24, MilliSeconds(30), 1e-5},
        {85, Resource::DELAY_CRITICAL_GBR, 21, MilliSeconds(5), 1e-5},
        {86, Resource::DELAY_CRITICAL_GBR, 18, MilliSeconds(5), 1e-4},
        {87, Resource::DELAY_CRITICAL_GBR, 25, MilliSeconds(5), 1e-3},
        {88, Resource::DELAY_CRITICAL_GBR, 25, MilliSeconds(10), 1e-3},
        {89, Resource::DELAY_CRITICAL_GBR, 25, MilliSeconds(15), 1e-4},
        {90, Resource::DELAY_CRITICAL_GBR, 25, MilliSeconds(20), 1e-4},
    };
    const auto row = std::lower_bound(
        std::begin(table), std::end(table), fiveqi, [](const NrFiveQi& one, uint8_t value) {
            return one.value < value;
        });
    return row != std::end(table) && row->value == fiveqi ? *row : Get(9);
}

} // namespace ns3
