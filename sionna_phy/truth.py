# SPDX-License-Identifier: MIT
"""Truth replay: transport blocks of a simulation through the real code.

A network simulator decides with an abstraction whether a block is lost: the SINRs of its PRBs
become one effective SINR, and a table gives the probability. Here the same block is sent bit by
bit: TS 38.212's segmentation, LDPC encoder, rate matching and interleaver, QAM, noise at every
resource element as its PRB's and layer's SINR says, demapper and belief propagation, with Sionna's
implementations. Each block is sent several times with other bits and noise, so that its own
probability becomes visible.

What it checks: effective SINR mapping, table, interpolation over code-block sizes, and code blocks
counted as independent, and for retransmissions what the combination of all is taken to be worth.
What it takes over: the SINRs (channel, precoder, Gaussian interference, a receiver that knows its
channel). A block is wrong if any bit of any code block is: an undetected error of the CRC (2^-16 at
most) is not looked for. Blocks whose code rate with CRC is above 0.95 are left out: receivers need
not decode them (TS 38.214 clause 5.1.3), and Sionna's encoder refuses to make them.

Of a retransmission all transmissions are sent, each with the bits of its redundancy version, into
one soft buffer for each code block. The block counts as lost before it and after it: code blocks
that were decoded stay so.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sionna_phy.abstraction.coded_link import CodedLink
from sionna_phy.abstraction.harq_link import HarqLink
from sionna_phy.abstraction.mcs import MCS_TABLES
from sionna_phy.abstraction.segmentation import rate_matched_bits, segment

SUBCARRIERS = 12
HIGHEST_CODE_RATE = 0.95
KEPT_LINKS = 32
"""Links with their decoders that are kept: blocks of one MCS and size come again and again."""


@dataclass(frozen=True)
class SentBlock:
    """A transport block as it was sent.

    Attributes:
        mcs: index.
        tbs_bits: transport block size.
        elements: resource elements of a PRB that carry data.
        sinr: of a resource element, linear, shape [layers, prbs], or with earlier transmissions
            [transmissions, layers, prbs].
        versions: redundancy version of each transmission.
    """

    mcs: int
    tbs_bits: int
    elements: int
    sinr: npt.NDArray[np.float32]
    versions: tuple[int, ...] = (0,)


@dataclass(frozen=True)
class Outcome:
    """What became of the repeats of a block.

    Attributes:
        before: lost before the last transmission; of first transmissions all.
        after: lost after it.
    """

    before: int
    after: int


class TruthReplay:
    """Sends blocks through the real code.

    Args:
        mcs_table: number of the MCS table, 1, 2 or 3.
        repeats: how often each block is sent.
    """

    def __init__(self, mcs_table: int, repeats: int) -> None:
        self._schemes = MCS_TABLES[mcs_table]
        self._repeats = repeats
        self._links: dict[tuple[Any, ...], CodedLink | HarqLink] = {}

    def errors(self, block: SentBlock, seed: int) -> int | None:
        """Return how many of the repeats are wrong; None if the block cannot be sent.

        Args:
            block: what is sent.
            seed: of its bits and noise.
        """
        outcome = self.outcome(block, seed)
        return None if outcome is None else outcome.after

    def outcome(self, block: SentBlock, seed: int) -> Outcome | None:
        """Return what became of the repeats; None if the block cannot be sent."""
        wrong = self.send(block, seed)
        if wrong is None:
            return None
        if len(block.versions) == 1:
            return Outcome(self._repeats, int(wrong[-1].sum()))
        return Outcome(int(wrong[0].sum()), int(wrong[1].sum()))

    def send(self, block: SentBlock, seed: int) -> npt.NDArray[np.bool_] | None:
        """Return which repeats are wrong; None if the code rate is too high.

        Returns:
            After the transmission before the last, if there is one, and after the last, shape [1 or
            2, repeats].
        """
        import torch

        scheme = self._schemes[block.mcs]
        sinr = block.sinr if block.sinr.ndim == 3 else block.sinr[None]
        if len(sinr) != len(block.versions):
            raise ValueError(f"{len(sinr)} transmissions, {len(block.versions)} versions")
        _, layers, prbs = sinr.shape
        symbols = block.elements * prbs * layers
        cut = segment(block.tbs_bits, scheme.code_rate)
        lengths = rate_matched_bits(
            symbols * scheme.bits_per_symbol, cut.blocks, layers, scheme.bits_per_symbol
        )
        if cut.bits > HIGHEST_CODE_RATE * min(lengths):
            return None
        noise = [torch.as_tensor(1.0 / symbol_sinr(one, block.elements)) for one in sinr]
        generator = torch.Generator().manual_seed(seed)
        wrong = np.zeros((min(len(sinr), 2), self._repeats), dtype=bool)
        first = 0
        for coded_bits in lengths:
            link = self._link(block.mcs, cut.bits, coded_bits, cut.graph, block.versions)
            count = coded_bits // scheme.bits_per_symbol
            bits = torch.randint(0, 2, (self._repeats, cut.bits), generator=generator).float()
            there = [level[first : first + count] for level in noise]
            if isinstance(link, HarqLink):
                decided = link.send(bits, there, generator, last=2)
            else:
                decided = [link.send(bits, there[0], generator)]
            lost = np.ones(self._repeats, dtype=bool)
            for row, guess in enumerate(decided):
                lost &= (guess != bits).any(dim=1).numpy()
                wrong[row] |= lost
            first += count
        return wrong

    def _link(
        self, mcs: int, bits: int, coded_bits: int, graph: int, versions: tuple[int, ...]
    ) -> CodedLink | HarqLink:
        key = (mcs, bits, coded_bits, graph, versions)
        link = self._links.pop(key, None)
        if link is None:
            with warnings.catch_warnings():
                # Sionna warns above 948/1024 already; a CRC takes the highest MCS beyond that.
                warnings.filterwarnings("ignore", message="Effective coderate")
                scheme, sizes = self._schemes[mcs], {"coded_bits": coded_bits, "graph": graph}
                if versions == (0,):
                    link = CodedLink(scheme, bits, **sizes)
                else:
                    link = HarqLink(scheme, bits, versions, **sizes)
        self._links[key] = link  # the last in the dictionary is the latest in use
        while len(self._links) > KEPT_LINKS:
            del self._links[next(iter(self._links))]
        return link


def symbol_sinr(sinr: npt.NDArray[np.float32], elements: int) -> npt.NDArray[np.float32]:
    """Return the SINR of each data symbol in the order in which coded bits fill them.

    Layer by layer, then over all subcarriers of an OFDM symbol, then on to the next (TS 38.211
    clauses 7.3.1.3, 7.3.1.5 and 7.3.1.6, without interleaving of PRBs). Where `elements` is no
    multiple of 12, the last symbol of each PRB is partly taken by others.

    Args:
        sinr: linear, shape [layers, prbs].
        elements: of a PRB.

    Returns:
        Shape [elements x prbs x layers].
    """
    prbs = sinr.shape[1]
    order = np.concatenate(
        [
            np.repeat(np.arange(prbs), min(SUBCARRIERS, elements - taken))
            for taken in range(0, elements, SUBCARRIERS)
        ]
    )
    return np.ascontiguousarray(sinr[:, order].T.reshape(-1))


@dataclass(frozen=True)
class Verdict:
    """How good the abstraction was, over blocks.

    Attributes:
        blocks: replayed.
        refused: chosen, but with a code rate that cannot be sent.
        sent: blocks times repeats.
        errors: of those.
        expected: errors that the abstraction predicted.
        deviation: standard deviation of the errors if the prediction is right; the blocks' SINRs
            are given, so that repeats are independent and errors a sum of Bernoulli variables.
    """

    blocks: int
    refused: int
    sent: int
    errors: int
    expected: float
    deviation: float

    @property
    def actual(self) -> float | None:
        """Return the share that was wrong."""
        return self.errors / self.sent if self.sent else None

    @property
    def predicted(self) -> float | None:
        """Return the share that should have been."""
        return self.expected / self.sent if self.sent else None


def judge(predicted: Sequence[float], errors: Sequence[int | None], repeats: int) -> Verdict:
    """Return the verdict over blocks.

    Args:
        predicted: block error probability of each block.
        errors: of its repeats, None if it could not be sent.
        repeats: of each block.
    """
    known = [(p, e) for p, e in zip(predicted, errors, strict=True) if e is not None]
    p: Any = np.array([p for p, _ in known], dtype=np.float64)
    return Verdict(
        blocks=len(known),
        refused=len(errors) - len(known),
        sent=len(known) * repeats,
        errors=sum(e for _, e in known),
        expected=float(repeats * p.sum()),
        deviation=float(np.sqrt(repeats * np.sum(p * (1 - p)))),
    )
