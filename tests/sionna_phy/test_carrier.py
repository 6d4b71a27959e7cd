# SPDX-License-Identifier: MIT
"""Carrier tables against values copied by hand from the standards."""

import math

import pytest

from sionna_phy.carrier import N_RB, noise_power_dbm, prb_count, slot_duration_s

# TS 38.101-1 table 5.3.2-1 (FR1) and TS 38.101-2 table 5.3.2-1 (FR2).
STANDARD = [
    (5, 0, 1, 25), (10, 0, 1, 52), (20, 0, 1, 106), (50, 0, 1, 270),
    (5, 1, 1, 11), (10, 1, 1, 24), (20, 1, 1, 51), (40, 1, 1, 106), (100, 1, 1, 273),
    (10, 2, 1, 11), (20, 2, 1, 24), (40, 2, 1, 51), (100, 2, 1, 135),
    (50, 2, 2, 66), (200, 2, 2, 264), (50, 3, 2, 32), (100, 3, 2, 66), (400, 3, 2, 264),
]  # fmt: skip


@pytest.mark.parametrize(("bandwidth", "numerology", "fr", "prbs"), STANDARD)
def test_prbs_of_the_standard(bandwidth, numerology, fr, prbs):
    assert prb_count(bandwidth, numerology, fr) == prbs


def test_prbs_fit_into_the_channel():
    # 12 subcarriers a PRB plus guard bands: 80 % (the smallest carriers) to 99 % of the channel.
    for table in N_RB.values():
        for numerology, sizes in table.items():
            for bandwidth, prbs in sizes.items():
                used = prbs * 12 * 15e3 * 2**numerology / (bandwidth * 1e6)
                assert 0.75 < used < 0.99, (numerology, bandwidth)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((20, 3, 1), ["numerology 3", "FR1", "0, 1, 2"]),
        ((55, 1, 1), ["55 MHz", "numerology 1", "50, 60"]),
        ((20, 1, 3), ["frequency range 3", "FR1"]),
        ((800, 3, 2), ["800 MHz", "50, 100, 200, 400"]),
    ],
)
def test_an_unknown_carrier_is_refused_with_what_there_is(arguments, words):
    with pytest.raises(ValueError) as error:
        prb_count(*arguments)
    for word in words:
        assert word in str(error.value)


def test_slots():
    assert [slot_duration_s(n) for n in range(4)] == [1e-3, 0.5e-3, 0.25e-3, 0.125e-3]


def test_noise():
    # k T = 1.380649e-23 * 290 J = 4.0039e-21 W/Hz = -173.975 dBm/Hz.
    assert noise_power_dbm(1.0, 0.0) == pytest.approx(-173.975, abs=1e-3)
    # A PRB of 30 kHz is 360 kHz wide: + 55.563 dB; noise figure + 9 dB.
    expected = -173.975 + 10 * math.log10(360e3) + 9.0
    assert noise_power_dbm(360e3, 9.0) == pytest.approx(expected, abs=1e-3)
