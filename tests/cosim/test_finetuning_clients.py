# SPDX-License-Identifier: MIT
"""Clients that differ: in cut, rank and speed, and those that disappear."""

import importlib.util
from pathlib import Path

import pytest
import torch

from models.codecs import ReceivedMessage
from models.federated.reference import same
from models.federated.service import SplitLoraCodec
from models.federated.wire import MessageError
from models.tasks import get_task

_spec = importlib.util.spec_from_file_location(
    "training_loop", Path(__file__).with_name("training_loop.py")
)
training_loop = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(training_loop)
make, reference, rounds_of = training_loop.make, training_loop.reference, training_loop.rounds_of


@pytest.fixture(scope="module")
def model():
    return training_loop.small_model()


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
    fit.missed(0, rate_bps=1e5)
    # Who missed a round has been measured: a choice by deadline leaves it out, and it is not new.
    assert fit.round_s[0] == float("inf") and fit.rate_bps[0] == 1e5
    assert fit.cut_of(0) == 2  # the fewest there are
    loop.run()
    assert set(rounds_of(setup)["cut_layer"]) <= {2, 3}


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


def test_little_memory_gets_a_lower_rank(model):
    # Layers 0 and 1 take 28.3 MB frozen, and what the way back keeps of 3 x 8 tokens in layer 1:
    # 24 x 16 x 576 x 4 bytes, 0.88 MB. A rank costs 16 x (576 + 960) bytes, 24.6 kB: rank 64 1.57
    # MB, 32 0.79 and 16 0.39. So 30.2 MB are too little for 64 and enough for 32, with 30.0 in all.
    _, setup, loop = make(
        model, rounds=1, rank=64, adapt_rank=True, aggregator="exact", memory_mb=[500.0, 30.2]
    )
    fit = loop.agents[-1].fit
    assert [fit.rank_of(client) for client in (0, 1)] == [64, 32]
    fit.rate_bps = {0: 8e6, 1: 1e6}
    assert fit.rank_of(1) == 4  # memory, then three halvings for an eighth of the rate
    loop.run()
    assert len(rounds_of(setup)) == 2


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
    assert not rounds.duplicated(["round", "client"]).any()
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
        assert set(server.watch.absent) == {1} and len(gone) <= (
            2 if "round_deadline_s" in options else 1
        )


@pytest.mark.parametrize("late", ["drop", "use"])
def test_a_client_that_was_given_up_is_asked_until_it_is_there_again(model, late):
    # Nothing gets through to client 1 and from it for 30 s, longer than the transport repeats.
    _, setup, loop = make(
        model, clients=2, rounds=40, local_steps=1, round_deadline_s=4.0, absent_after_s=4.0,
        evaluate_samples=0, late=late,
    )  # fmt: skip
    loop.deaf_from, loop.deaf_until = {1: 0.02}, {1: 30.0}
    loop.slow = {0: 0.3}  # four messages in a round: 1.2 s
    loop.run()
    rounds = rounds_of(setup)
    mine = rounds[rounds["client"] == 1]
    away, back = mine[mine["t_start_s"] < 30.0], mine[mine["t_start_s"] >= 30.0]
    assert len(away) <= 3 and away["late"].all()  # given up at 8 s at the latest
    assert len(back) > 5 and back["used"].all()
    assert back["t_start_s"].min() < 30.0 + 20.0 and loop.agents[-1].watch.absent == {}


def test_messages_in_service_are_decoded_from_the_senders_cut_on(model):
    _, setup, loop = make(model, cut_layers=[2, 3])
    loop.run()
    codec, sample = SplitLoraCodec(setup.bank), get_task("topic").test[0]
    assert [setup.bank.cut_at_device(node) for node in (0, 1, -1)] == [2, 3, 2]
    values = setup.bank.at_edge(2)
    batch = setup.model.corpus([sample], 8).batch([0])
    for node in (0, 1):
        message = codec.encode_at(node, sample, task="topic", rung="int8")
        received = ReceivedMessage(len(message.units), dict(enumerate(message.units)))
        (answer,) = codec.decode([received], task="topic", rung="int8")
        # The whole model's answer, but for rows of 8 bits: half a per cent of a row at most.
        with torch.no_grad():
            pooled = setup.model.edge(
                values, setup.model.device(values, batch), batch.positions, batch.lengths
            )
            best, second = setup.model.scores(values, pooled)[0].topk(2).values.tolist()
        assert answer.accepted and answer.score == pytest.approx(best - second, abs=0.05)
    # a unit that names another cut than the first one is not decoded with it
    other = message.units[1][:2] + b"\x02" + message.units[1][3:]
    (alone,) = codec.decode([ReceivedMessage(2, {0: message.units[0]})], task="topic", rung="int8")
    (mixed,) = codec.decode(
        [ReceivedMessage(2, {0: message.units[0], 1: other})], task="topic", rung="int8"
    )
    assert mixed == alone


