# SPDX-License-Identifier: MIT
import importlib.util
import math
from pathlib import Path

import pandas as pd
import pytest
import torch

from cosim.agents.book import Book
from cosim.finetuning import build_trainers
from cosim.plan import make_plan
from cosim.scenario import ScenarioError
from cosim.scenario.loader import validate
from models.backbone import BackboneError
from models.compression import get_profile
from models.federated import SplitModel, SplitSpec, get_strategy
from models.federated.reference import choose_samples, run_round, same, traffic_bytes
from models.federated.smashed import parse_smashed

_spec = importlib.util.spec_from_file_location(
    "agent_loop", Path(__file__).with_name("agent_loop.py")
)
agent_loop = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(agent_loop)

ENTRY = {
    "kind": "finetuning", "task": "topic", "rounds": 2, "local_steps": 2, "batch": 3,
    "samples_per_client": 6, "first_layer": 1, "cut_layer": 2, "last_layer": 3, "rank": 2,
    "max_tokens": 8, "evaluate_samples": 6, "compression": "float32",
}  # fmt: skip


def scenario_of(clients=2, **options):
    return validate(
        {
            "name": "t",
            "run": {"duration_s": 300.0},
            "channel": {"model": "constant", "gain_db": -90.0},
            "ues": {"count": clients},
            "traffic": [{**ENTRY, **options}],
        }
    )


@pytest.fixture(scope="module")
def model():
    try:
        spec = SplitSpec(first=1, cut=2, last=3, rank=2, labels=6)
        return SplitModel(spec, precision="float32")
    except BackboneError as error:
        pytest.skip(str(error))


def make(model, clients=2, loop=None, **options):
    plan, book = make_plan(scenario_of(clients, **options)), Book()
    agents, setup = build_trainers(
        plan, 0, book=book, device_profile=get_profile("phone"),
        edge_profile=get_profile("edge-server"), model=model,
    )  # fmt: skip
    for agent in agents:
        agent.prepare()
    routes = {
        flow.number: (flow.ue, plan.edge_node)
        if flow.direction == "ul"
        else (plan.edge_node, flow.ue)
        for flow in plan.flows
    }
    return agents, setup, agent_loop.AgentLoop(agents, routes, **(loop or {}))


def rounds_of(setup):
    parts = [pd.DataFrame(columns) for table, columns in setup.book.take() if table == "rounds"]
    return pd.concat(parts, ignore_index=True)


def reference(setup, agents, cuts=None):
    """The same rounds in memory."""
    start = setup.model.initial(1)
    data = {a.node: setup.model.corpus(setup.samples[a.node], 8) for a in agents[:-1]}
    strategy = get_strategy("fedavg", start, 2)
    strategy.tensors = setup.bank.at_edge(0)
    for number in range(setup.rounds):
        batches = {
            c: choose_samples(setup.rng("batches", c, number), len(data[c]), setup.work)
            for c in data
        }
        run_round("splitfed-v1", strategy, setup.model, data, batches, setup.work, cuts)
    return strategy.tensors


@pytest.mark.parametrize("loss", [0.0, 0.2])
def test_v1_over_a_network_is_v1_in_memory(model, loss):
    # float32 on the wire and acknowledged messages: not a bit may differ, whatever was repeated.
    agents, setup, loop = make(model, loop={"loss": loss})
    loop.run()
    assert same(setup.strategy.tensors, reference(setup, agents)) == 0.0
    rounds = rounds_of(setup)
    assert list(rounds["round"]) == [0, 0, 1, 1] and not rounds["late"].any()
    assert (rounds["version"] == rounds["round"] + 1).all() and rounds["used"].all()


def test_federated_lora_is_v1_in_memory_too(model):
    agents, setup, loop = make(model, design="federated")
    loop.run()
    assert same(setup.strategy.tensors, reference(setup, agents)) == 0.0


def test_u_shape_gives_the_same_values_and_no_label_leaves_the_device(model):
    agents, setup, loop = make(model, labels_at="device")
    loop.run()
    assert same(setup.strategy.tensors, reference(setup, agents)) == 0.0


def test_v1_with_a_cut_for_each_client_is_v1_in_memory(model):
    # Each step is the whole model's step bit by bit, wherever it is cut; so mixed cuts, one cut for
    # all and the reference in memory end with the same bits.
    agents, setup, loop = make(model, clients=2, cut_layers=[3, 2])
    loop.run()
    assert list(rounds_of(setup)["cut_layer"]) == [3, 2, 3, 2]
    mixed = reference(setup, agents, cuts={0: 3, 1: 2})
    assert same(setup.strategy.tensors, mixed) == 0.0
    assert same(mixed, reference(setup, agents)) == 0.0


