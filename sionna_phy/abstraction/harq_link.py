# SPDX-License-Identifier: MIT
"""One code block over several transmissions: redundancy versions, soft buffer, decoder.

As `coded_link`, but each transmission sends the bits of its redundancy version, and the receiver
adds up the log-likelihood ratios of all that it has of a bit before it decodes: incremental
redundancy with the versions 0, 2, 3, 1, chase combining with 0 alone.
"""

import math
from collections.abc import Sequence
from typing import Any

from sionna_phy.abstraction.coded_link import SHORT_CRC_BITS, base_graph
from sionna_phy.abstraction.mcs import Mcs
from sionna_phy.abstraction.mother_code import MotherCode
from sionna_phy.threads import one_thread


class HarqLink:
    """Encoder, mapper, channel, demapper, soft buffer and decoder.

    Args:
        mcs: modulation and target code rate of every transmission.
        cbs_bits: information bits of the code block.
        versions: redundancy version of each transmission, the first one first.
        coded_bits: of each transmission; as in `CodedLink`.
        graph: base graph, 1 or 2; as in `CodedLink`.

    Attributes:
        coded_bits: of each transmission.

    Raises:
        ValueError: a version is none of 0 to 3, or there is none.
    """

    def __init__(
        self,
        mcs: Mcs,
        cbs_bits: int,
        versions: Sequence[int],
        *,
        coded_bits: int | None = None,
        graph: int | None = None,
    ) -> None:
        from sionna.phy.mapping import Constellation, Demapper, Mapper

        if not versions or any(version not in (0, 1, 2, 3) for version in versions):
            raise ValueError(f"redundancy versions are 0 to 3, not {list(versions)}")
        self.mcs = mcs
        self.cbs_bits = cbs_bits
        self.versions = tuple(versions)
        order = mcs.bits_per_symbol
        if coded_bits is None:
            coded_bits = math.ceil(cbs_bits / mcs.code_rate / order) * order
        self.coded_bits = coded_bits
        self._code = MotherCode(
            cbs_bits, graph or base_graph(cbs_bits - SHORT_CRC_BITS, cbs_bits / coded_bits)
        )
        self._positions = [self._code.positions(version, coded_bits) for version in versions]
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
        noise = [10.0 ** (-snr_db / 10.0)] * len(self.versions)
        decided = self.send(bits, noise, generator, last=1)[0]
        return int((decided != bits).any(dim=1).sum())

    def send(
        self, bits: Any, noise: Sequence[Any], generator: Any, *, last: int | None = None
    ) -> list[Any]:
        """Return the bits that the receiver decides on after each transmission.

        Args:
            bits: 0 or 1, float, shape [blocks, information bits].
            noise: of each transmission, variance over a symbol's energy, a number or shape
                [symbols].
            generator: a `torch.Generator` for the noise.
            last: decode only after so many of the last transmissions; None: after each.

        Returns:
            One tensor of the shape of `bits` for each transmission that was decoded after.
        """
        import torch

        first = 0 if last is None else len(self.versions) - last
        found = []
        with torch.no_grad(), one_thread():
            buffer = self._code.buffer(bits)
            soft = torch.zeros_like(buffer)
            for number, (positions, level) in enumerate(zip(self._positions, noise, strict=True)):
                symbols = self._mapper(self._interleaved(buffer[:, positions]))
                variance = torch.as_tensor(level, dtype=torch.float32)
                parts = torch.randn(2, *symbols.shape, generator=generator)
                received = symbols + torch.complex(*(parts * torch.sqrt(variance / 2)))
                llr = self._demapper(received, variance)
                soft.index_add_(1, positions, self._deinterleaved(llr))
                if number >= first:
                    found.append(self._code.decode(soft))
        return found

    def _interleaved(self, bits: Any) -> Any:
        """Return bits in the order of TS 38.212 clause 5.4.2.2."""
        order = self.mcs.bits_per_symbol
        return bits.reshape(len(bits), order, -1).transpose(1, 2).reshape(len(bits), -1)

    def _deinterleaved(self, llr: Any) -> Any:
        order = self.mcs.bits_per_symbol
        return llr.reshape(len(llr), -1, order).transpose(1, 2).reshape(len(llr), -1)
