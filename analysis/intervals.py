# SPDX-License-Identifier: MIT
"""Confidence intervals over seeds. Every result carries the name of its method."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.metrics import wilson_interval

METHODS = ("t", "bootstrap")


@dataclass(frozen=True)
class Interval:
    """An estimate with its uncertainty.

    Attributes:
        mean: the estimate, NaN without values.
        low: lower limit, NaN when it cannot be told (fewer than two values).
        high: upper limit.
        n: values, or pairs.
        method: how the limits were found.
    """

    mean: float
    low: float
    high: float
    n: int
    method: str


def _values(values: Sequence[float] | npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    x = np.asarray(values, dtype=np.float64)
    return x[~np.isnan(x)]


def mean_interval(
    values: Sequence[float] | npt.NDArray[np.float64],
    *,
    method: str = "t",
    level: float = 0.95,
    resamples: int = 9999,
    seed: int = 0,
) -> Interval:
    """Return the mean of one value a seed, with its confidence interval; NaN values are left out.

    "t": Student's t, mean ± t(n−1)·s/√n, for values that are roughly normal (Student, Biometrika
    6(1), 1908). "bootstrap": the percentile bootstrap of the mean (Efron, Annals of Statistics
    7(1), 1979), for values that are not; too narrow below about ten seeds.

    Raises:
        ValueError: unknown method, or a level outside of 0 to 1.
    """
    if method not in METHODS:
        raise ValueError(f"method {method!r} is none of {', '.join(METHODS)}")
    if not 0.0 < level < 1.0:
        raise ValueError(f"level {level} is not between 0 and 1")
    x = _values(values)
    if x.size < 2:
        return Interval(float(x[0]) if x.size else math.nan, math.nan, math.nan, x.size, method)
    mean = float(x.mean())
    if method == "t":
        from scipy.stats import t

        half = float(t.ppf(0.5 + level / 2, x.size - 1) * x.std(ddof=1) / math.sqrt(x.size))
        return Interval(mean, mean - half, mean + half, x.size, method)
    rng = np.random.default_rng(seed)
    means = x[rng.integers(0, x.size, (resamples, x.size))].mean(axis=1)
    low, high = np.quantile(means, [0.5 - level / 2, 0.5 + level / 2])
    return Interval(mean, float(low), float(high), x.size, method)


def paired_difference(first: "pd.Series", second: "pd.Series", **options: Any) -> Interval:
    """Return the mean of second − first over the seeds that both have, with its interval.

    Args:
        first: values indexed by seed.
        second: the same; equal seeds mean equal positions, arrivals and samples, so the difference
            of a pair has less noise than the difference of two means.
        **options: as of `mean_interval`.
    """
    common = first.index.intersection(second.index)
    return mean_interval((second[common] - first[common]).to_numpy(np.float64), **options)


def welch_difference(
    first: Sequence[float] | npt.NDArray[np.float64],
    second: Sequence[float] | npt.NDArray[np.float64],
    level: float = 0.95,
) -> Interval:
    """Return mean(second) − mean(first) of independent values, with Welch's interval.

    Degrees of freedom (v₁+v₂)²/(v₁²/(n₁−1) + v₂²/(n₂−1)), vᵢ = sᵢ²/nᵢ (Welch, Biometrika 34, 1947).
    """
    x, y = _values(first), _values(second)
    difference = float(y.mean() - x.mean()) if x.size and y.size else math.nan
    n = min(x.size, y.size)
    if n < 2:
        return Interval(difference, math.nan, math.nan, n, "Welch")
    from scipy.stats import t

    v1, v2 = x.var(ddof=1) / x.size, y.var(ddof=1) / y.size
    if v1 + v2 == 0.0:
        return Interval(difference, difference, difference, n, "Welch")
    freedom = (v1 + v2) ** 2 / (v1**2 / (x.size - 1) + v2**2 / (y.size - 1))
    half = float(t.ppf(0.5 + level / 2, freedom) * math.sqrt(v1 + v2))
    return Interval(difference, difference - half, difference + half, n, "Welch")


def proportion_difference(first: tuple[int, int], second: tuple[int, int]) -> Interval:
    """Return p₂ − p₁ of two independent proportions (count, total) with Newcombe's 95 % interval.

    From Wilson's limits l, u of each: d − √((p₂−l₂)² + (u₁−p₁)²) to d + √((u₂−p₂)² + (p₁−l₁)²)
    (Newcombe, Statistics in Medicine 17, 1998, method 10).
    """
    one, two = wilson_interval(*first), wilson_interval(*second)
    if one is None or two is None:
        return Interval(math.nan, math.nan, math.nan, 0, "Newcombe")
    p1, p2 = first[0] / first[1], second[0] / second[1]
    d = p2 - p1
    low = d - math.hypot(p2 - two[0], one[1] - p1)
    high = d + math.hypot(two[1] - p2, p1 - one[0])
    return Interval(d, low, high, min(first[1], second[1]), "Newcombe")


def over_seeds(
    results: pd.DataFrame, by: Sequence[str], metrics: Sequence[str], *, method: str = "t"
) -> pd.DataFrame:
    """Return one row a setting and metric: mean and interval over seeds.

    Args:
        results: a campaign's table (`results.parquet`); rows without status "finished" are left
            out.
        by: the columns that make a setting; add task, codec and rung to keep them apart.
        metrics: columns of numbers.
        method: as of `mean_interval`.

    Returns:
        `by`, then metric, mean, low, high, n, method.

    Raises:
        ValueError: a column that the table does not have; the message lists those it has.
    """
    for name in (*by, *metrics):
        if name not in results.columns:
            raise ValueError(
                f"the results have no column {name!r}; they have {', '.join(results.columns)}"
            )
    if "status" in results.columns:
        results = results[results["status"] == "finished"]
    rows = []
    groups = results.groupby(list(by), sort=False, dropna=False) if by else [((), results)]
    for key, group in groups:
        values = key if isinstance(key, tuple) else (key,)
        for metric in metrics:
            found = mean_interval(group[metric].to_numpy(np.float64), method=method)
            rows.append(dict(zip(by, values, strict=True)) | {"metric": metric} | vars(found))
    return pd.DataFrame(rows, columns=[*by, "metric", "mean", "low", "high", "n", "method"])
