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


def goodput_per_hz(correct_on_time: int, duration_s: float, bandwidth_hz: float) -> float | None:
    """Return correct and on-time answers / (duration · bandwidth), unit 1 (answers/s/Hz).

    Source: DESIGN §5. None for no time or no bandwidth.
    """
    room = duration_s * bandwidth_hz
    return correct_on_time / room if room > 0 else None


def floor_corrected(similarity: float, floor: float) -> float:
    """Return max(0, (ξ − ξ₀) / (1 − ξ₀)), unit 1: 0 for a decoder fed with nothing, 1 for perfect.

    A sentence similarity does not fall to 0 where nothing was understood: two unrelated sentences
    still have some. ξ₀ is what the same decoder reaches with everything lost.

    Args:
        similarity: ξ as measured, at most 1.
        floor: ξ₀, below 1.

    Raises:
        ValueError: floor is not below 1, or similarity is above 1.
    """
    if not floor < 1.0 or similarity > 1.0 + 1e-9:
        raise ValueError(f"similarity {similarity} over a floor of {floor}: both are at most 1")
    return max(0.0, (similarity - floor) / (1.0 - floor))


def semantic_spectral_efficiency(
    suts: float, words: float, symbols_per_word: float, similarity: float
) -> float | None:
    """Return Φ = I·ξ / (k·L) in suts/s/Hz; None for no symbols.

    One complex symbol a second needs one hertz, so suts a symbol are suts/s/Hz (L. Yan, Z. Qin,
    R. Zhang, Y. Li, G. Y. Li, arXiv 2201.06023, eq. 8).

    Args:
        suts: I, semantic units that a sentence holds, in suts.
        words: L, words of a sentence.
        symbols_per_word: k, complex symbols sent for a word, pilots and headers included.
        similarity: ξ, floor-corrected (`floor_corrected`), 0 to 1.
    """
    spent = symbols_per_word * words
    return suts * similarity / spent if spent > 0 else None


def semantic_rate(bandwidth_hz: float, spectral_efficiency: float) -> float:
    """Return Γ = W·Φ in suts/s (arXiv 2201.06023, eq. 7).

    Args:
        bandwidth_hz: W in Hz.
        spectral_efficiency: Φ in suts/s/Hz.
    """
    return bandwidth_hz * spectral_efficiency


def logistic_score(value: float, middle: float, steepness: float) -> float:
    """Return G(x) = 1 / (1 + exp(β·(x₀ − x))), unit 1, without overflow (arXiv 2205.14530).

    Args:
        value: x.
        middle: x₀, where the score is one half.
        steepness: β in 1/unit of x, positive where more is better.
    """
    exponent = steepness * (middle - value)
    if exponent > 0:  # exp of a large number overflows, of its negative it does not
        shrunk = math.exp(-exponent)
        return shrunk / (1.0 + shrunk)
    return 1.0 / (1.0 + math.exp(exponent))


def quality_of_experience(rate_score: float, fidelity_score: float, weight: float) -> float:
    """Return QoE = w·G(φ) + (1−w)·G(ξ), unit 1 (L. Yan et al., arXiv 2205.14530).

    Args:
        rate_score: G(φ) of the semantic rate, see `logistic_score`.
        fidelity_score: G(ξ) of the similarity or accuracy.
        weight: w, 0 to 1.

    Raises:
        ValueError: weight is not within 0 and 1.
    """
    if not 0.0 <= weight <= 1.0:
        raise ValueError(f"a weight is from 0 to 1, not {weight}")
    return weight * rate_score + (1.0 - weight) * fidelity_score


def coverage(accepted: int, total: int) -> float | None:
    """Return P(accepted) = accepted / all messages (selective prediction; DESIGN §5)."""
    return proportion(accepted, total)


def accepted_outage(accepted: int, accepted_correct: int) -> float | None:
    """Return P(wrong | accepted) = 1 − right accepted answers / accepted ones (DESIGN §5).

    None where nothing was accepted: silence is no outage and no success.
    """
    share = proportion(accepted_correct, accepted)
    return None if share is None else 1.0 - share


def peak_ages_s(
    created_s: Sequence[float] | npt.NDArray[np.float64],
    delivered_s: Sequence[float] | npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    """Return the peaks of the age of information, in s, shape [fresh updates − 1].

    Age at time t is t − the creation time of the newest update received; it peaks just before a
    fresher one comes: A = delivery time − creation time of the freshest one before (M. Costa,
    M. Codreanu, A. Ephremides, IEEE Trans. Inf. Theory 62(4), 2016). Updates that come after a
    fresher one change nothing; NaN delivery times are updates that never came. Before the first
    update the age is not defined, so it gives no peak.
    """
    made = np.asarray(created_s, dtype=np.float64)
    came = np.asarray(delivered_s, dtype=np.float64)
    there = ~np.isnan(came)
    made, came = made[there], came[there]
    order = np.lexsort((made, came))
    peaks: list[float] = []
    freshest: float | None = None
    for creation, delivery in zip(made[order], came[order], strict=True):
        if freshest is not None and creation > freshest:
            peaks.append(float(delivery - freshest))
        freshest = float(creation) if freshest is None else max(freshest, float(creation))
    return np.array(peaks, dtype=np.float64)


def bootstrap_interval(
    values: Sequence[float] | npt.NDArray[np.float64],
    *,
    share: float = 0.95,
    resamples: int = 2000,
    seed: int = 1,
) -> tuple[float, float] | None:
    """Return the percentile bootstrap interval of a mean; None for no values.

    Source: B. Efron, R. Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13.

    Args:
        values: independent observations.
        share: coverage aimed at.
        resamples: samples drawn with replacement.
        seed: of the draws: the same interval each time.
    """
    x = np.asarray(values, dtype=np.float64)
    if not x.size:
        return None
    rng = np.random.default_rng(seed)
    means = [float(x[rng.integers(x.size, size=x.size)].mean()) for _ in range(resamples)]
    low, high = np.quantile(means, [(1 - share) / 2, (1 + share) / 2])
    return float(low), float(high)
