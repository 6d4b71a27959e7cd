# SPDX-License-Identifier: MIT
"""The circular buffer of a code block, and a decoder for whatever of it has been received.

TS 38.212 clause 5.4.2.1: the mother code's bits lie in a circle, and a transmission takes as many
as it needs from the place on where its redundancy version begins, round and round. A receiver adds
up what it has of each bit (soft combining) and decodes the mother code. Filler bits are not sent;
the buffer here is without them.
"""

from typing import Any

ITERATIONS = 20
LOWEST_MOTHER_RATE = {1: 1 / 3, 2: 1 / 5}
"""Base graph → rate of the mother code; below it coded bits are repeated, which Sionna's encoder
refuses."""
CERTAIN = 20.0
"""Log-likelihood ratio of a bit that is known; the decoder clips there."""


class MotherCode:
    """Sionna's LDPC code at its lowest rate.

    Args:
        cbs_bits: information bits, K of TS 38.212 clause 5.2.2.
        graph: base graph, 1 or 2.

    Attributes:
        length: of the circular buffer without filler, in bits.
    """

    def __init__(self, cbs_bits: int, graph: int) -> None:
        from sionna.phy.fec.ldpc import LDPC5GEncoder, LDPCBPDecoder

        self._bits = cbs_bits
        # Its rate must not fall below the encoder's limit.
        coded = int(cbs_bits / LOWEST_MOTHER_RATE[graph] + 1e-9)
        self._encoder: Any = LDPC5GEncoder(cbs_bits, coded, bg=f"bg{graph}")
        self._decoder: Any = LDPCBPDecoder(self._encoder.pcm, num_iter=ITERATIONS, llr_max=CERTAIN)
        self.length = int(self._encoder.n_cb_comp)

    def positions(self, version: int, count: int) -> Any:
        """Return where in the buffer a transmission's bits lie, shape [count].

        Args:
            version: redundancy version, 0 to 3 (TS 38.212 table 5.4.2.1-2).
            count: bits of the transmission.
        """
        import torch

        start = self._encoder.get_start_positions_comp([version])[0]
        return (start + torch.arange(count)) % self.length

    def buffer(self, bits: Any) -> Any:
        """Return the whole buffer, shape [blocks, length].

        Args:
            bits: 0 or 1, float, shape [blocks, information bits].
        """
        import torch

        # The encoder does not give it in one piece; the four redundancy versions cover it.
        versions = [0, 1, 2, 3]
        slices = self._encoder(bits, rv=versions)
        buffer = torch.full((len(bits), self.length), -1.0)
        reach = min(self._encoder.n, self.length)
        for version in versions:
            buffer[:, self.positions(version, reach)] = slices[:, version, :reach]
        if bool((buffer < 0).any()):
            raise RuntimeError("the redundancy versions leave a gap in the circular buffer")
        return buffer

    def decode(self, llr: Any) -> Any:
        """Return decided information bits, shape [blocks, information bits].

        Args:
            llr: sums of log-likelihood ratios of the buffer's bits, log p(1) / p(0), 0 where
                nothing was received, shape [blocks, length].
        """
        import torch

        encoder = self._encoder
        sent = self._bits - 2 * encoder.z  # systematic bits that are not punctured
        word = torch.cat(
            [
                torch.zeros(len(llr), 2 * encoder.z),
                llr[:, :sent],
                torch.full((len(llr), encoder.k_filler), -CERTAIN),  # known to be 0
                llr[:, sent:],
            ],
            dim=1,
        )
        return self._decoder(word)[:, : self._bits]
