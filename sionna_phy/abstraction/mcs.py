# SPDX-License-Identifier: MIT
"""Modulation and coding schemes of the PDSCH."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Mcs:
    """A modulation and coding scheme.

    Attributes:
        bits_per_symbol: modulation order Qm.
        code_rate: target code rate R.
    """

    bits_per_symbol: int
    code_rate: float

    @property
    def efficiency(self) -> float:
        """Return information bits per data symbol."""
        return self.bits_per_symbol * self.code_rate


_QPSK = (120, 157, 193, 251, 308, 379, 449, 526, 602, 679)
_QAM16 = (340, 378, 434, 490, 553, 616, 658)
_QAM64 = (438, 466, 517, 567, 616, 666, 719, 772, 822, 873, 910, 948)

MCS_TABLE_1: tuple[Mcs, ...] = tuple(
    Mcs(bits, rate / 1024)
    for bits, rates in ((2, _QPSK), (4, _QAM16), (6, _QAM64))
    for rate in rates
)
"""MCS 0 to 28 of TS 38.214 table 5.1.3.1-1 (29 to 31 are for retransmissions)."""
