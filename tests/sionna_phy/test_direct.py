# SPDX-License-Identifier: MIT
"""Contents that nobody checks: bits with errors, values with noise."""

import numpy as np
import pytest

from sionna_phy.abstraction.mcs import MCS_TABLES
from sionna_phy.direct import ContentBlock, DirectReceiver, from_bytes, to_bytes


def block(snr_db, *, mcs=9, content_bytes=100, header_elements=24, prbs=4, layers=1, elements=132):
    sinr = np.full((layers, prbs), 10 ** (snr_db / 10), np.float32)
    return ContentBlock(mcs, content_bytes, elements, header_elements, sinr)


def test_bytes_are_values_in_steps_of_a_32nd():
    values = np.array([0.0, 1.0, -0.5, 3.97, 9.0, -9.0])
    assert from_bytes(to_bytes(values)).tolist() == [0.0, 1.0, -0.5, 127 / 32, 127 / 32, -127 / 32]


def test_headers_take_the_first_elements_whatever_their_sinr():
    # Two PRBs of 12 elements, one symbol: PRB 0 first. 14 of headers leave 10 elements of PRB 1.
    sinr = np.array([[1.0, 2.0]], np.float32)
    assert ContentBlock(0, 1, 12, 14, sinr).content_sinr.tolist() == [2.0] * 10


@pytest.mark.parametrize("snr_db", [-3.0, 0.0, 10.0])
def test_the_error_of_values_is_that_of_the_least_squares_estimate(snr_db):
    # Values of variance 1 in noise of variance 1 / SINR: the best linear estimate is wrong by
    # 1 / (1 + SINR). Values are uniform within 3^0.5, which has variance 1, so that none is
    # clipped; 20 000 errors have a standard error of 1 % of their mean square, rounding adds
    # 1 / (12 * 32^2) = 0.00008.
    receiver, rng = DirectReceiver(1), np.random.default_rng(3)
    values = rng.uniform(-(3**0.5), 3**0.5, 20_000)
    wide = block(snr_db, content_bytes=20_000, prbs=80)
    got = from_bytes(receiver.noisy(wide, 0, to_bytes(values), seed=5))
    want = 1.0 / (1.0 + 10 ** (snr_db / 10))
    assert np.mean((got - values) ** 2) == pytest.approx(want, rel=0.05)


def test_a_part_of_a_block_has_the_noise_of_its_place():
    receiver = DirectReceiver(1)
    data = to_bytes(np.random.default_rng(1).standard_normal(100))
    whole = receiver.noisy(block(3.0), 0, data, seed=2)
    assert receiver.noisy(block(3.0), 40, data[40:60], seed=2) == whole[40:60]
    assert receiver.noisy(block(3.0), 0, data, seed=3) != whole


def test_values_in_a_deep_fade_say_nothing():
    # PRB 0 carries the first half of the values at 30 dB, PRB 1 the others at -60 dB.
    sinr = np.array([[1e3, 1e-6]], np.float32)
    faded = ContentBlock(0, 48, 12, 0, sinr)
    got = from_bytes(DirectReceiver(1).noisy(faded, 0, to_bytes(np.ones(48)), seed=1))
    assert np.abs(got[:24] - 1.0).max() < 0.2
    assert np.abs(got[24:]).max() < 0.05  # the estimate is the mean, 0


def test_bits_are_right_far_above_the_waterfall_and_wrong_far_below():
    # MCS 9 is QPSK of rate 679/1024: half of the blocks are lost near 2.9 dB.
    receiver = DirectReceiver(1)
    assert not receiver.bit_errors(block(8.0), seed=1).any()
    # At -20 dB the capacity, 0.014 bit an element, is a hundredth of what is sent: hardly anything
    # is known of a bit, and 800 of them are wrong by 0.4 to 0.5 each.
    wrong = np.bitwise_count(receiver.bit_errors(block(-20.0), seed=1)).sum() / 800
    assert 0.35 < wrong < 0.55


def test_several_code_blocks_and_layers():
    # 4000 bytes are 32 000 bits: four blocks of base graph 1. Two layers of 25 PRBs, 132 elements
    # each, less 100: 6500 symbols of 64QAM at rate 0.82.
    good = block(30.0, mcs=24, content_bytes=4000, header_elements=100, prbs=25, layers=2)
    assert DirectReceiver(1).bit_errors(good, seed=1).shape == (4000,)
    assert not DirectReceiver(1).bit_errors(good, seed=1).any()


def test_a_block_is_wrong_as_often_as_truth_replay_says():
    # The same code block: 170 bytes over 1056 elements, as a transport block of 1344 + 16 bits of
    # CRC and as contents of 1360 bits. 40 blocks each at a waterfall's middle: the standard
    # deviation of the difference is at most sqrt(2 * 0.25 / 40) = 0.112; four of them.
    from sionna_phy.truth import SentBlock, TruthReplay

    sinr = np.full((1, 8), 10**0.285, np.float32)
    errors = TruthReplay(1, 40).errors(SentBlock(9, 1344, 132, sinr), seed=3)
    receiver = DirectReceiver(1)
    contents = ContentBlock(9, 170, 132, 0, sinr)
    wrong = sum(receiver.bit_errors(contents, seed=100 + n).any() for n in range(40))
    assert 0 < wrong < 40
    assert wrong / 40 == pytest.approx(errors / 40, abs=4 * 0.112)


def test_a_seed_repeats_itself():
    near = block(2.8)
    a, b = (DirectReceiver(1).bit_errors(near, seed=7).tolist() for _ in range(2))
    assert a == b


@pytest.mark.parametrize("mcs", [0, 9, 28])
@pytest.mark.parametrize("content_bytes", [0, 1, 2, 3])
def test_blocks_with_next_to_no_room(mcs, content_bytes):
    # TS 38.212's base graph 2 begins at 12 information bits; a byte is less. At 40 dB nothing is
    # wrong; at -30 dB a block carries nothing, and about half of many bits are wrong.
    receiver = DirectReceiver(1)
    efficiency = MCS_TABLES[1][mcs].bits_per_symbol * MCS_TABLES[1][mcs].code_rate
    header = 132 - int(np.ceil(8 * content_bytes / efficiency))
    good, bad = (
        block(snr_db, mcs=mcs, content_bytes=content_bytes, header_elements=header, prbs=1)
        for snr_db in (40.0, -30.0)
    )
    assert receiver.bit_errors(good, seed=1).tolist() == [0] * content_bytes
    wrong = [receiver.bit_errors(bad, seed) for seed in range(40)]
    if content_bytes:
        assert 0.3 < np.unpackbits(np.concatenate(wrong)).mean() < 0.7
