# SPDX-License-Identifier: MIT
"""Formulas: each takes plain numbers and names its source. Undefined results are None."""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Z_95 = 1.959963984540054
"""97.5 % quantile of the standard normal distribution."""


def proportion(count: int, total: int) -> float | None:
    """Return count / total, None for no trials."""
    return count / total if total else None


def wilson_interval(count: int, total: int, z: float = Z_95) -> tuple[float, float] | None:
    """Return the Wilson score interval of a proportion, None for no trials.

    With p = count / total and n = total:
    (p + z²/2n ± z·sqrt(p(1−p)/n + z²/4n²)) / (1 + z²/n)
    (E. B. Wilson, JASA 22(158), 1927).

    Raises:
        ValueError: count is not within 0 and total.
    """
    if not 0 <= count <= total:
        raise ValueError(f"{count} of {total} is no proportion")
    if total == 0:
        return None
    p, z2 = count / total, z * z
    centre = p + z2 / (2 * total)
    half = z * math.sqrt(p * (1 - p) / total + z2 / (4 * total * total))
    scale = 1 + z2 / total
    # The exact limits at the ends are 0 and 1; rounding must not miss them.
    low = 0.0 if count == 0 else (centre - half) / scale
    high = 1.0 if count == total else (centre + half) / scale
    return low, high


def jain_index(values: Sequence[float] | npt.NDArray[np.float64]) -> float | None:
    """Return Jain's fairness index (Σx)² / (n·Σx²), from 1/n to 1; None for none or all zero.

    Source: Jain, Chiu, Hawe, DEC-TR-301, 1984.
    """
    x = np.asarray(values, dtype=np.float64)
    squares = float(np.sum(x * x))
    return float(np.sum(x)) ** 2 / (x.size * squares) if squares > 0 else None


def token_success_rate(units_received: int, units_sent: int) -> float | None:
    """Return units decoded within the budget / units sent (token success rate, 3GPP RAN1)."""
    return proportion(units_received, units_sent)


def semantic_goodput_hz(correct_on_time: int, duration_s: float) -> float | None:
    """Return correct and on-time answers a second (DESIGN §5); None for no time."""
    return correct_on_time / duration_s if duration_s > 0 else None


def per_correct(total: float, correct: int) -> float | None:
    """Return what a correct answer costs: total / correct (bytes or joules); None without any."""
    return total / correct if correct else None


def throughput_bps(total_bytes: int, duration_s: float) -> float | None:
    """Return 8 · bytes / duration in bit/s; None for no time."""
    return 8.0 * total_bytes / duration_s if duration_s > 0 else None


def quantiles(
    values: Sequence[float] | npt.NDArray[np.float64], shares: Sequence[float]
) -> list[float | None]:
    """Return quantiles by linear interpolation between order statistics; NaN values are left out.

    With n values sorted from x₀, the quantile q lies at position q·(n−1) (Hyndman and Fan, The
    American Statistician 50(4), 1996, type 7).
    """
    x = np.asarray(values, dtype=np.float64)
    x = x[~np.isnan(x)]
    return [float(np.quantile(x, share)) if x.size else None for share in shares]


def floor_corrected(score: float, floor: float) -> float | None:
    """Return (score − floor) / (1 − floor), so that a decoder fed with noise scores 0 (DESIGN §5).

    None when the floor is 1: then there is nothing to gain.
    """
    return (score - floor) / (1.0 - floor) if floor < 1.0 else None


def semantic_spectral_efficiency(
    information_suts: float, similarity: float, symbols: float
) -> float | None:
    """Return Φ = I·ξ/(k·L) in suts/s/Hz: what a message means, over the symbols that it takes.

    Args:
        information_suts: semantic information I of a message, in semantic units (suts).
        similarity: ξ, 0 to 1, floor-corrected.
        symbols: k·L, complex symbols of a message of L words at k symbols a word.

    One symbol a second needs one hertz (Yan et al., arXiv 2201.06023, equation 3).
    """
    return information_suts * similarity / symbols if symbols > 0 else None
