# SPDX-License-Identifier: MIT
"""Truth replay in a run: what is sampled, and that a run stays what it was."""

import json

import numpy as np
import pandas as pd
import pytest

from cosim.cli import main
from cosim.truth_replay import SampledBlock, _lost_again

SCENARIO = """
name = "truth"
[run]
duration_s = 0.2
[channel]
model = "constant"
gain_db = -121.0
[ues]
count = 1
[[traffic]]
kind = "cbr"
direction = "dl"
rate_bps = 3e5
packet_bytes = 100
"""


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("truth")
    scenario = folder / "truth.toml"
    scenario.write_text(SCENARIO)
    for name, fraction in (("off", 0.0), ("on", 0.5)):
        out = ["--out", str(folder / name), "--quiet"]
        assert main(["run", str(scenario), "--set", f"truth.fraction={fraction}", *out]) == 0
    return folder


def test_sampled_blocks_are_blocks_of_the_run_with_their_retransmissions(runs):
    slots = pd.read_parquet(runs / "on" / "slots.parquet")
    everything = pd.read_parquet(runs / "on" / "truth.parquet")
    again = everything[everything["transmission"] > 1]
    assert len(again) > 0
    assert (again["errors_before"] >= again["errors"]).all()
    truth = everything[everything["transmission"] == 1]
    first = slots[slots["redundancy_version"] == 0]
    # Half of them by a hash: within four standard deviations of a binomial.
    assert abs(len(truth) - 0.5 * len(first)) < 4 * (0.25 * len(first)) ** 0.5
    keys = ["t_s", "cell", "ue", "direction", "mcs", "tbs_bits", "bler_predicted"]
    assert len(truth.merge(first, on=keys)) == len(truth)
    # A constant channel: every PRB has the effective SINR.
    assert truth["sinr_min_db"].to_numpy() == pytest.approx(truth["sinr_eff_db"], abs=1e-3)
    assert (everything["errors"] <= everything["sent"]).all()
    retransmitted = slots[slots["redundancy_version"] != 0]
    same = ["t_s", "cell", "ue", "direction", "mcs", "tbs_bits", "bler_predicted"]
    assert len(again.merge(retransmitted, on=same)) == len(again)


def test_the_run_does_not_know_that_it_is_watched(runs):
    for table in ("slots", "packets", "kpis"):
        parts = [sorted((runs / name / f"{table}.parquet").iterdir()) for name in ("off", "on")]
        assert [p.read_bytes() for p in parts[0]] == [p.read_bytes() for p in parts[1]]
    assert not (runs / "off" / "truth.parquet").exists()


def test_summary_and_manifest_say_what_was_found(runs):
    manifest = json.loads((runs / "on" / "run.json").read_text())
    found = manifest["truth_replay"]
    everything = pd.read_parquet(runs / "on" / "truth.parquet")
    truth = everything[everything["transmission"] == 1]
    again = everything[everything["transmission"] > 1]
    assert found["retransmissions"]["errors"] == again["errors"].sum()
    assert found["retransmissions"]["errors_before"] == again["errors_before"].sum()
    # All of them were lost before with a probability, and again with a smaller one.
    assert 0.0 <= found["retransmissions"]["expected_again"] <= again["errors_before"].sum()
    assert "lost again, predicted" in (runs / "on" / "summary.txt").read_text().replace("\n", " ")
    assert "retransmissions x" in (runs / "on" / "summary.txt").read_text().replace("\n", " ")
    assert found["blocks"] == len(truth) > 0
    assert found["errors"] == truth["errors"].sum()
    assert found["expected_errors"] == pytest.approx(5 * truth["bler_predicted"].sum(), rel=1e-6)
    assert "Truth replay of" in (runs / "on" / "summary.txt").read_text()
    assert "Truth replay: off" in (runs / "off" / "summary.txt").read_text()
    assert "Block error table: sionna" in (runs / "on" / "summary.txt").read_text()


def test_lost_again_is_the_share_of_what_was_lost_before():
    # Two blocks of one UE, transmission by transmission: 0.8, then 0.2 and 0.3 together; 0.5, then
    # 0.1. Of those lost before 0.2 / 0.8 = 0.25 are lost again, then all (0.3 after 0.2), and 0.2.
    def sampled(sinr, rate):
        values = np.array(sinr, dtype=np.float32)[:, None, None]
        record = {"cell": 0, "ue": 1, "direction": 0, "transmission": len(sinr)}
        return SampledBlock(record | {"bler_predicted": rate}, values)

    blocks = [
        sampled([1.0], 0.8), sampled([2.0], 0.5), sampled([1.0, 3.0], 0.2),
        sampled([2.0, 3.0], 0.1), sampled([1.0, 3.0, 0.1], 0.3),
    ]  # fmt: skip
    assert _lost_again(blocks) == pytest.approx([0.25, 0.2, 1.0])
