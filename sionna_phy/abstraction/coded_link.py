# SPDX-License-Identifier: MIT
"""One code block over AWGN: Sionna's LDPC code, QAM, and a genie that counts wrong blocks.

The set-up is the one behind Sionna's own tables (`CodedAWGNChannelNR`): belief propagation with 20
flooding iterations and the exact check-node rule, a-posteriori demapping, no CRC (a block is wrong
when any information bit is). SNR is Es/N0: the mean energy of a data symbol over the noise's
density, which is also the SINR of a resource element behind the receive combiner.
"""

from typing import Any

from sionna_phy.abstraction.awgn_link import AwgnLink
from sionna_phy.abstraction.mcs import Mcs
from sionna_phy.abstraction.mother_code import ITERATIONS, LOWEST_MOTHER_RATE, MotherCode
from sionna_phy.threads import one_thread


class CodedLink(AwgnLink):
    """Encoder, mapper, channel, demapper and decoder for one MCS and code-block size.

    Args:
        mcs: modulation and target code rate.
        cbs_bits: information bits of the code block, K of TS 38.212 clause 5.2.2.
        coded_bits: after rate matching; by default as many as the MCS's code rate gives, rounded up
            to whole symbols.
        graph: base graph, 1 or 2; by default the one of a transport block that fills the code block
            alone, with its CRC of 16 bits.

    Attributes:
        coded_bits: bits after rate matching, a multiple of the modulation order.
    """

    def __init__(
        self, mcs: Mcs, cbs_bits: int, *, coded_bits: int | None = None, graph: int | None = None
    ) -> None:
        from sionna.phy.fec.ldpc import LDPC5GDecoder, LDPC5GEncoder

        super().__init__(mcs, cbs_bits, coded_bits, graph)
        self._mother: MotherCode | None = None
        if cbs_bits < LOWEST_MOTHER_RATE[self.graph] * self.coded_bits:
            self._mother = MotherCode(cbs_bits, self.graph)
            self._positions: Any = self._mother.positions(0, self.coded_bits)
        else:
            self._encoder: Any = LDPC5GEncoder(
                cbs_bits,
                self.coded_bits,
                num_bits_per_symbol=mcs.bits_per_symbol,
                bg=f"bg{self.graph}",
            )
            self._decoder: Any = LDPC5GDecoder(self._encoder, num_iter=ITERATIONS)

    def send(self, bits: Any, noise: Any, generator: Any) -> Any:
        """Return the bits that the receiver decides on.

        Args:
            bits: 0 or 1, float, shape [blocks, information bits].
            noise: variance of a symbol's noise over its energy, a number or shape [symbols].
            generator: a `torch.Generator` for the noise.

        Returns:
            Shape of `bits`.
        """
        import torch

        with torch.no_grad(), one_thread():
            return self._decode(self._transmit(self._encode(bits), noise, generator))

    def _decide(self, bits: Any, noise: float, generator: Any) -> Any:
        return self.send(bits, noise, generator)

    def _encode(self, bits: Any) -> Any:
        """Return rate-matched coded bits, shape [blocks, coded bits]."""
        if self._mother is None:
            return self._encoder(bits)
        repeated = self._mother.buffer(bits)[:, self._positions]
        return self._interleaved(repeated) if self._orders else repeated

    @property
    def _orders(self) -> bool:
        """Say whether repeated bits are interleaved.

        Those of a QPSK symbol are alike, so that the order does not matter and is kept.
        """
        return self.mcs.bits_per_symbol != 2

    def _decode(self, llr: Any) -> Any:
        """Return decided information bits, shape [blocks, information bits]."""
        import torch

        if self._mother is None:
            return self._decoder(llr)
        combined = torch.zeros(len(llr), self._mother.length)
        combined.index_add_(1, self._positions, self._deinterleaved(llr) if self._orders else llr)
        return self._mother.decode(combined)
