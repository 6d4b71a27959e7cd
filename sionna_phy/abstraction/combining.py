# SPDX-License-Identifier: MIT
"""What several transmissions of a block are worth together, as the simulator reckons.

The same formulas as ns3::NrHarqCombining and ns3::NrPhyAbstraction: where transmissions hold the
same coded bits their SINRs add up; where they do not, the block has more coded bits and a lower
code rate, and mutual information is averaged over all bits that were sent (Caire and Tuninetti,
IEEE Trans. Inf. Theory 47(5), 2001). How much less SINR a lower code rate needs, the block error
curves of the same modulation say.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sionna_phy.abstraction.mcs import Mcs
from sionna_phy.abstraction.mother_code import LOWEST_MOTHER_RATE

STARTS = {1: (0, 17 / 66, 33 / 66, 56 / 66), 2: (0, 13 / 50, 25 / 50, 43 / 50)}
"""Base graph → where redundancy versions begin, as shares of the circular buffer (TS 38.212 table
5.4.2.1-2)."""


@dataclass(frozen=True)
class Combined:
    """One transmission that is worth as much as several.

    Attributes:
        sinr: linear, mean over all coded bits that were sent.
        code_rate: information bits over all these coded bits.
        energy: sum of the SINRs of all transmissions.
    """

    sinr: float
    code_rate: float
    energy: float


def combine(
    sinr: Sequence[float], versions: Sequence[int], code_rate: float, graph: int
) -> Combined:
    """Return what transmissions are worth together.

    Args:
        sinr: effective SINR of each transmission, linear.
        versions: redundancy version of each.
        code_rate: of one transmission.
        graph: base graph, 1 or 2.
    """
    mother = LOWEST_MOTHER_RATE[graph]
    part = mother / code_rate  # of the buffer, in a transmission
    energy = float(sum(sinr))
    if part >= 1.0 or len(set(versions)) == 1:
        return Combined(energy, code_rate, energy)
    starts = np.array([STARTS[graph][version] for version in versions])
    edges = np.unique(np.concatenate([starts, (starts + part) % 1.0, [0.0, 1.0]]))
    middle = 0.5 * (edges[:-1] + edges[1:])
    held = (middle[:, None] - starts[None, :]) % 1.0 < part  # the buffer is a circle
    widths = np.diff(edges)
    sent = float(widths @ held.any(axis=1))
    information = float(widths @ np.log1p(held @ np.asarray(sinr, dtype=np.float64)))
    return Combined(float(np.expm1(information / sent)), mother / sent, energy)


def equivalent_sinr(
    combined: Combined, mcs: int, schemes: Sequence[Mcs], half_lost_db: Mapping[int, float]
) -> float:
    """Return the SINR of a single transmission that is lost as often, linear.

    Args:
        combined: from `combine`.
        mcs: index.
        schemes: the MCS table.
        half_lost_db: MCS → SNR in dB at which half of its blocks are lost, one at least.
    """
    order = schemes[mcs].bits_per_symbol
    known = [i for i in sorted(half_lost_db) if schemes[i].bits_per_symbol == order] or [mcs]
    rates = np.array([schemes[i].code_rate for i in known])
    levels = np.array([half_lost_db[i] for i in known])

    def half_lost(rate: float) -> float:
        if rates[0] <= rate <= rates[-1]:
            return float(np.interp(rate, rates, levels))
        end = 0 if rate < rates[0] else -1
        capacity = (2 ** (order * rate) - 1) / (2 ** (order * rates[end]) - 1)
        return float(levels[end] + 10 * np.log10(capacity))

    gain_db = half_lost(schemes[mcs].code_rate) - half_lost(combined.code_rate)
    return max(combined.energy, combined.sinr * 10 ** (gain_db / 10))