@pytest.mark.parametrize("design", ["splitlora", "splitfed-v2"])
def test_a_layer_at_both_sides_is_the_mean_of_both_copies(model, design):
    agents, setup, loop = make(model, design=design, cut_layers=[2, 3], rounds=1)
    before = {name: value.clone() for name, value in setup.strategy.tensors.items()}
    seen = {}
    server = agents[-1]
    work, strategy = server._work, setup.strategy
    shares = work.shares

    def watch(taken):
        seen["server"] = work._shared.state()
        seen["device"] = {s.client: s.result.tensors for s in taken}
        return shares(taken)

    work.shares = watch
    loop.run()
    # Layer 2 was trained at the server for client 0 and at the device of client 1, layer 1 at both
    # devices, what is above only at the server; both clients have trained on the same many samples.
    values = strategy.tensors
    for name in ("down.2", "up.2"):
        mean = 0.5 * (seen["server"][name] + seen["device"][1][name])
        assert torch.allclose(values[name], mean, atol=1e-6)
        assert torch.equal(work._shared.state()[name], values[name])
    # A is moved only once B is not zero, from the third step on.
    assert not torch.equal(seen["server"]["up.2"], before["up.2"])
    for name in ("down.1", "up.1"):
        mean = 0.5 * (seen["device"][0][name] + seen["device"][1][name])
        assert torch.allclose(values[name], mean, atol=1e-6)
    assert torch.equal(values["head.weight"], seen["server"]["head.weight"])
    assert "down.1" not in seen["server"] and "down.2" not in seen["device"][0]


def test_cuts_follow_memory_time_and_missed_rounds(model):
    # Of 10 s 8 count. Layer 1 is the first trained one. Three frozen layers alone are 3 · 3.54
    # million values of 4 bytes, 42.5 MB; two are 28.3.
    _, setup, loop = make(model, clients=2, adapt_cut=True, round_deadline_s=10.0, last_layer=3,
                          memory_mb=[500.0, 40.0])  # fmt: skip
    fit, placement = loop.agents[-1].fit, setup.placement
    assert placement.memory_bytes(3) > 40e6 > placement.memory_bytes(2)
    assert setup.deepest == {0: 3, 1: 2} and setup.cuts == {0: 2, 1: 2}
    fit.measured(0, took_s=1.0, rate_bps=1e7)
    fit.measured(1, took_s=1.0, rate_bps=1e7)
    assert [fit.cut_of(client) for client in (0, 1)] == [3, 2]
    # Back to 2 when what took 7.9 s with 3 layers would be over 8 s, but with 2 not: at 64 kbit/s a
    # layer's low-rank change, 2·(576 + 960) values of 4 bytes, takes 3.1 s in both directions.
    fit.measured(0, took_s=8.1, rate_bps=64e3)
    assert fit.cut_of(0) == 2
    fit.missed(0)
    assert fit.cut_of(0) == 2  # the fewest there are
    loop.run()
    assert set(rounds_of(setup)["cut_layer"]) <= {2, 3}


@pytest.mark.parametrize("compression", ["float32", "int8", "top0.25-int8"])
def test_bytes_are_the_formulas_plus_counted_headers(model, compression):
    # A layer more at the device is a low-rank change more on the air; activations stay as wide.
    cuts = [2, 3]
    agents, setup, loop = make(model, compression=compression, rounds=1, cut_layers=cuts)
    loop.run()
    hidden, joint = 576, setup.model.backbone.joint_rows
    for agent, (_, row) in zip(agents[:-1], rounds_of(setup).iterrows(), strict=True):
        corpus = agent._corpus
        batches = choose_samples(setup.rng("batches", agent.node, 0), len(corpus), setup.work)
        tokens = sum(len(corpus.rows[n]) for step in batches for n in step)
        formula = traffic_bytes(
            tokens=tokens, width=hidden, codec=parse_smashed(compression),
            lora_values=(cuts[agent.node] - 1) * 2 * (hidden + joint), bytes_per_weight=4,
        )  # fmt: skip
        # A message has 16 bytes of header, a length a sequence, the prefix row in float32; upwards
        # also a label a sequence. Weights: 16 + 8 bytes, then safetensors' own header.
        up, down = 2 * (16 + 3 + 3 + 4 * hidden), 2 * (16 + 3 + 4 * hidden)
        weights = row["payload_up"] + row["payload_down"] - formula - up - down
        assert weights % 2 == 0 or weights > 0
        # two weight messages: 24 bytes and a JSON header of two tensors a layer with a hash
        assert 2 * (24 + 200) < weights < 2 * (24 + 500 + 200 * (cuts[agent.node] - 2))
        assert row["bytes_up"] > row["payload_up"]


