# SPDX-License-Identifier: MIT
"""The fit of EESM betas."""

import numpy as np
import pytest

from sionna_phy.abstraction.coded_link import CodedLink
from sionna_phy.abstraction.eesm import effective_sinr_eesm
from sionna_phy.abstraction.eesm_fit import (
    PRBS,
    deviations_db,
    fit_beta,
    realisations,
    threshold_db,
)
from sionna_phy.abstraction.mcs import MCS_TABLE_1


def test_a_beta_is_found_again():
    # Thresholds made with beta = 6: for each realisation the mean SNR at which the effective SINR
    # is 9 dB, by halving. The grid of betas is 1.3 % wide.
    gains = realisations(9, seed=3)
    thresholds = []
    for row in gains:
        low, high = 0.0, 40.0
        for _ in range(50):
            middle = 0.5 * (low + high)
            effective = effective_sinr_eesm(10 ** (middle / 10) * row, 6.0)
            low, high = (middle, high) if effective < 10**0.9 else (low, middle)
        thresholds.append(low)
    beta = fit_beta(gains, thresholds, 9.0)
    assert beta == pytest.approx(6.0, rel=0.014)
    assert np.abs(deviations_db(gains, thresholds, 9.0, 6.0)).max() < 1e-6


def test_realisations_have_mean_one_and_are_selective():
    gains = realisations(7, seed=1)
    assert gains.shape == (7, PRBS)
    assert gains.mean(axis=1) == pytest.approx(np.ones(7))
    assert (gains.std(axis=1) > 0.05).all()
    assert np.array_equal(gains, realisations(7, seed=1))


def test_on_a_flat_channel_the_threshold_is_that_of_awgn():
    # MCS 14 with 100 bits: half of the blocks at 6.8 dB in the shipped table (fit of 2400 blocks).
    # Some 5 points of 30 blocks on a waterfall 0.9 dB wide: to about 0.9 / sqrt(100) dB; four of
    # them.
    from sionna_phy.abstraction import load_bler_table

    expected = load_bler_table("semcosim").snr_at(14, 100, 0.5)
    link = CodedLink(MCS_TABLE_1[14], 100)
    found = threshold_db(link, np.ones(PRBS), 5.0, blocks=30, seed=2)
    assert found == pytest.approx(expected, abs=0.4)
