# SPDX-License-Identifier: MIT
"""Confidence intervals of shares."""

import math

Z_95 = 1.959963984540054


def wilson(hits: float, trials: float, z: float = Z_95) -> tuple[float, float]:
    """Return the score interval of a share (Wilson, JASA 22, 1927).

    Args:
        hits: how often it happened.
        trials: out of so many; without any the interval is all of 0 to 1.
        z: two-sided quantile of the normal distribution; the default is 95 %.
    """
    if trials <= 0:
        return 0.0, 1.0
    share = hits / trials
    centre = share + z * z / (2 * trials)
    half = z * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    scale = 1 + z * z / trials
    return max(0.0, (centre - half) / scale), min(1.0, (centre + half) / scale)