def test_an_asynchronous_client_that_comes_back_does_all_its_rounds(model):
    # The weights never reach client 1 and are lost for good after 20 s. It is given up at 8 s at
    # the latest and sent a header; the header that is on its way at 30 s is repeated, or the next
    # one is sent, within 20 s; at the next look, 4 s later, its session begins, at 54 s. Client 0
    # takes 4 messages of 0.8 s in each of 20 rounds, 64 s, so that the run is not over by then.
    _, setup, loop = make(
        model, clients=2, rounds=20, local_steps=1, absent_after_s=4.0, evaluate_samples=0,
        aggregator="async", stop_when_done=True,
    )  # fmt: skip
    loop.deaf_from, loop.deaf_until = {1: 0.0}, {1: 30.0}
    loop.slow = {0: 0.8}
    loop.run(until_s=200.0)
    rounds = rounds_of(setup)
    assert sorted(zip(rounds["client"], rounds["round"], strict=True)) == [
        (client, number) for client in (0, 1) for number in range(20)
    ]
    back = rounds[rounds["client"] == 1]
    assert rounds["used"].all() and 30.0 < back["t_start_s"].min() < 54.0 + 1e-6
    assert loop.events == [] and loop.agents[-1].watch.absent == {}  # the server ended the run
    # 40 results make version 40. It goes into service 1 s before the end; client 0 hears it after
    # 0.8 s.
    assert [setup.bank.at_device(node)[0] for node in (0, 1)] == [40, 40]


def test_a_late_client_that_is_left_out_is_not_given_up(model):
    # Client 1 needs 8 messages of 0.3 s and is late after 1 s; then only client 0 is chosen, whose
    # 8 messages take 0.8 s. Nothing is due of client 1 for 19 rounds, about 15 s, so it stays a
    # candidate of every one of the 20 choices.
    _, setup, loop = make(
        model, clients=2, rounds=20, round_deadline_s=1.0, absent_after_s=3.0, evaluate_samples=0
    )
    loop.slow = {0: 0.1, 1: 0.3}
    candidates = []

    def choose(free, rate_bps, round_s):
        candidates.append(list(free))
        return [0, 1] if len(candidates) == 1 else [0]

    object.__setattr__(setup, "choose", choose)
    loop.run()
    assert candidates == [[0, 1]] * 20 and loop.agents[-1].watch.absent == {}
    assert loop.now_s > 10.0


def test_texts_that_come_after_training_began_are_refused(model):
    # Client 0 has 6 samples. A round is as many steps as all clients would do, 2 for one client;
    # with client 1 counted in it would be 4 and take about twice as long.
    agents, _, _ = make(model, clients=2, design="centralised")
    central, sent = agents[-1]._central, []
    for client in agents[:-1]:
        client.send = lambda peer, data: sent.append(data)
        client.later = lambda delay_s, call: call()
        client.started()
    central.take_texts(0, sent[0])
    central.load()
    before = central.train_round(0)[1]
    with pytest.raises(MessageError, match="after training has begun"):
        central.take_texts(1, sent[1])
    assert central.clients == [0] and len(central._corpus) == 6
    assert central.train_round(1)[1] < 1.5 * before


def test_too_little_memory_names_what_to_change(model):
    # Two frozen layers alone are 28.3 MB, see above.
    with pytest.raises(ValueError, match=r"UE 1 cannot train: .* has 20; ") as error:
        make(model, clients=2, adapt_cut=True, round_deadline_s=10.0, memory_mb=[500.0, 20.0])
    for name in ("memory_mb", "batch", "max_tokens", "first_layer"):
        assert f"traffic.0.{name}" in str(error.value)
