// SPDX-License-Identifier: GPL-2.0-only
#ifndef NR_TDD_PATTERN_H
#define NR_TDD_PATTERN_H

#include <cstdint>
#include <string>

namespace ns3
{

/**
 * Which symbols of each slot are downlink and which uplink (TS 38.213 clause 11.1).
 *
 * D and U are whole slots; S has 10 downlink symbols, 2 of guard and 2 of uplink. Without a pattern
 * (FDD) every slot has 14 of both.
 */
class NrTddPattern
{
  public:
    NrTddPattern() = default;

    /**
     * \param pattern one letter a slot, repeated; empty for FDD. Throws std::invalid_argument at
     * any other letter.
     */
    explicit NrTddPattern(const std::string& pattern);

    /**
     * \param slot slot number
     * \return downlink symbols
     */
    uint32_t GetDlSymbols(uint64_t slot) const;

    /**
     * \param slot slot number
     * \return uplink symbols
     */
    uint32_t GetUlSymbols(uint64_t slot) const;

    /**
     * \param slot slot number
     * \return the first slot from this one on with uplink symbols; itself if there is none at all
     */
    uint64_t NextUlSlot(uint64_t slot) const;

  private:
    std::string m_pattern; //!< letters, empty for FDD
};

} // namespace ns3

#endif // NR_TDD_PATTERN_H
