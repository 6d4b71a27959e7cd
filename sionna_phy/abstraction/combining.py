# SPDX-License-Identifier: MIT
"""What several transmissions of a block are worth together, as the simulator reckons.

The same formula as ns3::NrHarqCombining: where transmissions hold the same coded bits their SINRs
add up, elsewhere mutual information does (Caire and Tuninetti, IEEE Trans. Inf. Theory 47(5),
2001).
"""

from collections.abc import Sequence

import numpy as np

from sionna_phy.abstraction.mother_code import LOWEST_MOTHER_RATE

STARTS = {1: (0, 17 / 66, 33 / 66, 56 / 66), 2: (0, 13 / 50, 25 / 50, 43 / 50)}
"""Base graph → where redundancy versions begin, as shares of the circular buffer (TS 38.212 table
5.4.2.1-2)."""


def combined_sinr(
    sinr: Sequence[float], versions: Sequence[int], code_rate: float, graph: int
) -> float:
    """Return the SINR of an equivalent single transmission, linear.

    Args:
        sinr: effective SINR of each transmission, linear.
        versions: redundancy version of each.
        code_rate: of one transmission.
        graph: base graph, 1 or 2.
    """
    part = LOWEST_MOTHER_RATE[graph] / code_rate  # of the buffer, in a transmission
    if part >= 1.0 or len(set(versions)) == 1:
        return float(sum(sinr))
    starts = np.array([STARTS[graph][version] for version in versions])
    edges = np.unique(np.concatenate([starts, (starts + part) % 1.0, [0.0, 1.0]]))
    middle = 0.5 * (edges[:-1] + edges[1:])
    held = (middle[:, None] - starts[None, :]) % 1.0 < part  # the buffer is a circle
    information = np.diff(edges) @ np.log1p(held @ np.asarray(sinr, dtype=np.float64))
    return float(np.expm1(information / part))
