# SPDX-License-Identifier: MIT
"""Link-level delivery: what comes back, and what it costs."""

import math

import numpy as np
import pytest

from cosim.delivery import LinkConfig, send_bits, send_packet, send_values


def rng(seed=1):
    return np.random.default_rng(seed)


UNITS = [bytes([n, 2 * n, 255 - n, 7, 9]) for n in range(8)]


@pytest.mark.parametrize("send", [send_packet, send_bits])
def test_a_good_link_gives_every_byte_back(send):
    got = send(UNITS, LinkConfig(snr_db=25.0), rng())
    assert got.payloads == UNITS


def test_symbols_are_counted_with_pilots_and_crc():
    # MCS 4 is QPSK of rate 308/1024: 320 + 24 bits are 344 / (2 * 308/1024) = 571.8 -> 572 symbols,
    # and a pilot for every 6 of them: 96
    assert send_packet(UNITS, LinkConfig(snr_db=25.0), rng()).symbols == 572 + 96
    # without the CRC 320 bits: 531.9 -> 532, and 89
    assert send_bits(UNITS, LinkConfig(snr_db=25.0), rng()).symbols == 532 + 89
    # 8 x 10 values are 40 symbols and 7 pilots; 16 bits at 2 * 120/1024 bit a symbol are 68.3 -> 69
    values = rng().normal(size=(8, 10))
    assert send_values(values, LinkConfig(snr_db=25.0), rng()).symbols == 40 + 7 + 69


def test_on_a_bad_link_a_packet_is_lost_whole_and_bits_come_flipped():
    config = LinkConfig(snr_db=-9.0)
    assert send_packet(UNITS, config, rng()).payloads == [None] * len(UNITS)
    got = send_bits(UNITS, config, rng()).payloads
    assert [len(unit) for unit in got] == [5] * 8 and got != UNITS


def test_the_error_of_symbols_is_that_of_the_least_squares_estimate():
    # Values of variance 1, noise n to each unit-energy symbol, gain known: the error of a linear
    # estimate is n / (1 + n) of each value's variance: 0.0909 at 10 dB. 20 000 values have a
    # standard error of sqrt(2/20000) = 1 % of it; clipping at 3 sigma adds less than 0.1 %.
    values = rng().normal(size=(2000, 10))
    got = send_values(values, LinkConfig(snr_db=10.0, pilots=False), rng(2))
    assert np.mean((got.values - values) ** 2) == pytest.approx(0.1 / 1.1, rel=0.06)


def test_fading_makes_a_link_worse_on_average():
    values = rng().normal(size=(20, 10))
    error = {
        fading: np.mean(
            [
                np.mean((send_values(values, LinkConfig(snr_db=10.0, fading=fading), rng(s)).values
                         - values) ** 2)
                for s in range(100)
            ]
        )
        for fading in (False, True)
    }  # fmt: skip
    # With |h|^2 exponential the mean of n / (|h|^2 + n) at n = 0.1 is n e^n E1(n) = 0.201.
    assert error[True] == pytest.approx(0.201, rel=0.25) and error[False] < 0.12


def test_a_seed_repeats_itself():
    config = LinkConfig(snr_db=-4.0, fading=True)
    assert send_bits(UNITS, config, rng(5)).payloads == send_bits(UNITS, config, rng(5)).payloads


def test_bad_links_are_refused():
    with pytest.raises(ValueError, match="mcs = 40 must be 0 to 28"):
        LinkConfig(snr_db=1.0, mcs=40)
    with pytest.raises(ValueError, match="snr_db"):
        LinkConfig(snr_db=math.nan)


def test_code_rates_that_would_need_repetition_are_refused():
    # MCS 2 of table 1 has a rate of 193/1024 = 0.19; the encoder begins at 1/5.
    with pytest.raises(ValueError, match=r"mcs = 2: .* take 3 or more"):
        send_packet([bytes(9)], LinkConfig(snr_db=1.0, mcs=2), np.random.default_rng(1))
