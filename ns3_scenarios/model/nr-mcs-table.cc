// SPDX-License-Identifier: GPL-2.0-only
#include "nr-mcs-table.h"

#include <stdexcept>
#include <string>
#include <utility>

namespace ns3
{

NrMcsTable::NrMcsTable(std::vector<Row> rows)
    : m_rows(std::move(rows))
{
}

const NrMcsTable& NrMcsTable::Get(uint32_t number)
{
    static const NrMcsTable tables[] = {
        NrMcsTable({{2, 120}, {2, 157}, {2, 193}, {2, 251}, {2, 308}, {2, 379}, {2, 449}, {2, 526},
                    {2, 602}, {2, 679}, {4, 340}, {4, 378}, {4, 434}, {4, 490}, {4, 553}, {4, 616},
                    {4, 658}, {6, 438}, {6, 466}, {6, 517}, {6, 567}, {6, 616}, {6, 666}, {6, 719},
                    {6, 772}, {6, 822}, {6, 873}, {6, 910}, {6, 948}}),
        NrMcsTable({{2, 120}, {2, 193}, {2, 308}, {2, 449}, {2, 602}, {4, 378},   {4, 434},
                    {4, 490}, {4, 553}, {4, 616}, {4, 658}, {6, 466}, {6, 517},   {6, 567},
                    {6, 616}, {6, 666}, {6, 719}, {6, 772}, {6, 822}, {6, 873},   {8, 682.5},
                    {8, 711}, {8, 754}, {8, 797}, {8, 841}, {8, 885}, {8, 916.5}, {8, 948}}),
        NrMcsTable({{2, 30},  {2, 40},  {2, 50},  {2, 64},  {2, 78},  {2, 99},  {2, 120}, {2, 157},
                    {2, 193}, {2, 251}, {2, 308}, {2, 379}, {2, 449}, {2, 526}, {2, 602}, {4, 340},
                    {4, 378}, {4, 434}, {4, 490}, {4, 553}, {4, 616}, {6, 438}, {6, 466}, {6, 517},
                    {6, 567}, {6, 616}, {6, 666}, {6, 719}, {6, 772}}),
    };
    if (number < 1 || number > 3)
    {
        throw std::out_of_range("MCS table " + std::to_string(number) + ": 1, 2 or 3");
    }
    return tables[number - 1];
}

uint32_t NrMcsTable::GetSize() const
{
    return static_cast<uint32_t>(m_rows.size());
}

uint8_t NrMcsTable::GetModulationOrder(uint8_t mcs) const
{
    return m_rows.at(mcs).modulationOrder;
}

double NrMcsTable::GetCodeRate(uint8_t mcs) const
{
    return m_rows.at(mcs).codeRate1024 / 1024.0;
}

} // namespace ns3
