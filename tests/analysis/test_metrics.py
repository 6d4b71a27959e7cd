# SPDX-License-Identifier: MIT
"""Formulas against numbers worked out by hand or published."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis import metrics


def test_wilson_interval_by_hand():
    # p = 0.8, n = 10, z = 2: centre (0.8 + 0.2) / 1.4 = 0.7142857,
    # half sqrt(0.016 + 0.01) * 2 / 1.4 = 0.2303504
    low, high = metrics.wilson_interval(8, 10, z=2.0)
    assert low == pytest.approx(0.7142857 - 0.2303504, abs=1e-6)
    assert high == pytest.approx(0.7142857 + 0.2303504, abs=1e-6)


def test_wilson_interval_published():
    # Newcombe, Statistics in Medicine 17, 1998, table I, method 3: 81 of 263 0.2553 to 0.3662,
    # 15 of 148 0.0624 to 0.1605, 0 of 20 0 to 0.1611, 1 of 29 0.0061 to 0.1718.
    for count, total, low, high in (
        (81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ):  # fmt: skip
        assert metrics.wilson_interval(count, total) == pytest.approx((low, high), abs=5e-5)


@given(st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_interval_holds_the_share_and_stays_within_0_and_1(pair):
    count, total = pair
    low, high = metrics.wilson_interval(count, total)
    assert 0.0 <= low <= count / total <= high <= 1.0
    mirrored = metrics.wilson_interval(total - count, total)
    assert (1 - high, 1 - low) == pytest.approx(mirrored, abs=1e-12)


def test_no_trials_have_no_interval_and_nonsense_is_refused():
    assert metrics.wilson_interval(0, 0) is None
    for pair in ((3, 2), (-1, 2)):
        with pytest.raises(ValueError, match="no proportion"):
            metrics.wilson_interval(*pair)


def test_jain_index_by_hand():
    assert metrics.jain_index([1, 1, 1, 1]) == 1.0
    assert metrics.jain_index([1, 0, 0, 0]) == 0.25
    assert metrics.jain_index([1, 2, 3]) == pytest.approx(36 / (3 * 14))
    assert metrics.jain_index([]) is None and metrics.jain_index([0, 0]) is None


@given(st.lists(st.floats(0.01, 1e6), min_size=1, max_size=20), st.floats(0.1, 10))
def test_jain_index_has_its_range_and_no_unit(values, scale):
    index = metrics.jain_index(values)
    assert 1 / len(values) - 1e-9 <= index <= 1 + 1e-9
    assert metrics.jain_index([v * scale for v in values]) == pytest.approx(index, rel=1e-6)


def test_rates_by_hand():
    assert metrics.throughput_bps(1000, 2.0) == 4000.0
    assert metrics.semantic_goodput_hz(6, 4.0) == 1.5
    assert metrics.token_success_rate(3, 4) == 0.75
    assert metrics.per_correct(300.0, 2) == 150.0
    assert metrics.throughput_bps(1, 0.0) is None and metrics.semantic_goodput_hz(1, 0.0) is None
    assert metrics.token_success_rate(0, 0) is None and metrics.per_correct(1.0, 0) is None


def test_quantiles_by_hand():
    # positions 0.5 * 4 = 2 and 0.95 * 4 = 3.8: x[2], and x[3] + 0.8 * (x[4] - x[3])
    values = [50, 10, 30, 20, 40, math.nan]
    assert metrics.quantiles(values, (0.5, 0.95)) == pytest.approx([30.0, 48.0])
    assert metrics.quantiles(np.array([]), (0.5,)) == [None]
