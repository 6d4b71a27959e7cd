# SPDX-License-Identifier: MIT
import importlib.util
import math
import random
import threading
import time
from concurrent.futures import Future
from pathlib import Path

import pytest
import torch

from cosim.agents.trainer_worker import Worker
from cosim.scenario import ScenarioError
from cosim.scenario.loader import validate
from models.federated.reference import choose_samples, same, traffic_bytes
from models.federated.smashed import parse_smashed

_spec = importlib.util.spec_from_file_location(
    "training_loop", Path(__file__).with_name("training_loop.py")
)
training_loop = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(training_loop)
make, reference, rounds_of = training_loop.make, training_loop.reference, training_loop.rounds_of
scenario_of = training_loop.scenario_of


@pytest.fixture(scope="module")
def model():
    return training_loop.small_model()


def test_a_worker_computes_beside_and_in_order():
    worker, gate, seen = Worker(), threading.Event(), []

    def first():
        assert gate.wait(60.0)
        seen.append("first")
        return 1

    one, two = worker.begin(first), worker.begin(lambda: seen.append("second"))
    assert seen == [] and not one.done()  # who began it goes on meanwhile
    gate.set()
    assert one.result(60.0) == 1 and two.result(60.0) is None
    assert seen == ["first", "second"]


class AtOnce:
    """Computes before anything else happens, as if nothing ran beside it."""

    def begin(self, compute):
        done = Future()
        done.set_result(compute())
        return done

    def call(self, compute):
        return compute()


class Slow(Worker):
    """Takes a time that has nothing to do with the simulation's."""

    def __init__(self, seed):
        super().__init__()
        self._random = random.Random(seed)

    def begin(self, compute):
        def later():
            time.sleep(self._random.uniform(0.0, 0.02))
            return compute()

        return super().begin(later)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"design": "splitfed-v2", "cut_layers": [2, 3]},
        {"design": "splitlora", "round_deadline_s": 0.5},
        {"labels_at": "device"},
        {"aggregator": "async", "evaluate_every": 1},
        {"design": "centralised"},
    ],
    ids=lambda options: "-".join(map(str, options.values())) or "v1",
)
def test_results_do_not_depend_on_how_long_computing_takes(model, options):
    # Stochastic rounding to 4 bits: the order in which the edge draws is in the values.
    found = []
    for workers in ([AtOnce() for _ in range(3)], [Slow(n) for n in range(3)]):
        _, setup, loop = make(model, compression="int4", **options)
        for name, worker in zip(("worker", "edge_worker", "evaluator"), workers, strict=True):
            object.__setattr__(setup, name, worker)  # it is frozen for everybody else
        loop.run()
        found.append((rounds_of(setup), setup.strategy.tensors))
    assert found[0][0].equals(found[1][0])
    assert same(found[0][1], found[1][1]) == 0.0


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
        {"compression": "int4", "keep_tokens": 0.5, "error_feedback": True},
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
