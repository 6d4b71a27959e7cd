// SPDX-License-Identifier: GPL-2.0-only
#ifndef NR_DELIVERY_H
#define NR_DELIVERY_H

#include <cstdint>

namespace ns3
{

/// How the contents of a flow's packets get through a transport block: cosim::sim::Delivery, here
/// without the bridge's headers, which schedulers of one's own need not have.
enum class NrDelivery : uint32_t
{
    PACKET = 0,  //!< coded, with a CRC: whole or not at all
    BITS = 1,    //!< coded, without a CRC: with the bits that the decoder got wrong
    SYMBOLS = 2, //!< a byte is a value, two values a complex symbol, sent as they are
};

} // namespace ns3

#endif // NR_DELIVERY_H
