# SPDX-License-Identifier: MIT
"""What links over AWGN have in common: mapper, noise, demapper, interleaver, counting.

How bits are encoded and decided on is left to `coded_link` (one transmission) and `harq_link`
(several).
"""

import math
from abc import ABC, abstractmethod
from typing import Any

from sionna_phy.abstraction.mcs import Mcs

SHORT_CRC_BITS = 16
"""Of transport blocks up to 3824 bits (TS 38.212 clause 7.2.1)."""


def base_graph(bits: int, code_rate: float) -> int:
    """Return the base graph of a payload (TS 38.212 clauses 6.2.2 and 7.2.2).

    Args:
        bits: of the payload.
        code_rate: of its MCS.
    """
    return 2 if bits <= 292 or (bits <= 3824 and code_rate <= 0.67) or code_rate <= 0.25 else 1


class AwgnLink(ABC):
    """Mapper, channel and demapper for one MCS and code-block size.

    Args:
        mcs: modulation and target code rate.
        cbs_bits: information bits of the code block, K of TS 38.212 clause 5.2.2.
        coded_bits: after rate matching; None: as many as the MCS's code rate gives, rounded up to
            whole symbols.
        graph: base graph, 1 or 2; None: the one of a transport block that fills the code block
            alone, with its CRC of 16 bits.

    Attributes:
        coded_bits: of each transmission, a multiple of the modulation order.
        graph: base graph.
    """

    def __init__(self, mcs: Mcs, cbs_bits: int, coded_bits: int | None, graph: int | None) -> None:
        from sionna.phy.mapping import Constellation, Demapper, Mapper

        order = mcs.bits_per_symbol
        self.mcs = mcs
        self.cbs_bits = cbs_bits
        if coded_bits is None:
            coded_bits = math.ceil(cbs_bits / mcs.code_rate / order) * order
        self.coded_bits = coded_bits
        self.graph = graph or base_graph(cbs_bits - SHORT_CRC_BITS, cbs_bits / coded_bits)
        constellation = Constellation("qam", order)
        self._mapper: Any = Mapper(constellation=constellation)
        self._demapper: Any = Demapper("app", constellation=constellation)

    def count_errors(self, snr_db: float, blocks: int, generator: Any) -> int:
        """Send random blocks and return how many are wrong after the last transmission.

        Args:
            snr_db: Es/N0 of every transmission in dB.
            blocks: how many.
            generator: a `torch.Generator` for bits and noise.
        """
        import torch

        bits = torch.randint(0, 2, (blocks, self.cbs_bits), generator=generator).float()
        decided = self._decide(bits, 10.0 ** (-snr_db / 10.0), generator)
        return int((decided != bits).any(dim=1).sum())

    @abstractmethod
    def _decide(self, bits: Any, noise: float, generator: Any) -> Any:
        """Return what is decided on after the last transmission, if all have the same noise.

        Args:
            bits: 0 or 1, float, shape [blocks, information bits].
            noise: variance of a symbol's noise over its energy.
            generator: a `torch.Generator` for the noise.

        Returns:
            Shape of `bits`.
        """

    def _transmit(self, coded: Any, noise: Any, generator: Any) -> Any:
        """Return log-likelihood ratios of coded bits, shape [blocks, coded bits].

        The receiver knows the noise of every symbol, as one that has estimated its channel does.

        Args:
            coded: 0 or 1, float, shape [blocks, coded bits].
            noise: variance of a symbol's noise over its energy, a number or shape [symbols].
            generator: a `torch.Generator` for the noise.
        """
        import torch

        symbols = self._mapper(coded)
        noise = torch.as_tensor(noise, dtype=torch.float32)
        parts = torch.randn(2, *symbols.shape, generator=generator) * torch.sqrt(noise / 2)
        return self._demapper(symbols + torch.complex(parts[0], parts[1]), noise)

    def _interleaved(self, bits: Any) -> Any:
        """Return bits in the order of TS 38.212 clause 5.4.2.2."""
        order = self.mcs.bits_per_symbol
        return bits.reshape(len(bits), order, -1).transpose(1, 2).reshape(len(bits), -1)

    def _deinterleaved(self, llr: Any) -> Any:
        order = self.mcs.bits_per_symbol
        return llr.reshape(len(llr), -1, order).transpose(1, 2).reshape(len(llr), -1)
