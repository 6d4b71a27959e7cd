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

_QPSK_2 = (120, 193, 308, 449, 602)
_QAM16_2 = (378, 434, 490, 553, 616, 658)
_QAM64_2 = (466, 517, 567, 616, 666, 719, 772, 822, 873)
_QAM256_2 = (682.5, 711, 754, 797, 841, 885, 916.5, 948)

MCS_TABLE_2: tuple[Mcs, ...] = tuple(
    Mcs(bits, rate / 1024)
    for bits, rates in ((2, _QPSK_2), (4, _QAM16_2), (6, _QAM64_2), (8, _QAM256_2))
    for rate in rates
)
"""MCS 0 to 27 of TS 38.214 table 5.1.3.1-2 (up to 256QAM)."""

_QPSK_3 = (30, 40, 50, 64, 78, 99, 120, 157, 193, 251, 308, 379, 449, 526, 602)
_QAM16_3 = (340, 378, 434, 490, 553, 616)
_QAM64_3 = (438, 466, 517, 567, 616, 666, 719, 772)

MCS_TABLE_3: tuple[Mcs, ...] = tuple(
    Mcs(bits, rate / 1024)
    for bits, rates in ((2, _QPSK_3), (4, _QAM16_3), (6, _QAM64_3))
    for rate in rates
)
"""MCS 0 to 28 of TS 38.214 table 5.1.3.1-3 (low spectral efficiency)."""

MCS_TABLES: dict[int, tuple[Mcs, ...]] = {1: MCS_TABLE_1, 2: MCS_TABLE_2, 3: MCS_TABLE_3}
"""The three PDSCH tables by the number that ends their name in TS 38.214 clause 5.1.3.1."""
