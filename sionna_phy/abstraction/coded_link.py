# SPDX-License-Identifier: MIT
"""One code block over AWGN: Sionna's LDPC code, QAM, and a genie that counts wrong blocks.

The set-up is the one behind Sionna's own tables (`CodedAWGNChannelNR`): belief propagation with 20
flooding iterations and the exact check-node rule, a-posteriori demapping, no CRC (a block is wrong
when any information bit is). SNR is Es/N0: the mean energy of a data symbol over the noise's
density, which is also the SINR of a resource element behind the receive combiner.
"""

import math
from typing import Any

from sionna_phy.abstraction.mcs import Mcs
from sionna_phy.abstraction.mother_code import ITERATIONS, LOWEST_MOTHER_RATE, MotherCode
from sionna_phy.threads import one_thread

SHORT_CRC_BITS = 16
"""Of transport blocks up to 3824 bits (TS 38.212 clause 7.2.1)."""


def base_graph(bits: int, code_rate: float) -> int:
    """Return the base graph of a payload (TS 38.212 clauses 6.2.2 and 7.2.2).

    Args:
        bits: of the payload.
        code_rate: of its MCS.
    """
    return 2 if bits <= 292 or (bits <= 3824 and code_rate <= 0.67) or code_rate <= 0.25 else 1


class CodedLink:
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
        from sionna.phy.mapping import Constellation, Demapper, Mapper

        self.mcs = mcs
        self.cbs_bits = cbs_bits
        if coded_bits is None:
            symbols = math.ceil(cbs_bits / mcs.code_rate / mcs.bits_per_symbol)
            coded_bits = symbols * mcs.bits_per_symbol
        self.coded_bits = coded_bits
        graph = graph or base_graph(cbs_bits - SHORT_CRC_BITS, cbs_bits / coded_bits)
        self._mother: MotherCode | None = None
        if cbs_bits < LOWEST_MOTHER_RATE[graph] * self.coded_bits:
            self._mother = MotherCode(cbs_bits, graph)
            self._positions: Any = self._mother.positions(0, self.coded_bits)
        else:
            self._encoder: Any = LDPC5GEncoder(
                cbs_bits,
                self.coded_bits,
                num_bits_per_symbol=mcs.bits_per_symbol,
                bg=f"bg{graph}",
            )
            self._decoder: Any = LDPC5GDecoder(self._encoder, num_iter=ITERATIONS)
        constellation = Constellation("qam", mcs.bits_per_symbol)
        self._mapper: Any = Mapper(constellation=constellation)
        self._demapper: Any = Demapper("app", constellation=constellation)

    def count_errors(self, snr_db: float, blocks: int, generator: Any) -> int:
        """Send random blocks and return how many are wrong.

        Args:
            snr_db: Es/N0 in dB.
            blocks: how many.
            generator: a `torch.Generator` for bits and noise.
        """
        import torch

        bits = torch.randint(0, 2, (blocks, self.cbs_bits), generator=generator).float()
        decided = self.send(bits, 10.0 ** (-snr_db / 10.0), generator)
        return int((decided != bits).any(dim=1).sum())

    def send(self, bits: Any, noise: Any, generator: Any) -> Any:
        """Return the bits that the receiver decides on.

        The receiver knows the noise of every symbol, as one that has estimated its channel does.

        Args:
            bits: 0 or 1, float, shape [blocks, information bits].
            noise: variance of a symbol's noise over its energy, a number or shape [symbols].
            generator: a `torch.Generator` for the noise.

        Returns:
            Shape of `bits`.
        """
        import torch

        with torch.no_grad(), one_thread():
            symbols = self._mapper(self._encode(bits))
            noise = torch.as_tensor(noise, dtype=torch.float32)
            parts = torch.randn(2, *symbols.shape, generator=generator) * torch.sqrt(noise / 2)
            llr = self._demapper(symbols + torch.complex(parts[0], parts[1]), noise)
            return self._decode(llr)

    def _encode(self, bits: Any) -> Any:
        """Return rate-matched coded bits, shape [blocks, coded bits]."""
        if self._mother is None:
            return self._encoder(bits)
        return self._interleaved(self._mother.buffer(bits)[:, self._positions])

    def _interleaved(self, bits: Any) -> Any:
        """Return repeated bits in the order of TS 38.212 clause 5.4.2.2.

        Those of a QPSK symbol are alike, so that the order does not matter and is kept.
        """
        order = self.mcs.bits_per_symbol
        if order == 2:
            return bits
        return bits.reshape(len(bits), order, -1).transpose(1, 2).reshape(len(bits), -1)

    def _deinterleaved(self, llr: Any) -> Any:
        order = self.mcs.bits_per_symbol
        if order == 2:
            return llr
        return llr.reshape(len(llr), -1, order).transpose(1, 2).reshape(len(llr), -1)

    def _decode(self, llr: Any) -> Any:
        """Return decided information bits, shape [blocks, information bits]."""
        import torch

        if self._mother is None:
            return self._decoder(llr)
        combined = torch.zeros(len(llr), self._mother.length)
        combined.index_add_(1, self._positions, self._deinterleaved(llr))
        return self._mother.decode(combined)
