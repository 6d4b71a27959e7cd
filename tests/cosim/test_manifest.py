# SPDX-License-Identifier: MIT
"""A run's folder and its manifest."""

import numpy as np
import pyarrow as pa
import pytest

from cosim.scenario import load_scenario
from cosim.traces import Manifest, TraceError, TraceSet, create_run_folder, trace_hashes


def test_manifest_says_how_a_run_ended(tmp_path):
    scenario = load_scenario("hello", seed=7)
    manifest = Manifest.start(tmp_path, scenario, command=["cosim", "run"])
    started = Manifest.read(tmp_path).data
    assert started["status"] == "running" and started["seed"] == 7
    assert started["scenario_hash"] == scenario.content_hash()
    assert load_scenario(tmp_path / "scenario.toml").content_hash() == scenario.content_hash()
    TraceSet(tmp_path).close()
    manifest.finish(
        "failed", "ns-3 ended", facts={"offline": {"accuracy": np.float64(0.5), "n": np.int64(3)}},
        mean=float("nan"),
    )  # fmt: skip
    ended = Manifest.read(tmp_path).data
    assert ended["status"] == "failed" and ended["reason"] == "ns-3 ended"
    assert ended["facts"] == {"offline": {"accuracy": 0.5, "n": 3}} and ended["mean"] is None
    assert ended["hashes"] == trace_hashes(tmp_path)
    assert ended["wall"]["started"] == started["wall"]["started"] and ended["wall"]["total_s"] >= 0
    assert ended["versions"]["pyarrow"] == pa.__version__


@pytest.mark.parametrize("text", [None, "", "{", "[]", '{"status": 3}'])
def test_broken_manifests_are_refused(tmp_path, text):
    if text is not None:
        (tmp_path / "run.json").write_text(text)
    with pytest.raises(TraceError, match=r"run\.json"):
        Manifest.read(tmp_path)


def test_run_folders_are_never_reused(tmp_path):
    scenario = load_scenario("hello")
    stem = f"hello-1-{scenario.content_hash()[:8]}"
    made = [create_run_folder(scenario, root=tmp_path / "runs").name for _ in range(3)]
    assert made == [stem, f"{stem}-2", f"{stem}-3"]
    assert create_run_folder(scenario, tmp_path / "mine").is_dir()
    assert create_run_folder(scenario, tmp_path / "mine").is_dir()  # still empty
    (tmp_path / "mine" / "x").write_text("kept")
    with pytest.raises(TraceError, match="not empty"):
        create_run_folder(scenario, tmp_path / "mine")
    with pytest.raises(TraceError, match="is a file"):
        create_run_folder(scenario, tmp_path / "mine" / "x")
    with pytest.raises(TraceError, match="--out"):
        create_run_folder(scenario, tmp_path / "mine" / "x" / "y")
    assert (tmp_path / "mine" / "x").read_text() == "kept"
