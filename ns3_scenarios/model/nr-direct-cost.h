// SPDX-License-Identifier: GPL-2.0-only
#ifndef NR_DIRECT_COST_H
#define NR_DIRECT_COST_H

#include "nr-delivery.h"

#include <cstdint>

namespace ns3
{

/**
 * What a transport block costs whose contents go directly to the application, as bits without a
 * CRC or as symbols: resource elements of its two parts.
 *
 * Headers (MAC, RLC, PDCP, IP, UDP and the application's) must be right, or nobody knows what the
 * contents are. So they are a code block of their own with a CRC of 16 bits (TS 38.212 clause
 * 7.2.1) and an MCS below the one for contents; if it is lost, the block is. Contents follow: as
 * bits with the MCS chosen, as symbols two values to a resource element.
 */
class NrDirectCost
{
  public:
    /// Values in a resource element, a byte each: its real and its imaginary part.
    static constexpr uint32_t SYMBOL_BYTES = 2;

    /// Of the headers of a block.
    static constexpr uint32_t CRC_BITS = 16;

    /**
     * \param delivery bits or symbols
     * \param headerEfficiency bits a resource element of headers
     * \param contentEfficiency bits a resource element of contents, if they are bits
     */
    NrDirectCost(NrDelivery delivery, double headerEfficiency, double contentEfficiency);

    /**
     * \param headers bytes
     * \param contents bytes
     * \return resource elements that they take, without the CRC and not rounded
     */
    double GetElements(uint64_t headers, uint64_t contents) const;

    /**
     * \param headers bytes of all headers of a block
     * \return whole resource elements that they take with their CRC
     */
    uint32_t GetHeaderElements(uint32_t headers) const;

    /**
     * \param elements resource elements
     * \return bytes of contents that fit
     */
    uint32_t GetContentBytes(double elements) const;

    /**
     * \param elements of a block
     * \return what its pieces may take in all: less the CRC and what rounding may cost
     */
    double GetRoom(uint32_t elements) const;

  private:
    double m_headerByte;  //!< resource elements of a byte of headers
    double m_contentByte; //!< resource elements of a byte of contents
};

} // namespace ns3

#endif // NR_DIRECT_COST_H