@pytest.mark.parametrize(
    "options",
    [
        {"design": "splitfed-v2"},
        {"design": "splitlora"},
        {"design": "centralised"},
        {"design": "federated", "aggregator": "async"},
        {"aggregator": "clustered"},
        {"aggregator": "exact", "ranks": [1, 2]},
        {"aggregator": "stack"},
        {"compression": "int4", "error_feedback": True, "weight_type": "bfloat16"},
        {"compression": "drop0.5-int8-zstd", "keep_tokens": 0.5},
        {"selection": "random", "participants": 1},
        {"selection": "channel", "participants": 1},
    ],
    ids=lambda options: "-".join(map(str, options.values())),
)
def test_every_design_finishes_its_rounds(model, options):
    _, setup, loop = make(model, **options)
    before = {name: value.clone() for name, value in setup.strategy.tensors.items()}
    loop.run()
    rounds = rounds_of(setup)
    assert rounds["round"].max() == 1 and rounds["used"].all()
    assert rounds["loss"].between(0.1, 4.0).all()
    assert rounds["accuracy"].iloc[-1:].between(0.0, 1.0).all()
    up = [name for name in before if name.startswith("up.")]
    assert all(float(setup.strategy.tensors[name].abs().max()) > 0 for name in up)


def test_a_joint_step_is_the_mean_of_the_clients_gradients(model):
    # With one client SplitLoRA's joint step is V2's, and one round of V1 with the state kept.
    values = []
    for design in ("splitlora", "splitfed-v2"):
        _, setup, loop = make(model, clients=1, design=design)
        loop.run()
        values.append(setup.strategy.tensors)
    assert same(*values) == 0.0


def test_lost_activations_do_not_stop_training(model):
    agents, setup, loop = make(model, transport="lossy", loop={"loss": 0.3, "seed": 3})
    loop.run()
    assert rounds_of(setup)["round"].max() == 1
    assert all(agent.refused == [] for agent in agents)
    assert same(setup.strategy.tensors, reference(setup, agents)) > 0


@pytest.mark.parametrize("late", ["drop", "use"])
def test_a_late_clients_work_is_lost_or_used_later(model, late):
    _, setup, loop = make(
        model, clients=2, rounds=4, round_deadline_s=0.4, late=late, evaluate_samples=0
    )
    loop.slow = {1: 0.1}  # 8 messages one after the other, 0.1 s each: about 0.9 s
    loop.run()
    rounds = rounds_of(setup)
    slow = rounds[rounds["client"] == 1]
    assert slow["late"].all() and not rounds[rounds["client"] == 0]["late"].any()
    if late == "drop":
        assert len(slow) == 4 and setup.strategy.version == 4
    else:  # the session goes on and its result comes in the third round
        assert len(slow) < 4
    assert rounds["round"].max() == 3


def test_a_slow_uplink_gets_a_lower_rank(model):
    # An eighth of the rate: three halvings of rank 8, after the first round has been measured.
    _, setup, loop = make(model, rounds=2, rank=8, adapt_rank=True, aggregator="exact")
    server = loop.agents[-1]
    server.fit.rate_bps = {0: 8e6, 1: 1e6}
    assert [server.fit.rank_of(client) for client in (0, 1)] == [8, 1]
    loop.run()
    assert len(rounds_of(setup)) == 4 and setup.strategy.tensors["up.1"].shape[1] == 8


def test_a_client_that_disappears_is_left_behind_at_the_deadline(model):
    _, setup, loop = make(model, clients=3, rounds=2, round_deadline_s=2.0, design="splitlora")
    loop.deaf_from = {2: 0.02}
    loop.run()
    rounds = rounds_of(setup)
    gone = rounds[rounds["client"] == 2]
    # The joint step waits for client 2 until the deadline: in round 0 nobody gets on.
    assert gone["late"].all() and not gone["used"].any()
    assert rounds["round"].max() == 1


@pytest.mark.parametrize(
    "options",
    [
        {"round_deadline_s": 2.0},
        {"round_deadline_s": 2.0, "late": "use"},
        {},
        {"design": "splitlora"},
        {"design": "splitfed-v2"},
        {"design": "federated"},
        {"design": "federated", "aggregator": "async"},
        {"design": "centralised"},
    ],
    ids=lambda options: "-".join(map(str, options.values())) or "no-deadline",
)
def test_a_killed_client_stops_nobody(model, options):
    # It is killed with the weights of the first round on their way. With a deadline the round ends
    # there, without one when nothing has been heard for absent_after_s, at most twice that.
    off_s = 0.0 if options.get("design") == "centralised" else 0.002
    _, setup, loop = make(
        model, clients=3, rounds=3, absent_after_s=4.0, switched_off=[[1, off_s]],
        stop_when_done=True, **options,
    )  # fmt: skip
    loop.run(until_s=100.0)
    assert loop.events == [] and loop.now_s < 40.0  # the server ended the run
    rounds = rounds_of(setup)
    others = rounds[rounds["client"] != 1]
    assert others["used"].all() and not others["late"].any() and len(others) == 6
    gone = rounds[rounds["client"] == 1]
    assert not gone["used"].any()
    one = setup.design != "centralised" and setup.strategy.asynchronous is False
    if one:
        assert gone["late"].all()
        waited_s = 2.0 if "round_deadline_s" in options else 8.0
        assert (gone["t_end_s"] - gone["t_start_s"]).max() <= waited_s + 1e-6
    server = loop.agents[-1]
    if options.get("late") == "use":  # it is not asked while it is at it; the others take no time
        assert len(gone) == 1
    else:  # from 4 s on it is not asked again
        assert server.absent == {1} and len(gone) <= (2 if "round_deadline_s" in options else 1)


