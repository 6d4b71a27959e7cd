// SPDX-License-Identifier: GPL-2.0-only
#ifndef NR_TRANSPORT_FORMAT_H
#define NR_TRANSPORT_FORMAT_H

#include <cstdint>

namespace ns3
{

/// How a transport block is sent.
struct NrTransportFormat
{
    uint8_t mcs{0};    //!< MCS index
    uint8_t layers{1}; //!< spatial layers
};

} // namespace ns3

#endif // NR_TRANSPORT_FORMAT_H
