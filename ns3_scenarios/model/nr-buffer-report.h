// SPDX-License-Identifier: GPL-2.0-only
#ifndef NR_BUFFER_REPORT_H
#define NR_BUFFER_REPORT_H

#include <cstdint>

namespace ns3
{

/// A buffer status report in an uplink block.
struct NrBufferReport
{
    uint64_t bufferBytes{0}; //!< left behind the block
    uint64_t sentBytes{0};   //!< of all blocks of the UE up to this one: the report's age
};

} // namespace ns3

#endif // NR_BUFFER_REPORT_H
