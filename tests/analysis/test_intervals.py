# SPDX-License-Identifier: MIT
"""Intervals against published and hand-derived numbers."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.intervals import (
    mean_interval,
    over_seeds,
    paired_difference,
    proportion_difference,
    welch_difference,
)


def test_student_interval_by_hand():
    # 1, 2, 3, 4: mean 2.5, s = sqrt(5/3) = 1.290994, t(0.975, 3) = 3.182446: ± 2.054260
    found = mean_interval([1.0, 2.0, 3.0, 4.0])
    assert (found.mean, found.n, found.method) == (2.5, 4, "t")
    assert found.low == pytest.approx(2.5 - 2.054260, abs=1e-6)
    assert found.high == pytest.approx(2.5 + 2.054260, abs=1e-6)


def test_one_seed_has_no_interval():
    found = mean_interval([0.5, math.nan])
    assert found.mean == 0.5 and math.isnan(found.low) and found.n == 1
    assert math.isnan(mean_interval([]).mean)


def test_bootstrap_comes_near_the_normal_limits_and_repeats():
    x = np.random.default_rng(1).normal(3.0, 2.0, 400)
    found = mean_interval(x, method="bootstrap")
    half = 1.959964 * x.std(ddof=0) / 20
    # 9999 resamples: a 2.5 % quantile has a standard error of about 0.027 sigma of the mean
    assert found.low == pytest.approx(x.mean() - half, abs=0.1 * half)
    assert found.high == pytest.approx(x.mean() + half, abs=0.1 * half)
    assert found == mean_interval(x, method="bootstrap") and found.method == "bootstrap"


def test_t_covers_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(7)
    hits = sum(
        abs(i.mean) <= i.high - i.mean
        for i in (mean_interval(rng.normal(size=5)) for _ in range(2000))
    )
    # binomial(2000, 0.95): mean 1900, standard deviation 9.75; five of them
    assert abs(hits - 1900) < 49


def test_newcombes_published_example():
    # Newcombe 1998, table II (a): 56/70 and 48/80, method 10: 0.0524 to 0.3339
    found = proportion_difference((48, 80), (56, 70))
    assert found.mean == pytest.approx(0.2)
    assert (found.low, found.high) == (pytest.approx(0.0524, abs=5e-5),
                                       pytest.approx(0.3339, abs=5e-5))  # fmt: skip
    assert math.isnan(proportion_difference((0, 0), (1, 2)).mean)


def test_welch_by_hand():
    # s1^2/n1 = 1/3, s2^2/n2 = 4/3, so df = (5/3)^2 / (1/18 + 16/18) = 50/17 = 2.941176
    found = welch_difference([1.0, 2.0, 3.0], [3.0, 5.0, 7.0])
    from scipy.stats import t

    half = t.ppf(0.975, 50 / 17) * math.sqrt(5 / 3)
    assert found.mean == 3.0 and found.low == pytest.approx(3.0 - half)
    assert welch_difference([1.0, 1.0], [2.0, 2.0]).low == 1.0


def test_pairs_are_made_by_seed():
    first = pd.Series([1.0, 10.0, 5.0], index=[1, 2, 3])
    second = pd.Series([12.0, 3.0], index=[2, 1])
    # seeds 1 and 2: differences 2 and 2, without any spread
    found = paired_difference(first, second)
    assert (found.mean, found.low, found.high, found.n) == (2.0, 2.0, 2.0, 2)


def test_over_seeds_groups_and_leaves_failures_out():
    results = pd.DataFrame({
        "mac.scheduler": ["pf", "pf", "rr", "rr"], "seed": [1, 2, 1, 2],
        "status": ["finished", "finished", "finished", "failed"],
        "accuracy": [0.5, 0.7, 0.4, None],
    })  # fmt: skip
    rows = over_seeds(results, ["mac.scheduler"], ["accuracy"])
    assert list(rows["mean"]) == [pytest.approx(0.6), 0.4] and list(rows["n"]) == [2, 1]
    with pytest.raises(ValueError, match=r"no column 'accurcy'.*accuracy"):
        over_seeds(results, ["mac.scheduler"], ["accurcy"])
    with pytest.raises(ValueError, match="none of t, bootstrap"):
        mean_interval([1, 2], method="z")


@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=20), st.floats(-10, 10))
def test_intervals_move_with_their_values(values, shift):
    a, b = mean_interval(values), mean_interval([v + shift for v in values])
    assert a.low <= a.mean <= a.high
    assert b.mean == pytest.approx(a.mean + shift, abs=1e-6)
    assert b.high - b.low == pytest.approx(a.high - a.low, abs=1e-6)
