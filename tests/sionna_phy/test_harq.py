# SPDX-License-Identifier: MIT
"""Redundancy versions, soft buffer and what the simulator takes them to be worth."""

import numpy as np
import pytest

from sionna_phy.abstraction.combining import Combined, combine, equivalent_sinr
from sionna_phy.abstraction.harq_link import HarqLink
from sionna_phy.abstraction.mcs import MCS_TABLE_1, Mcs
from sionna_phy.abstraction.mother_code import MotherCode
from sionna_phy.truth import SentBlock, TruthReplay


def test_redundancy_versions_begin_where_the_standard_says():
    # TS 38.212: 512 bits, base graph 2: K_b = 8 columns, lifting size 64, 10 x 64 = 640 bits with
    # 128 of filler. The buffer has 50 x 64 = 3200 bits, 3072 without filler; versions begin at 0,
    # 13, 25 and 43 times 64 (table 5.4.2.1-2), all but the first behind the filler (bits 384 to
    # 511 of the buffer).
    code = MotherCode(512, 2)
    assert code.length == 3072
    starts = [int(code.positions(version, 1)[0]) for version in range(4)]
    assert starts == [0, 13 * 64 - 128, 25 * 64 - 128, 43 * 64 - 128]
    # Round the circle: from 2624 on 448 bits are left.
    assert code.positions(3, 450).tolist()[-2:] == [0, 1]


def test_the_buffer_is_a_code_word_and_decodes_from_any_enough_part():
    import torch

    code = MotherCode(100, 2)
    bits = torch.randint(0, 2, (5, 100), generator=torch.Generator().manual_seed(1)).float()
    buffer = code.buffer(bits)
    assert buffer.shape == (5, code.length) and set(buffer.unique().tolist()) == {0.0, 1.0}
    # Systematic: it begins with the information bits behind the first two columns, 2 x 18 (6 x 18
    # = 108 >= 100 is the least lifting size that fits).
    assert torch.equal(buffer[:, : 100 - 36], bits[:, 36:])
    for version in (0, 3):  # those that hold systematic bits
        llr = torch.zeros_like(buffer)
        there = code.positions(version, 240)
        llr[:, there] = 10.0 * (2 * buffer[:, there] - 1)
        assert torch.equal(code.decode(llr), bits)


def rate(link, snr_db, blocks, seed):
    import torch

    return link.count_errors(snr_db, blocks, torch.Generator().manual_seed(seed)) / blocks


def test_two_equal_transmissions_are_one_of_twice_the_power():
    # MCS 5, 200 bits, inside the waterfall. 150 blocks each: standard deviation of the difference
    # at most sqrt(2 * 0.25 / 150) = 0.058; four of them.
    scheme = MCS_TABLE_1[5]
    one = rate(HarqLink(scheme, 200, [0]), -0.6, 150, 1)
    two = rate(HarqLink(scheme, 200, [0, 0]), -0.6 - 10 * np.log10(2), 150, 2)
    assert 0.1 < one < 0.9
    assert two == pytest.approx(one, abs=4 * 0.058)


def test_new_redundancy_is_worth_what_the_simulator_thinks():
    # MCS 9 (rate 0.66): two transmissions of 0.3 of base graph 2's buffer. At the SNR at which
    # twice the same bits are lost for the most part, new bits are decoded for the most part.
    scheme = MCS_TABLE_1[9]
    same = HarqLink(scheme, 500, [0, 0])
    new = HarqLink(scheme, 500, [0, 2])
    one_db = 3.0  # about where a single transmission is lost half of the time
    both = combine([1.0, 1.0], [0, 2], scheme.code_rate, 2)
    # Half the rate, 0.33, between MCS 4 (0.30) and 5 (0.37), at whose 500 bits half of the blocks
    # are lost at -1.90 and -0.82 dB in our table; at MCS 9 at 2.95 dB. At 0.33 that is -1.42 dB:
    # 4.37 dB less, a factor of 2.73 and more than the power of two.
    assert both.code_rate == pytest.approx(scheme.code_rate / 2)
    known = {4: -1.90, 5: -0.82, 9: 2.95}
    assert equivalent_sinr(both, 9, MCS_TABLE_1, known) == pytest.approx(2.73, abs=0.02)
    snr_db = one_db - 10 * np.log10(2) - 0.4
    assert rate(same, snr_db, 40, 3) > 0.6
    assert rate(new, snr_db, 40, 3) < 0.3


