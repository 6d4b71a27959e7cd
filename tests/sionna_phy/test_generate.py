# SPDX-License-Identifier: MIT
"""The generator of block error curves: its link, its fit, its command."""

import json
import math
from importlib import resources

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sionna_phy.abstraction.coded_link import CodedLink
from sionna_phy.abstraction.curve_fit import CurveFit, Point, fit_curve
from sionna_phy.abstraction.generate import StoppingRule, generate_curve, main, measure_point
from sionna_phy.abstraction.mcs import MCS_TABLE_1, Mcs
from sionna_phy.abstraction.tables import LOWEST as GENERATED


def rate(link, snr_db, blocks, seed=5):
    import torch

    return link.count_errors(snr_db, blocks, torch.Generator().manual_seed(seed)) / blocks


@pytest.mark.parametrize(
    ("cbs_bits", "blocks", "shipped"), [(24, 900, 0.597778), (100, 400, 0.622222)]
)
def test_the_link_is_the_one_behind_sionnas_table(cbs_bits, blocks, shipped):
    # MCS 3 at -3.214 dB in sys/bler_tables/PDSCH_table1.json; the fraction is one of 900 blocks
    # (538 and 560). Standard deviation of the difference: sqrt(0.24 (1/900 + 1/blocks)), four of
    # them. Half a dB of another SNR definition would shift the second rate by 0.2.
    tolerance = 4 * math.sqrt(0.24 * (1 / 900 + 1 / blocks))
    assert rate(CodedLink(MCS_TABLE_1[3], cbs_bits), -3.2142857, blocks) == pytest.approx(
        shipped, abs=tolerance
    )


def test_repeating_all_coded_bits_is_worth_three_decibels():
    # 24 bits in the whole circular buffer of 184, and in two rounds of it: combining doubles the
    # SNR of every bit, so the rates agree at half the SNR. 800 blocks each: sqrt(2 * 0.25 / 800) =
    # 0.025.
    once, twice = (CodedLink(Mcs(2, 24 / (184 * rounds)), 24) for rounds in (1, 2))
    assert (once.coded_bits, twice.coded_bits) == (184, 368)
    snr_db = -5.8
    first = rate(once, snr_db, 800)
    second = rate(twice, snr_db - 10 * math.log10(2), 800, seed=6)
    assert 0.2 < first < 0.8
    assert second == pytest.approx(first, abs=0.1)


def test_without_noise_nothing_is_lost_and_in_noise_everything():
    for mcs in (0, 2, 5, 12, 28):
        link = CodedLink(MCS_TABLE_1[mcs], 100)
        assert rate(link, 40.0, 20) == 0.0
        assert rate(link, -20.0, 20) == 1.0


@pytest.mark.parametrize(
    ("bits_per_symbol", "graph", "snr_db"), [(2, 2, -4.2), (4, 2, 0.7), (4, 1, 3.2)]
)
def test_repetition_goes_on_where_the_mother_code_ends(bits_per_symbol, graph, snr_db):
    # 4 coded bits more than the mother code has (0.5 % at most) cannot be seen in 100 blocks: two
    # rates of 1/2 differ by sqrt(2 * 0.25 / 100) = 0.071, four of them. The first is Sionna's own
    # path, the second ours, with its interleaver.
    mother = {1: 3, 2: 5}[graph]
    size = {1: 320, 2: 160}[graph]
    own, repeated = (
        CodedLink(
            Mcs(bits_per_symbol, 1 / mother), size, coded_bits=mother * size + more, graph=graph
        )
        for more in (0, 4)
    )
    rates = [rate(link, snr_db, 100) for link in (own, repeated)]
    assert rates[0] == pytest.approx(rates[1], abs=4 * 0.071)
    assert 0.02 < rates[0] < 0.98


def test_base_graphs_of_the_standard():
    # TS 38.212 clause 7.2.2; a transport block of 3824 bits and its CRC fill 3840.
    from sionna_phy.abstraction.awgn_link import base_graph

    assert [base_graph(292, 0.9), base_graph(293, 0.9)] == [2, 1]
    assert [base_graph(3824, 0.67), base_graph(3825, 0.67)] == [2, 1]
    assert [base_graph(3824, 0.68), base_graph(8448, 0.25)] == [1, 2]


def test_a_stored_point_comes_out_again():
    # Same seed, MCS, size and SNR. Another processor may round otherwise and flip a block at the
    # edge.
    table = json.loads((resources.files("sionna_phy") / "data" / GENERATED).read_text())
    curve = next(c for c in table["curves"] if (c["mcs"], c["cbs_bits"]) == (1, 24))
    stored = min(curve["points"], key=lambda p: p["blocks"])
    link = CodedLink(MCS_TABLE_1[1], 24)
    again = measure_point(
        link, 1, stored["snr_db"], table["seed"], errors=stored["blocks"], blocks=stored["blocks"]
    )
    assert again.blocks == stored["blocks"]
    assert abs(again.errors - stored["errors"]) <= 2


