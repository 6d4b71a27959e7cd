// SPDX-License-Identifier: GPL-2.0-only
#ifndef NR_TBS_H
#define NR_TBS_H

#include <cstdint>

namespace ns3
{

/**
 * The transport block size of TS 38.214 clause 5.1.3.2.
 *
 * \param prbs allocated PRBs
 * \param symbols allocated OFDM symbols
 * \param dmrsRePerPrb resource elements of a PRB for DM-RS
 * \param overheadRePerPrb xOverhead, resource elements of a PRB
 * \param layers spatial layers
 * \param modulationOrder bits a symbol
 * \param codeRate target code rate, 0 to 1
 * \return bits, 0 if there is no room
 */
uint32_t NrTransportBlockSize(uint32_t prbs,
                              uint32_t symbols,
                              uint32_t dmrsRePerPrb,
                              uint32_t overheadRePerPrb,
                              uint32_t layers,
                              uint8_t modulationOrder,
                              double codeRate);

/// How a transport block is cut for the channel coder.
struct NrSegmentation
{
    uint8_t baseGraph;      //!< LDPC base graph, 1 or 2
    uint32_t codeBlocks;    //!< how many
    uint32_t codeBlockBits; //!< bits of each, its CRC included
};

/**
 * Base graph and code blocks of TS 38.212 clauses 6.2.2 and 5.2.2.
 *
 * \param tbsBits transport block size, without its CRC
 * \param codeRate target code rate, 0 to 1
 * \return the segmentation
 */
NrSegmentation NrSegment(uint32_t tbsBits, double codeRate);

} // namespace ns3

#endif // NR_TBS_H
