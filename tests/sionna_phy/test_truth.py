# SPDX-License-Identifier: MIT
"""Truth replay: segmentation and mapping by hand, and the code against the table made with it."""

import numpy as np
import pytest

from sionna_phy.abstraction.coded_link import CodedLink
from sionna_phy.abstraction.mcs import MCS_TABLE_1
from sionna_phy.abstraction.segmentation import rate_matched_bits, segment
from sionna_phy.truth import SentBlock, TruthReplay, judge, symbol_sinr


def test_segmentation_by_hand():
    # 3824 + 16 = 3840 bits: one block of base graph 2 at R = 0.6, one of graph 1 at R = 0.7.
    assert vars(segment(3824, 0.6)) == {"graph": 2, "blocks": 1, "bits": 3840}
    assert vars(segment(3824, 0.7)) == {"graph": 1, "blocks": 1, "bits": 3840}
    # Graph 1, 8424 + 24 = 8448: one block; 8456 + 24 needs ceil(8480 / 8424) = 2 of
    # (8480 + 48) / 2.
    assert vars(segment(8424, 0.7)) == {"graph": 1, "blocks": 1, "bits": 8448}
    assert vars(segment(8456, 0.7)) == {"graph": 1, "blocks": 2, "bits": 4264}
    # Graph 2 at R <= 1/4: ceil((3904 + 24) / 3816) = 2 of (3928 + 48) / 2.
    assert vars(segment(3904, 0.2)) == {"graph": 2, "blocks": 2, "bits": 1988}


def test_rate_matching_by_hand():
    # 100 symbols of 4 bits over 3 blocks: 33, 33 and 34 symbols; the longer ones come last.
    assert rate_matched_bits(400, 3, 1, 4) == [132, 132, 136]
    # Two layers: units of 8 bits, 50 of them: 16, 17, 17.
    assert rate_matched_bits(400, 3, 2, 4) == [128, 136, 136]


def test_symbols_fill_subcarriers_before_time_and_layers_first():
    # 2 PRBs, 18 elements each: a whole OFDM symbol (12 of each PRB), then 6 of each.
    sinr = np.array([[1.0, 2.0]], dtype=np.float32)
    assert symbol_sinr(sinr, 18).tolist() == [1.0] * 12 + [2.0] * 12 + [1.0] * 6 + [2.0] * 6
    two = np.array([[1.0, 2.0], [3.0, 4.0]], dtype=np.float32)
    assert symbol_sinr(two, 1).tolist() == [1.0, 3.0, 2.0, 4.0]


def test_a_flat_block_is_lost_as_often_as_a_code_block_in_awgn():
    # MCS 9, 8 PRBs of 132 elements, 1 layer: 2112 coded bits; a payload of 1352 + 16 bits. At the
    # same SNR the code block alone, sent with other numbers, is lost as often: 60 blocks each,
    # standard deviation of the difference below sqrt(2 * 0.25 / 60) = 0.091; four of them.
    link = CodedLink(MCS_TABLE_1[9], 1368, coded_bits=2112, graph=2)
    import torch

    alone = link.count_errors(2.85, 60, torch.Generator().manual_seed(11)) / 60
    sinr = np.full((1, 8), 10**0.285, dtype=np.float32)
    errors = TruthReplay(1, 60).errors(SentBlock(9, 1352, 132, sinr), seed=3)
    assert 0.1 < alone < 0.9
    assert errors / 60 == pytest.approx(alone, abs=4 * 0.091)


def test_replay_is_deterministic_and_knows_its_extremes():
    sinr = np.full((1, 4), 10.0, dtype=np.float32)
    replay = TruthReplay(1, 10)
    block = SentBlock(5, 384, 132, sinr)
    assert replay.errors(block, seed=1) == TruthReplay(1, 10).errors(block, seed=1) == 0
    assert replay.errors(SentBlock(5, 384, 132, sinr * 0.01), seed=1) == 10
    # Several code blocks: each has its share of the coded bits, all must be right.
    large = np.full((1, 51), 100.0, dtype=np.float32)
    assert TruthReplay(1, 2).errors(SentBlock(16, 16896, 132, large), seed=1) == 0


def test_a_block_that_no_receiver_must_decode_is_left_out():
    # 808 + 16 bits in 144 symbols of 6 bits: code rate 0.954.
    block = SentBlock(28, 808, 144, np.full((1, 1), 1e4, dtype=np.float32))
    assert TruthReplay(1, 5).errors(block, seed=1) is None


def test_the_verdict_by_hand():
    # Predicted 0.1 and 0.5, 10 times each: 6 errors expected, variance 10 (0.09 + 0.25) = 3.4.
    verdict = judge([0.1, 0.5, 0.9], [2, 5, None], 10)
    assert (verdict.blocks, verdict.refused, verdict.sent, verdict.errors) == (2, 1, 20, 7)
    assert verdict.expected == pytest.approx(6.0)
    assert verdict.deviation == pytest.approx(3.4**0.5)
    assert verdict.actual == pytest.approx(0.35)
    assert judge([], [], 10).actual is None
