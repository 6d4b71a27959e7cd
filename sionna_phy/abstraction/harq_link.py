# SPDX-License-Identifier: MIT
"""One code block over several transmissions: redundancy versions, soft buffer, decoder.

As `coded_link`, but each transmission sends the bits of its redundancy version, and the receiver
adds up the log-likelihood ratios of all that it has of a bit before it decodes: incremental
redundancy with the versions 0, 2, 3, 1, chase combining with 0 alone.
"""

from collections.abc import Sequence
from typing import Any

from sionna_phy.abstraction.awgn_link import AwgnLink
from sionna_phy.abstraction.mcs import Mcs
from sionna_phy.abstraction.mother_code import MotherCode
from sionna_phy.threads import one_thread


class HarqLink(AwgnLink):
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
        if not versions or any(version not in (0, 1, 2, 3) for version in versions):
            raise ValueError(f"redundancy versions are 0 to 3, not {list(versions)}")
        super().__init__(mcs, cbs_bits, coded_bits, graph)
        self.versions = tuple(versions)
        self._code = MotherCode(cbs_bits, self.graph)
        self._positions = [self._code.positions(version, self.coded_bits) for version in versions]

    def _decide(self, bits: Any, noise: float, generator: Any) -> Any:
        return self.send(bits, [noise] * len(self.versions), generator, last=1)[0]

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
                coded = self._interleaved(buffer[:, positions])
                llr = self._transmit(coded, level, generator)
                soft.index_add_(1, positions, self._deinterleaved(llr))
                if number >= first:
                    found.append(self._code.decode(soft))
        return found
