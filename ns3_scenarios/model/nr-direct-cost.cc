// SPDX-License-Identifier: GPL-2.0-only
#include "nr-direct-cost.h"

#include <cmath>

namespace ns3
{

NrDirectCost::NrDirectCost(NrDelivery delivery, double headerEfficiency, double contentEfficiency)
    : m_headerByte(8.0 / headerEfficiency),
      m_contentByte(delivery == NrDelivery::SYMBOLS ? 1.0 / SYMBOL_BYTES : 8.0 / contentEfficiency)
{
}

double NrDirectCost::GetElements(uint64_t headers, uint64_t contents) const
{
    return static_cast<double>(headers) * m_headerByte +
           static_cast<double>(contents) * m_contentByte;
}

uint32_t NrDirectCost::GetHeaderElements(uint32_t headers) const
{
    return static_cast<uint32_t>(std::ceil((headers + CRC_BITS / 8.0) * m_headerByte));
}

uint32_t NrDirectCost::GetContentBytes(double elements) const
{
    return static_cast<uint32_t>(std::floor(elements / m_contentByte));
}

double NrDirectCost::GetRoom(uint32_t elements) const
{
    // Headers are rounded up to a whole element.
    return elements - CRC_BITS / 8.0 * m_headerByte - 1.0;
}

} // namespace ns3
