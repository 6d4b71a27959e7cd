# SPDX-License-Identifier: MIT
"""Channels of a scenario: every producer can be named, and what is wrong with one is said."""

import json

import numpy as np
import pytest

from cosim.channel_process import channel_spec, spec_from_json, spec_to_json
from cosim.cli import main
from cosim.plan import make_plan
from cosim.scenario import ScenarioError, load_scenario
from sionna_phy.channel import models
from sionna_phy.channel.recorded import write_recording

SCENARIO = """
name = "channel"
[run]
duration_s = 0.2
[channel]
model = "constant"
[ues]
count = 2
speed_m_s = 0.0
[[traffic]]
kind = "cbr"
direction = "dl"
rate_bps = 1e5
packet_bytes = 100
"""


@pytest.fixture
def scenario(tmp_path):
    path = tmp_path / "channel.toml"
    path.write_text(SCENARIO)
    return str(path)


NEEDS = {"rt": ['channel.scene="munich"'], "replay": ['channel.file="x.safetensors"'],
         "inh": ["ues.indoor_fraction=1.0"], "inf": ["ues.indoor_fraction=1.0"]}  # fmt: skip


@pytest.mark.parametrize("model", models())
def test_every_producer_can_be_named(scenario, model):
    loaded = load_scenario(scenario, [f'channel.model="{model}"', *NEEDS.get(model, [])])
    spec = channel_spec(make_plan(loaded))
    assert spec.model == model
    assert spec.blocks_needed == 2
    again = spec_from_json(spec_to_json(spec))
    assert np.array_equal(again.ue_positions_m, spec.ue_positions_m)
    assert again.scene == spec.scene


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (['channel.model="rt"'], "channel.scene"),
        (['channel.model="replay"'], "channel.file"),
        (['channel.scene="munich"'], "only with channel.model"),
        (['channel.model="cdl-a"', "channel.soft_los=true"], "umi.*inf.* and channel.los"),
        (['channel.los="never"', "channel.soft_los=true"], "channel.soft_los = true"),
        (['channel.model="inh"'], "everybody is indoors"),
    ],
)
def test_what_a_model_needs_is_said(scenario, overrides, words):
    with pytest.raises(ScenarioError, match=words):
        load_scenario(scenario, overrides)


def test_a_recorded_channel_drives_a_run(scenario, tmp_path):
    # 20 MHz at numerology 1: 51 PRBs; 2 blocks of 20 samples, 1 cell, 2 UEs, 1 layer.
    gains = np.full((20, 1, 2, 1, 51), 1e-10, dtype=np.float32)
    recording = tmp_path / "own.safetensors"
    write_recording(recording, [gains, gains], block_duration_s=0.1)
    out = tmp_path / "run"
    named = ["--set", 'channel.model="replay"', "--set", f'channel.file="{recording}"']
    assert main(["run", scenario, *named, "--out", str(out), "--quiet"]) == 0
    channel = json.loads((out / "run.json").read_text())["channel"]
    assert channel["links_per_call"] == 2
    assert channel["moving_ues"] == 0
    assert channel["computed_blocks"] >= channel["blocks"] - 1 >= 1
    assert channel["compute_s"] >= 0


def test_a_channel_that_cannot_be_is_one_clear_line(scenario, tmp_path, capsys):
    named = ["--set", 'channel.model="replay"', "--set", 'channel.file="/nowhere.safetensors"']
    assert main(["run", scenario, *named, "--out", str(tmp_path / "run"), "--quiet"]) == 1
    said = capsys.readouterr().err
    assert "channel: file: " in said
    assert "/nowhere.safetensors" in said
    assert "Traceback" not in said
