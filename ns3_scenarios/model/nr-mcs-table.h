// SPDX-License-Identifier: GPL-2.0-only
#ifndef NR_MCS_TABLE_H
#define NR_MCS_TABLE_H

#include <cstdint>
#include <vector>

namespace ns3
{

/**
 * An MCS table of TS 38.214: modulation order and code rate of each index.
 */
class NrMcsTable
{
  public:
    /**
     * \param number 1, 2 or 3 for tables 5.1.3.1-1 (64QAM), -2 (256QAM), -3 (64QAM, low rates)
     * \return the table
     */
    static const NrMcsTable& Get(uint32_t number);

    /**
     * \return the number of indices that are not reserved
     */
    uint32_t GetSize() const;

    /**
     * \param mcs MCS index
     * \return bits a symbol: 2, 4, 6 or 8
     */
    uint8_t GetModulationOrder(uint8_t mcs) const;

    /**
     * \param mcs MCS index
     * \return the target code rate, 0 to 1
     */
    double GetCodeRate(uint8_t mcs) const;

  private:
    /// A row.
    struct Row
    {
        uint8_t modulationOrder; //!< bits a symbol
        double codeRate1024;     //!< code rate times 1024
    };

    /**
     * \param rows all rows, index 0 first
     */
    explicit NrMcsTable(std::vector<Row> rows);

    std::vector<Row> m_rows; //!< by index
};

} // namespace ns3

#endif // NR_MCS_TABLE_H
