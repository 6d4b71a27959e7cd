// SPDX-License-Identifier: GPL-2.0-only
#include "nr-tbs.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <iterator>

namespace ns3
{

namespace
{

/// TS 38.214 table 5.1.3.2-1.
constexpr uint16_t SMALL_SIZES[] = {
    24,   32,   40,   48,   56,   64,   72,   80,   88,   96,   104,  112,  120,  128,  136,  144,
    152,  160,  168,  176,  184,  192,  208,  224,  240,  256,  272,  288,  304,  320,  336,  352,
    368,  384,  408,  432,  456,  480,  504,  528,  552,  576,  608,  640,  672,  704,  736,  768,
    808,  848,  888,  928,  984,  1032, 1064, 1128, 1160, 1192, 1224, 1256, 1288, 1320, 1352, 1416,
    1480, 1544, 1608, 1672, 1736, 1800, 1864, 1928, 2024, 2088, 2152, 2216, 2280, 2408, 2472, 2536,
    2600, 2664, 2728, 2792, 2856, 2976, 3104, 3240, 3368, 3496, 3624, 3752, 3824};

static_assert(std::size(SMALL_SIZES) == 93);

constexpr double LARGEST_SMALL_INFO = 3824.0;

/// \return floor(log2(x)) of a positive number
int FloorLog2(double x)
{
    return std::ilogb(x);
}

/// \return value rounded up to a multiple of 8 x blocks, without the transport block's CRC
uint32_t PadToBlocks(double info, double blocks)
{
    return static_cast<uint32_t>(8.0 * blocks * std::ceil((info + 24.0) / (8.0 * blocks)) - 24.0);
}

} // namespace

uint32_t NrTransportBlockSize(uint32_t prbs,
                              uint32_t symbols,
                              uint32_t dmrsRePerPrb,
                              uint32_t overheadRePerPrb,
                              uint32_t layers,
                              uint8_t modulationOrder,
                              double codeRate)
{
    const uint32_t all = 12 * symbols;
    const uint32_t taken = dmrsRePerPrb + overheadRePerPrb;
    if (all <= taken)
    {
        return 0;
    }
    const uint32_t elements = std::min(156U, all - taken) * prbs;
    const double info = double(elements) * codeRate * modulationOrder * layers;
    if (info <= 0.0)
    {
        return 0;
    }
    if (info <= LARGEST_SMALL_INFO)
    {
        const int n = std::max(3, FloorLog2(info) - 6);
        const double step = std::ldexp(1.0, n);
        const double quantised = std::max(24.0, step * std::floor(info / step));
        return *std::lower_bound(
            std::begin(SMALL_SIZES), std::end(SMALL_SIZES), static_cast<uint16_t>(quantised));
    }
    const int n = FloorLog2(info - 24.0) - 5;
    const double step = std::ldexp(1.0, n);
    // std::round takes halves away from zero, which the clause asks for.
    const double quantised = std::max(3840.0, step * std::round((info - 24.0) / step));
    if (codeRate <= 0.25)
    {
        return PadToBlocks(quantised, std::ceil((quantised + 24.0) / 3816.0));
    }
    if (quantised > 8424.0)
    {
        return PadToBlocks(quantised, std::ceil((quantised + 24.0) / 8424.0));
    }
    return PadToBlocks(quantised, 1.0);
}

NrSegmentation NrSegment(uint32_t tbsBits, double codeRate)
{
    const bool second = tbsBits <= 292 || (tbsBits <= 3824 && codeRate <= 0.67) || codeRate <= 0.25;
    const uint32_t largest = second ? 3840 : 8448;
    const uint32_t crc = tbsBits > 3824 ? 24 : 16;
    const uint32_t bits = tbsBits + crc;
    if (bits <= largest)
    {
        return {static_cast<uint8_t>(second ? 2 : 1), 1, bits};
    }
    constexpr uint32_t BLOCK_CRC = 24;
    const uint32_t blocks = (bits + largest - BLOCK_CRC - 1) / (largest - BLOCK_CRC);
    return {static_cast<uint8_t>(second ? 2 : 1),
            blocks,
            (bits + blocks * BLOCK_CRC + blocks - 1) / blocks};
}

} // namespace ns3
