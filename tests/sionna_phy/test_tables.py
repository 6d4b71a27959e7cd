# SPDX-License-Identifier: MIT
"""Tables of one's own: a generated file read back, and what is refused."""

import json

import numpy as np
import pytest

from sionna_phy.abstraction import BlerTableError, load_bler_table
from sionna_phy.abstraction.bler import NONE
from sionna_phy.abstraction.curve_fit import Point, fit_curve
from sionna_phy.abstraction.tables import FORMAT


def curve(mcs, size, snr_50_db, width_db):
    """Return a curve as a file has it, with the counts that its form expects."""
    import math

    points = [
        Point(snr, 1000, round(500 * math.erfc((snr - snr_50_db) / (math.sqrt(2) * width_db))))
        for snr in np.round(np.linspace(snr_50_db - 2 * width_db, snr_50_db + 2 * width_db, 9), 3)
    ]
    return {
        "mcs": mcs,
        "cbs_bits": size,
        "coded_bits": 2 * size,
        "points": [vars(p) for p in points],
        "fit": vars(fit_curve(points)),
    }


def write(path, curves, **changes):
    content = {
        "format": FORMAT,
        "mcs_table": 1,
        "seed": 1,
        "effort": 1.0,
        "versions": {"sionna": "2.2.0", "torch": "2.13.0"},
        "command": "cosim phy bler --mcs 5",
        "cpu_s": 1.0,
        "curves": curves,
    }
    path.write_text(json.dumps(content | changes))
    return str(path)


def test_a_file_becomes_a_table(tmp_path):
    curves = [curve(5, 100, 1.0, 0.8), curve(5, 1000, 0.5, 0.3), curve(28, 100, 20.0, 0.9)]
    table = load_bler_table(write(tmp_path / "own.json", curves))
    assert table.mcs_available.tolist() == [n in (5, 28) for n in range(29)]
    assert table.cbs_bits.tolist() == [100, 1000]
    # Half of the blocks at the 50 % SNR, 10 % at 1.2816 widths above it.
    assert table.snr_at(5, 1000, 0.1) == pytest.approx(0.5 + 1.2816 * 0.3, abs=0.02)
    assert table.snr_at(5, 100, 0.5) == pytest.approx(1.0, abs=0.02)
    # MCS 28 has one size only: it stands for the other, and the table says so.
    assert np.array_equal(table.bler[28, 0], table.bler[28, 1])
    assert "1 sizes stand for" in table.provenance
    assert "own.json, SHA-256" in table.provenance
    assert "27000 blocks" in table.provenance
    assert np.all(np.diff(table.bler[5], axis=-1) <= 0)
    assert table.bler[5].min() == np.float32(NONE)


def test_another_mcs_table_is_refused(tmp_path):
    path = write(tmp_path / "own.json", [curve(5, 100, 1.0, 0.8)], mcs_table=2)
    assert load_bler_table(path, mcs_table=2).mcs_available[5]
    with pytest.raises(BlerTableError, match="is for MCS table 2, the scenario uses 1"):
        load_bler_table(path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "No such file"),
        ("[]", "has no format 'semcosim-bler-1'"),
        ("{", "is damaged"),
        ('{"format": "semcosim-bler-1"}', "is damaged .KeyError"),
        ('{"format": "semcosim-bler-1", "mcs_table": 1, "curves": []}', "has no curves yet"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path, content, words):
    path = tmp_path / "own.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(BlerTableError, match=words):
        load_bler_table(str(path))


def test_an_mcs_that_the_table_lacks_is_refused(tmp_path):
    path = write(tmp_path / "own.json", [curve(29, 100, 1.0, 0.8)])
    with pytest.raises(BlerTableError, match="MCS table 1 has 0 to 28"):
        load_bler_table(path)


def test_the_shipped_table_is_whole_and_agrees_with_sionnas_points():
    # Sionna's own points inside the waterfall at 1000 bits: both come from the same decoder. A
    # point of some 900 blocks and a fit of some 400: rates of 1/2 to 0.02 and 0.03, four of them on
    # a slope of 1 / (0.3 sqrt(2 pi)) a decibel are 0.1 dB; steps of rate 0.1 or less count less.
    from importlib import resources

    table = load_bler_table("semcosim")
    assert table.mcs_available.all()
    assert {24, 100, 500, 1000} <= set(table.cbs_bits.tolist())
    assert "cosim phy bler" in table.provenance
    for size in (500, 1000):
        thresholds = [table.snr_at(mcs, size, 0.1) for mcs in range(29)]
        assert np.all(np.diff(thresholds) > 0)
    path = resources.files("sionna") / "sys" / "bler_tables" / "PDSCH_table1.json"
    rows = json.loads(path.read_text())["category"]["1"]["index"]["1"]["MCS"]
    compared = 0
    for mcs, row in rows.items():
        for snr, rate in zip(row["SNR_db"], row["CBS"]["1000"]["BLER"], strict=True):
            if 0.1 < rate < 0.9:
                at = float(table.lookup(int(mcs), 1000, snr))
                nearby = table.lookup(int(mcs), 1000, [snr - 0.15, snr + 0.15])
                assert nearby[1] < rate < nearby[0], (mcs, snr, rate, at)
                compared += 1
    assert compared > 5


def test_every_point_of_the_shipped_table_says_what_stands_behind_it():
    from importlib import resources

    content = json.loads((resources.files("sionna_phy") / "data" / "bler_table1.json").read_text())
    for entry in content["curves"]:
        assert entry["fit"]["std_error_10_db"] < 0.1
        for point in entry["points"]:
            low, high = point["ci95"]
            assert low <= point["errors"] / point["blocks"] <= high