@settings(deadline=None, max_examples=40)
@given(snr_50=st.floats(-10, 25), width=st.floats(0.1, 2.0))
def test_a_fit_finds_the_curve_behind_expected_counts(snr_50, width):
    truth = CurveFit(snr_50, width, 0.0, 0.0, 0.0)
    snr = snr_50 + width * np.array([-1.5, -0.7, 0.0, 0.8, 1.6, 2.2])
    points = [Point(float(s), 10**7, round(1e7 * float(truth.bler(s)))) for s in snr]
    fit = fit_curve(points)
    assert fit.snr_50_db == pytest.approx(snr_50, abs=1e-3)
    assert fit.width_db == pytest.approx(width, rel=1e-3)
    assert fit.rms_error < 1e-5


def test_the_standard_error_is_the_scatter_of_fits():
    # 300 fits to drawn counts: their standard deviation agrees with the stated one within
    # 4/sqrt(600).
    generator = np.random.default_rng(1)
    truth = CurveFit(0.0, 0.5, 0.0, 0.0, 0.0)
    snr = [-0.6, -0.2, 0.1, 0.4, 0.8]
    tens, stated = [], []
    for _ in range(300):
        drawn = [Point(s, 400, int(generator.binomial(400, float(truth.bler(s))))) for s in snr]
        fit = fit_curve(drawn)
        tens.append(fit.snr_50_db + 1.2815515655 * fit.width_db)
        stated.append(fit.std_error_10_db)
    assert np.std(tens) == pytest.approx(np.mean(stated), rel=4 / math.sqrt(600))


@pytest.mark.parametrize(
    ("points", "words"),
    [
        ([Point(0.0, 10, 5)], "two SNRs"),
        ([Point(0.0, 10, 10), Point(1.0, 10, 0)], "no point inside the waterfall"),
    ],
)
def test_counts_that_say_too_little_are_refused(points, words):
    with pytest.raises(ValueError, match=words):
        fit_curve(points)


def test_a_point_stops_at_enough_errors_or_blocks():
    link = CodedLink(MCS_TABLE_1[3], 24)
    lossy = measure_point(link, 3, -8.0, 1, errors=30, blocks=1000)
    assert lossy.blocks == 250  # one batch: nearly all wrong
    assert lossy.errors > 200
    clean = measure_point(link, 3, 6.0, 1, errors=30, blocks=300)
    assert (clean.blocks, clean.errors) == (300, 0)


def test_the_command_writes_curves_with_their_counts(tmp_path, capsys):
    out = tmp_path / "table.json"
    arguments = ["--mcs", "3", "--cbs", "24", "--effort", "0.1", "--seed", "3", "--out", str(out)]
    assert main(arguments) == 0
    table = json.loads(out.read_text())
    (curve,) = table["curves"]
    assert curve["coded_bits"] == 98  # 24 / (251/1024) = 97.9, to a multiple of 2
    assert table["command"].endswith("--mcs 3 --cbs 24 --seed 3 --effort 0.1 --out table.json")
    assert sum(point["blocks"] for point in curve["points"]) > 300
    # The package's points: 0.94, 0.60, 0.16 at -5.0, -3.2, -1.4 dB; half at -2.9 dB.
    assert curve["fit"]["snr_50_db"] == pytest.approx(-2.9, abs=0.5)
    assert "MCS 3, 24 bits" in capsys.readouterr().out
    # The same curve whatever else was generated before.
    rule = StoppingRule.for_size(24, 0.1)
    assert generate_curve(3, 24, 3, rule).fit.snr_50_db == curve["fit"]["snr_50_db"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--mcs", "29", "--cbs", "24"], "--mcs: indices go from 0 to 28"),
        (["--mcs", "3", "--cbs", "9000"], "--cbs: code blocks have 24 to 8448 bits"),
        (["--mcs", "3", "--cbs", "24", "--effort", "0"], "--effort must be above 0"),
    ],
)
def test_the_command_refuses_what_cannot_be(arguments, words, tmp_path, capsys):
    with pytest.raises(SystemExit):
        main([*arguments, "--out", str(tmp_path / "x.json")])
    assert words in capsys.readouterr().err


def test_the_command_needs_a_folder(tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(["--mcs", "3", "--cbs", "24", "--out", str(tmp_path / "no" / "x.json")])
    assert "there is no folder" in capsys.readouterr().err


@pytest.mark.slow
def test_generated_thresholds_agree_with_another_seed():
    table = json.loads((resources.files("sionna_phy") / "data" / GENERATED).read_text())
    for curve in table["curves"]:
        if curve["cbs_bits"] != 100:
            continue
        other = generate_curve(curve["mcs"], 100, seed=99, rule=StoppingRule.for_size(100, 0.7)).fit
        error = 4 * math.hypot(curve["fit"]["std_error_10_db"], other.std_error_10_db)
        mine = curve["fit"]["snr_50_db"] + 1.2816 * curve["fit"]["width_db"]
        assert other.snr_50_db + 1.2816 * other.width_db == pytest.approx(mine, abs=error)