def test_what_is_decoded_after_each_transmission():
    import torch

    link = HarqLink(Mcs(4, 0.5), 120, [0, 2, 3])
    generator = torch.Generator().manual_seed(5)
    bits = torch.randint(0, 2, (30, 120), generator=generator).float()
    found = link.send(bits, [1.0, 1.0, 1.0], generator)
    wrong = [int((guess != bits).any(dim=1).sum()) for guess in found]
    assert len(found) == 3 and wrong[0] >= wrong[1] >= wrong[2] and wrong[0] > wrong[2]
    assert len(link.send(bits, [1.0, 1.0, 1.0], generator, last=2)) == 2


def test_combining_by_hand():
    # As in the simulator's own tests: rate 5/6 and base graph 1, a transmission is 0.4 of the
    # buffer. 0 and 2 do not overlap: sqrt((1 + 3) (1 + 1)) - 1 at half the rate; 3 overlaps both.
    for sinr, versions, rate, wanted in (
        ([3.0, 1.0], [0, 2], 5 / 6, (1.8284, 5 / 12, 4.0)),
        ([3.0, 1.0, 7.0], [0, 2, 3], 5 / 6, (3.5754, 1 / 2.7, 11.0)),
        ([3.0, 1.0, 7.0], [0, 0, 0], 5 / 6, (11.0, 5 / 6, 11.0)),
        ([3.0, 1.0], [0, 2], 1 / 3, (4.0, 1 / 3, 4.0)),
    ):
        got = combine(sinr, versions, rate, 1)
        assert (got.sinr, got.code_rate, got.energy) == pytest.approx(wanted, rel=1e-3)


def test_what_a_lower_code_rate_is_worth():
    # As in the simulator's own tests: half of the blocks are lost at as many dB as the index says.
    levels = {mcs: float(mcs) for mcs in range(29)}
    for rate, gain_db in (
        (910 / 1024, 0.0),
        (567 / 1024, 7.0),  # that of MCS 20
        (591.5 / 1024, 6.5),
        (219 / 1024, 15.358),  # half the lowest of 64QAM: by capacity
    ):
        got = equivalent_sinr(Combined(1.0, rate, 0.1), 27, MCS_TABLE_1, levels)
        assert 10 * np.log10(got) == pytest.approx(gain_db, abs=1e-3)
    assert equivalent_sinr(Combined(1.0, 0.85, 5.0), 27, MCS_TABLE_1, levels) == 5.0


@pytest.mark.parametrize("versions", [[], [4], [0, -1]])
def test_other_versions_do_not_exist(versions):
    with pytest.raises(ValueError, match="redundancy versions"):
        HarqLink(MCS_TABLE_1[5], 100, versions)


def test_replay_of_a_retransmission():
    # Too weak for one transmission, enough for three; then two code blocks.
    weak = np.full((3, 1, 4), 1.6, dtype=np.float32)
    outcome = TruthReplay(1, 8).outcome(SentBlock(10, 672, 132, weak[:2], (0, 2)), seed=1)
    assert outcome.before == 8
    again = TruthReplay(1, 8).outcome(SentBlock(10, 672, 132, weak, (0, 2, 3)), seed=1)
    assert again.after <= outcome.after <= outcome.before
    assert again.after == 0
    strong = np.full((2, 1, 51), 100.0, dtype=np.float32)
    strong[0] = 1e-3
    outcome = TruthReplay(1, 2).outcome(SentBlock(16, 16896, 132, strong, (0, 0)), seed=1)
    assert (outcome.before, outcome.after) == (2, 0)
    with pytest.raises(ValueError, match="2 transmissions, 1 versions"):
        TruthReplay(1, 2).errors(SentBlock(5, 384, 132, strong[:, :, :4]), seed=1)
