# SPDX-License-Identifier: MIT
"""Schedulers over the whole chain: every name runs, plugins decide, byte counters add up."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest

from cosim.engine import run_scenario
from cosim.plugins import load_plugin
from cosim.scenario import ScenarioError, load_scenario
from cosim.scenario.mac import SCHEDULERS
from cosim.schedulers import SlotScheduler, register_scheduler, wanted_prbs
from cosim.traces import read_trace

WEIGHTED = Path(__file__).parents[2] / "ns3_scenarios" / "examples" / "weighted.toml"


class Recording(SlotScheduler):
    """Gives everything to the first UE that wants it, and remembers what it saw."""

    def __init__(self, wrong=None):
        self.wrong = wrong
        self.seen = []

    def decide(self, view):
        self.seen.append((view.t_s, view.cell, int(view.direction), view.prbs, view.ues.copy()))
        if self.wrong is not None:
            return self.wrong(view)
        wanted = wanted_prbs(view.ues)
        before = np.concatenate([[0], np.cumsum(wanted)[:-1]])
        return np.clip(view.prbs - before, 0, wanted)


def play(tmp_path, scheduler, *settings, scenario=WEIGHTED):
    register_scheduler("weighted", lambda context: scheduler)
    folder = tmp_path / f"run{len(list(tmp_path.iterdir()))}"
    folder.mkdir()
    loaded = load_scenario(str(scenario), ("run.duration_s=0.2", *settings))
    result = run_scenario(loaded, folder)
    return folder, result, json.loads((folder / "run.json").read_text())


def check_bytes(facts):
    for c in facts["counters"]:
        parts = ("retransmitted", "padding", "mac_header", "rlc_header", "pdcp_header", "sdu_sent")
        assert c["phy"] == sum(c[p] for p in parts)
        assert c["sdu_sent"] == c["sdu_delivered"] + c["sdu_lost"] + c["sdu_in_flight"]


def test_a_python_scheduler_decides_slot_by_slot(tmp_path):
    scheduler = Recording()
    folder, result, facts = play(tmp_path, scheduler)
    assert result.status == "finished", result.reason
    assert facts["scheduler"]["questions"] == len(scheduler.seen) > 100
    check_bytes(facts)
    slots = read_trace(folder, "slots")
    new = slots[slots["redundancy_version"] == 0]
    for t_s, cell, direction, prbs, ues in scheduler.seen[:: len(scheduler.seen) // 50]:
        assert list(ues["ue"]) == sorted(ues["ue"]) and (ues["demand_bytes"] > 0).all()
        name = ("dl", "ul")[direction]
        here = new[np.isclose(new["t_s"], t_s) & (new["cell"] == cell)]
        here = here[here["direction"] == name]
        assert here["prb_count"].sum() <= prbs
        # the first UE that wants PRBs has them all before the next has any
        wanted = dict(zip(ues["ue"].tolist(), wanted_prbs(ues).tolist(), strict=True))
        for ue, count in zip(here["ue"], here["prb_count"], strict=True):
            assert count <= max(wanted[int(ue)], 1) + 2  # a share too narrow for headers is widened


def test_weights_hold_for_many_slots(tmp_path):
    class Ranked(SlotScheduler):
        def decide(self, view):
            # Everything to UE 3: the others' weights are as good as nothing.
            return np.where(view.ues["ue"] == 3, 1e9, 1e-9)

    folder, result, facts = play(
        tmp_path,
        Ranked(),
        "mac.python_action=weights",
        "mac.python_period_slots=20",
        "traffic.0.rate_bps=2e8",  # more than the cell carries
    )
    assert result.status == "finished", result.reason
    # 0.2 s of DDDSU at 0.5 ms are 400 slots: 320 with downlink, 80 with uplink, each a question
    # every twentieth.
    assert 0 < facts["scheduler"]["questions"] <= (320 + 80) / 20
    slots = read_trace(folder, "slots")
    down = slots[(slots["direction"] == "dl") & (slots["t_s"] > 0.05)]
    assert (down["ue"] == 3).mean() > 0.8


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda view: np.full(len(view.ues), view.prbs + 1), "together at most"),
        (lambda view: np.full(len(view.ues), 0.5), "whole PRBs"),
        (lambda view: np.zeros(len(view.ues) + 1, int), "one number each"),
    ],
)
def test_a_wrong_decision_ends_the_run_with_its_reason(tmp_path, wrong, message):
    _, result, _ = play(tmp_path, Recording(wrong))
    assert result.status == "failed" and message in result.reason


def test_every_scheduler_of_ns3_runs_and_conserves_bytes(tmp_path):
    shares = {}
    for name in SCHEDULERS:
        if name in ("python", "semantic-efficiency", "marginal-utility"):
            continue  # the first is above, the others need a model's accuracy: slow, below
        folder, result, facts = play(
            tmp_path, Recording(), f"mac.scheduler={name}", "traffic.0.rate_bps=3e7"
        )
        assert result.status == "finished", (name, result.reason)
        check_bytes(facts)
        slots = read_trace(folder, "slots")
        shares[name] = slots.groupby("ue")["prb_count"].sum().reindex(range(8), fill_value=0)
    assert shares["rr"].max() < 1.1 * shares["rr"].min()
    assert not all(a.equals(b) for a, b in itertools.pairwise(shares.values()))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["semantic-efficiency", "marginal-utility", "importance-first"])
def test_semantic_schedulers_know_the_accuracy_of_messages(tmp_path, name):
    _, result, facts = play(
        tmp_path,
        Recording(),
        f"mac.scheduler={name}",
        "mac.utility_samples=32",
        "channel.model=constant",
        "run.duration_s=1.0",
        scenario="hello",
    )
    assert result.status == "finished", result.reason
    curves = facts["scheduler"]["utilities"]
    assert (name == "importance-first") == (not curves)
    for curve in curves.values():
        assert len(curve) == 9 and curve == sorted(curve) and 0.4 < curve[0] <= curve[-1] <= 1.0


@pytest.mark.parametrize(
    ("settings", "key", "text"),
    [
        (("mac.scheduler=python",), "mac.python_scheduler", "is needed"),
        (("mac.scheduler=python", "mac.python_scheduler=nobody"), "mac.python_scheduler", "plugin"),
        (("mac.python_period_slots=4",), "mac.python_period_slots", "weights"),
        (("mac.max_layers=2",), "mac.max_layers", "ues.antennas"),
        (("traffic.0.less_harq_tx=5",), "traffic.0.less_harq_tx", "at most"),
        (("mac.scheduler=best",), "mac.scheduler", "max-ci"),
    ],
)
def test_what_cannot_be_is_refused_with_a_remedy(settings, key, text):
    with pytest.raises(ScenarioError) as caught:
        load_scenario("hello", settings)
    assert key in str(caught.value) and text in str(caught.value)


def test_an_unknown_scheduler_is_refused_with_what_there_is():
    with pytest.raises(ScenarioError) as caught:
        load_scenario("hello", ["mac.scheduler=max-cI"])
    (problem,) = caught.value.problems
    text = str(problem)
    assert text.startswith('mac.scheduler = "max-cI": one of pf, rr') and "ns3::Name" in text
    assert 'did you mean "max-ci"?' in text


@pytest.mark.parametrize(
    ("name", "reason"),
    [("ns3::NrUnheardOf", "NrUnheardOf"), ("ns3::NrRlcUm", "ns3::NrRlcUm is no scheduler")],
)
def test_a_class_that_is_no_scheduler_ends_the_run_with_its_name(tmp_path, name, reason):
    settings = [f"mac.scheduler={name}", "channel.model=constant", "run.duration_s=0.05"]
    result = run_scenario(load_scenario("hello", settings), tmp_path)
    assert result.status == "failed" and reason in result.reason


def test_a_plugin_must_be_a_library(tmp_path):
    fake = tmp_path / "mine.so"
    fake.write_text("not one")
    with pytest.raises(ValueError, match="no shared library"):
        load_plugin(fake)
    with pytest.raises(FileNotFoundError):
        load_plugin(tmp_path / "absent.so")
