# SPDX-License-Identifier: MIT
"""From a transport block to its code blocks (TS 38.212 clauses 5.2.2, 5.4.2.1 and 7.2)."""

from dataclasses import dataclass

from sionna_phy.abstraction.awgn_link import SHORT_CRC_BITS, base_graph

LARGEST_BITS = {1: 8448, 2: 3840}
LONG_CRC_BITS = 24
"""Of transport blocks above 3824 bits, and of each code block if there are several."""


@dataclass(frozen=True)
class Segmentation:
    """The code blocks of a transport block.

    Attributes:
        graph: base graph, 1 or 2.
        blocks: code blocks.
        bits: of a code block, with its CRC, without filler.
    """

    graph: int
    blocks: int
    bits: int


def segment(tbs_bits: int, code_rate: float) -> Segmentation:
    """Return the code blocks of a transport block.

    Args:
        tbs_bits: its size without CRC.
        code_rate: of the MCS.
    """
    graph = base_graph(tbs_bits, code_rate)
    bits = tbs_bits + (LONG_CRC_BITS if tbs_bits > 3824 else SHORT_CRC_BITS)
    if bits <= LARGEST_BITS[graph]:
        return Segmentation(graph, 1, bits)
    blocks = -(-bits // (LARGEST_BITS[graph] - LONG_CRC_BITS))
    # Transport block sizes are such that this divides without a remainder.
    return Segmentation(graph, blocks, -(-(bits + blocks * LONG_CRC_BITS) // blocks))


def rate_matched_bits(coded_bits: int, blocks: int, layers: int, bits_per_symbol: int) -> list[int]:
    """Return how many coded bits each code block gets (E of TS 38.212 clause 5.4.2.1).

    Args:
        coded_bits: of the transport block, G; a multiple of layers and bits per symbol.
        blocks: code blocks.
        layers: spatial layers.
        bits_per_symbol: modulation order.
    """
    unit = layers * bits_per_symbol
    share, more = divmod(coded_bits // unit, blocks)
    return [unit * (share + (number >= blocks - more)) for number in range(blocks)]
