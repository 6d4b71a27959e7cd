# SPDX-License-Identifier: MIT
"""The semantic formulas against numbers worked out by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis import metrics


def test_spectral_efficiency_and_rate_by_hand():
    # 12 suts in 20 words, 5 symbols a word, similarity 0.8: 12 * 0.8 / (5 * 20) = 0.096 suts/s/Hz;
    # over 180 kHz 17 280 suts/s.
    phi = metrics.semantic_spectral_efficiency(12.0, 20.0, 5.0, 0.8)
    assert phi == pytest.approx(0.096)
    assert metrics.semantic_rate(180e3, phi) == pytest.approx(17_280.0)
    assert metrics.semantic_spectral_efficiency(12.0, 20.0, 0.0, 0.8) is None


def test_half_the_symbols_double_the_efficiency():
    one = metrics.semantic_spectral_efficiency(10.0, 25.0, 8.0, 0.5)
    two = metrics.semantic_spectral_efficiency(10.0, 25.0, 4.0, 0.5)
    assert two == pytest.approx(2 * one)


def test_a_decoder_fed_with_noise_scores_zero_and_a_perfect_one_one():
    assert metrics.floor_corrected(0.4, 0.4) == 0.0
    assert metrics.floor_corrected(0.3, 0.4) == 0.0
    assert metrics.floor_corrected(1.0, 0.4) == 1.0
    # (0.85 - 0.4) / 0.6 = 0.75
    assert metrics.floor_corrected(0.85, 0.4) == pytest.approx(0.75)
    with pytest.raises(ValueError, match="at most 1"):
        metrics.floor_corrected(0.5, 1.0)


def test_logistic_score_by_hand():
    assert metrics.logistic_score(3.0, 3.0, 2.0) == 0.5
    # β(x₀ − x) = 2 (0.5 − 1) = −1: 1 / (1 + 1/e) = 0.7310586
    assert metrics.logistic_score(1.0, 0.5, 2.0) == pytest.approx(0.7310586, abs=1e-7)
    assert metrics.logistic_score(-1e6, 0.0, 1.0) == 0.0  # exp(10^6) would overflow
    assert metrics.logistic_score(1e6, 0.0, 1.0) == 1.0


@given(st.floats(-20, 20), st.floats(-5, 5), st.floats(0.01, 5))
def test_logistic_scores_about_the_middle_add_up_to_one(distance, middle, steepness):
    above = metrics.logistic_score(middle + distance, middle, steepness)
    below = metrics.logistic_score(middle - distance, middle, steepness)
    assert above + below == pytest.approx(1.0)


def test_quality_of_experience_is_the_weighted_mean():
    # 0.25 * 0.8 + 0.75 * 0.4 = 0.5
    assert metrics.quality_of_experience(0.8, 0.4, 0.25) == pytest.approx(0.5)
    with pytest.raises(ValueError, match="weight"):
        metrics.quality_of_experience(0.5, 0.5, 1.5)


def test_outage_is_among_the_accepted_and_coverage_among_all():
    # 100 messages, 40 accepted, 36 of them right
    assert metrics.coverage(40, 100) == pytest.approx(0.4)
    assert metrics.accepted_outage(40, 36) == pytest.approx(0.1)
    assert metrics.accepted_outage(0, 0) is None


def test_goodput_per_hertz():
    assert metrics.goodput_per_hz(50, 10.0, 20e6) == pytest.approx(2.5e-7)
    assert metrics.goodput_per_hz(50, 0.0, 20e6) is None


def test_peak_ages_by_hand():
    # Made at 0, 1, 2, 3; delivered at 0.5, 1.4, never, 3.6. Just before 1.4 the freshest is from
    # 0: peak 1.4; just before 3.6 it is from 1: peak 2.6.
    ages = metrics.peak_ages_s([0, 1, 2, 3], [0.5, 1.4, math.nan, 3.6])
    assert ages == pytest.approx([1.4, 2.6])


def test_a_stale_update_changes_nothing():
    # That of 1 comes at 2.5, after that of 2 came at 2.2.
    assert metrics.peak_ages_s([0, 1, 2], [0.1, 2.5, 2.2]) == pytest.approx([2.2])
    assert metrics.peak_ages_s([], []).size == 0


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 10)), min_size=2, max_size=30))
def test_a_peak_is_at_least_the_delay_of_the_update_that_ends_it(updates):
    made = np.array([m for m, _ in updates])
    came = made + np.array([d for _, d in updates])
    ages = metrics.peak_ages_s(made, came)
    assert np.all(ages >= 0)
    assert np.all(ages <= came.max() - made.min() + 1e-9)


def test_bootstrap_interval_of_a_normal_mean():
    # 400 values of σ = 1: the standard error is 0.05, the 95 % interval ± 0.098; the resampled
    # quantiles of 2000 draws have an error of some 3 % of the standard error times 2, so 0.01.
    x = np.random.default_rng(5).standard_normal(400)
    x = (x - x.mean()) / x.std()
    low, high = metrics.bootstrap_interval(x)
    assert low == pytest.approx(-0.098, abs=0.01)
    assert high == pytest.approx(0.098, abs=0.01)
    assert metrics.bootstrap_interval([]) is None
    assert metrics.bootstrap_interval([2.0, 2.0]) == (2.0, 2.0)