def test_a_client_that_was_given_up_comes_back_when_it_is_heard(model):
    _, setup, loop = make(model, clients=2, rounds=4, absent_after_s=1.0)
    loop.slow = {1: 2.5}  # each way: nothing is heard for 5 s
    loop.run()
    rounds, server = rounds_of(setup), loop.agents[-1]
    assert rounds["round"].max() == 3
    assert rounds[rounds["client"] == 1]["late"].any() and server.absent <= {1}


def test_damaged_weights_are_refused_and_named(model):
    agents, _, _ = make(model)
    from cosim.agents.arq import Delivery

    agents[0].message(2, Delivery(b"\x01" + bytes(5) + b"\x02" + bytes(54)))
    agents[-1].message(0, Delivery(b""))
    assert "safetensors" in agents[0].refused[0] and "no message" in agents[-1].refused[0]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"cut_layer": 1}, "cut_layer.*nothing to train"),
        ({"first_layer": 3}, "first_layer.*below"),
        ({"compression": "int7"}, "compression"),
        ({"compression": "int8-zstd", "transport": "lossy"}, "without -zstd"),
        ({"design": "splitlora", "aggregator": "async"}, "one server model"),
        ({"ranks": [1]}, "one for each of 2"),
        ({"cut_layers": [2]}, "one for each of 2"),
        ({"cut_layers": [1, 2]}, "each above first_layer"),
        ({"cut_layers": [2, 3], "design": "federated"}, "only with a split design"),
        ({"adapt_cut": True}, "with a round_deadline_s"),
        ({"memory_mb": [9.0, 9.0]}, "only with adapt_cut"),
        ({"switched_off": [[7, 1.0]]}, "a UE of this entry"),
        ({"ranks": [1, 9]}, "each 1 to"),
        ({"design": "splitlora", "labels_at": "device"}, "labels_at"),
        ({"roundz": 3}, "did you mean rounds"),
        ({"task": "topics"}, "did you mean"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(options, words):
    with pytest.raises(ScenarioError, match=words):
        scenario_of(**options)


def test_a_service_codec_needs_its_training(model):
    with pytest.raises(ScenarioError, match=r"needs one .*finetuning"):
        validate(
            {"name": "t", "traffic": [{"kind": "semantic", "task": "topic", "codec": "split-lora"}]}
        )


def test_service_decodes_with_the_version_that_travels_or_not_at_all(model):
    from models.codecs import ReceivedMessage
    from models.federated.service import SplitLoraCodec
    from models.tasks import get_task

    _, setup, loop = make(model)
    loop.run()
    codec, sample = SplitLoraCodec(setup.bank), get_task("topic").test[0]
    assert setup.bank.at_device(0)[0] == 2  # the last version reached the device
    message = codec.encode_at(0, sample, task="topic", rung="int8")
    assert codec.version_of(message) == 2
    received = ReceivedMessage(len(message.units), dict(enumerate(message.units)))
    (answer,) = codec.decode([received], task="topic", rung="int8")
    assert answer.accepted
    # int8 rows differ from the clean ones by half a per cent at most: the answer is the model's own
    values = setup.bank.at_edge(2)
    batch = setup.model.corpus([sample], 8).batch([0])
    with torch.no_grad():
        pooled = setup.model.edge(
            values, setup.model.device(values, batch), batch.positions, batch.lengths
        )
        scores = setup.model.scores(values, pooled)[0]
    best, second = scores.topk(2).values.tolist()
    assert answer.score == pytest.approx(best - second, abs=0.05)
    setup.bank.withdraw(2)
    (answer,) = codec.decode([received], task="topic", rung="int8")
    assert not answer.accepted and setup.bank.refused == 1
    assert answer.prediction == get_task("topic").prior_label
    mixed = dict(enumerate(message.units))
    mixed[1] = b"\x00\x00" + mixed[1][2:]  # a unit of another version is not decoded with this one
    (answer,) = codec.decode([ReceivedMessage(2, {1: mixed[1]})], task="topic", rung="int8")
    assert answer.accepted and math.isfinite(answer.score)
