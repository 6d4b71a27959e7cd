// SPDX-License-Identifier: GPL-2.0-only
#include "nr-tdd-pattern.h"

#include <stdexcept>

namespace ns3
{

namespace
{
constexpr uint32_t SLOT_SYMBOLS = 14;
constexpr uint32_t SPECIAL_DL_SYMBOLS = 10;
constexpr uint32_t SPECIAL_UL_SYMBOLS = 2;
} // namespace

NrTddPattern::NrTddPattern(const std::string& pattern)
    : m_pattern(pattern)
{
    const auto wrong = pattern.find_first_not_of("DSU");
    if (wrong != std::string::npos)
    {
        throw std::invalid_argument("TDD pattern '" + pattern + "': '" + pattern[wrong] +
                                    "' is none of D, S, U");
    }
}

uint32_t NrTddPattern::GetDlSymbols(uint64_t slot) const
{
    if (m_pattern.empty())
    {
        return SLOT_SYMBOLS;
    }
    const char letter = m_pattern[slot % m_pattern.size()];
    return letter == 'D' ? SLOT_SYMBOLS : letter == 'S' ? SPECIAL_DL_SYMBOLS : 0;
}

uint32_t NrTddPattern::GetUlSymbols(uint64_t slot) const
{
    if (m_pattern.empty())
    {
        return SLOT_SYMBOLS;
    }
    const char letter = m_pattern[slot % m_pattern.size()];
    return letter == 'U' ? SLOT_SYMBOLS : letter == 'S' ? SPECIAL_UL_SYMBOLS : 0;
}

uint64_t NrTddPattern::NextUlSlot(uint64_t slot) const
{
    for (uint64_t next = slot; next < slot + m_pattern.size(); ++next)
    {
        if (GetUlSymbols(next) > 0)
        {
            return next;
        }
    }
    return slot;
}

} // namespace ns3
