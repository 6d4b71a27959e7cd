# SPDX-License-Identifier: MIT
"""Contents of transport blocks that nobody checks: what the air makes of bits and of symbols.

*Bits*: the contents are code blocks of TS 38.212's LDPC code without a CRC. They go through the
real encoder, rate matching and interleaver, QAM, noise at every resource element as its PRB's and
layer's SINR says, demapper and decoder, and come back with the errors that this decoder leaves.

*Symbols*: a byte is a value (`to_bytes`), two values are the real and the imaginary part of a
complex symbol, which is sent as it is (analog joint source-channel coding). The receiver knows the
SINR of each resource element and takes the linear estimate of least squared error.

Resource elements are filled as `sionna_phy.truth.symbol_sinr` says; the first ones carry headers,
which are no part of this.
"""

import warnings
from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sionna_phy.abstraction.awgn_link import base_graph
from sionna_phy.abstraction.coded_link import CodedLink
from sionna_phy.abstraction.mcs import MCS_TABLES
from sionna_phy.abstraction.segmentation import LARGEST_BITS, rate_matched_bits
from sionna_phy.truth import symbol_sinr

LEVELS_PER_UNIT = 32.0
"""Steps of a byte from 0 to 1: values from -4 to 3.97, with a rounding noise of -41 dB."""

LARGEST_VALUE = 127
KEPT_LINKS = 64
"""Encoders and decoders that are kept: building one takes longer than using it."""

SMALLEST_BITS = 16
"""Information bits of a code block: TS 38.212's code does not know fewer than 12."""

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class ContentBlock:
    """The contents of a transport block, and the resource elements that carry them.

    Attributes:
        mcs: index, of contents that are bits.
        content_bytes: that there is room for.
        elements: resource elements of a PRB and layer that carry data.
        header_elements: of all of these, the first ones, which carry headers.
        sinr: of a resource element, linear, shape [layers, prbs].
    """

    mcs: int
    content_bytes: int
    elements: int
    header_elements: int
    sinr: npt.NDArray[np.float32]

    @property
    def content_sinr(self) -> npt.NDArray[np.float32]:
        """Return the SINR of each resource element of the contents, linear, shape [elements]."""
        return symbol_sinr(self.sinr, self.elements)[self.header_elements :]


def to_bytes(values: npt.NDArray[np.float64]) -> bytes:
    """Return values as bytes, one each, rounded and clipped; any shape, in C order."""
    levels = np.round(values * LEVELS_PER_UNIT)
    return np.clip(levels, -LARGEST_VALUE, LARGEST_VALUE).astype(np.int8).tobytes()


def from_bytes(data: bytes) -> npt.NDArray[np.float64]:
    """Return the values that bytes stand for, shape [bytes]."""
    return np.frombuffer(data, np.int8).astype(np.float64) / LEVELS_PER_UNIT


class DirectReceiver:
    """What comes out of content blocks.

    Args:
        mcs_table: number of the MCS table, 1, 2 or 3.
    """

    def __init__(self, mcs_table: int) -> None:
        self._schemes = MCS_TABLES[mcs_table]
        self._links: OrderedDict[tuple[int, int, int, int], CodedLink] = OrderedDict()

    def bit_errors(self, block: ContentBlock, seed: int) -> Bytes:
        """Return the wrong bits of a block's contents, 1 where wrong, shape [content bytes].

        Contents are taken to be combined with a random sequence that both sides know, as
        scrambling does (TS 38.211 clause 7.3.1.1): which bits are wrong does not depend on them.
        Room for a single byte is less than the code can fill: it is taken for two, with resource
        elements like those that are there.

        Args:
            block: what was sent.
            seed: of that sequence and of the noise.
        """
        import torch

        if block.content_bytes == 0:
            return np.zeros(0, np.uint8)
        scheme = self._schemes[block.mcs]
        order = scheme.bits_per_symbol
        sinr = np.maximum(block.content_sinr, 1e-9)
        total = 8 * block.content_bytes
        if total < SMALLEST_BITS:
            total = SMALLEST_BITS
            sinr = np.resize(sinr, max(len(sinr), int(np.ceil(total / scheme.code_rate / order))))
        noise = torch.as_tensor(1.0 / sinr)
        graph = base_graph(total, scheme.code_rate)
        count = -(-total // LARGEST_BITS[graph])
        lengths = rate_matched_bits(len(noise) * order, count, 1, order)
        ends = np.linspace(0, total, count + 1).astype(int)
        generator = torch.Generator().manual_seed(seed)
        wrong = np.zeros(total, np.uint8)
        at = 0
        for first, last, coded_bits in zip(ends[:-1], ends[1:], lengths, strict=True):
            link = self._link(block.mcs, int(last - first), coded_bits, graph)
            bits = torch.randint(0, 2, (1, int(last - first)), generator=generator).float()
            symbols = coded_bits // order
            decided = link.send(bits, noise[at : at + symbols], generator)
            wrong[first:last] = (decided != bits)[0].numpy()
            at += symbols
        return np.packbits(wrong)[: block.content_bytes]

    def noisy(self, block: ContentBlock, first: int, data: bytes, seed: int) -> bytes:
        """Return values as they are received.

        Args:
            block: that they are a part of.
            first: which byte of its contents they begin with.
            data: of `to_bytes`: values of unit variance.
            seed: of the noise of the whole block.

        Returns:
            As many bytes, of `to_bytes`.
        """
        # A symbol of unit energy is two values over the square root of 2: its noise, of variance
        # 1 / SINR in all, has that variance again in each value.
        sinr = np.repeat(block.content_sinr.astype(np.float64), 2)[: block.content_bytes]
        noise = np.random.default_rng(seed).standard_normal(len(sinr))
        chosen = slice(first, first + len(data))
        sinr, noise = np.maximum(sinr[chosen], 1e-9), noise[chosen]
        received = from_bytes(data) + noise / np.sqrt(sinr)
        return to_bytes(received * sinr / (1.0 + sinr))

    def _link(self, mcs: int, bits: int, coded_bits: int, graph: int) -> CodedLink:
        key = (mcs, bits, coded_bits, graph)
        link = self._links.get(key)
        if link is None:
            with warnings.catch_warnings():
                # Sionna warns above 948/1024 already, which the highest MCS may reach.
                warnings.filterwarnings("ignore", message="Effective coderate")
                link = CodedLink(self._schemes[mcs], bits, coded_bits=coded_bits, graph=graph)
            self._links[key] = link
            if len(self._links) > KEPT_LINKS:
                self._links.popitem(last=False)
        self._links.move_to_end(key)
        return link
