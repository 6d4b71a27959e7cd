# SPDX-License-Identifier: MIT
"""Smaller versions of the language model, and the choice among rungs."""

import dataclasses
import importlib.util
import json
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from models.backbone import BackboneError, load_backbone
from models.backbone.llama import Layer
from models.codecs.conformance import check_codec
from models.codecs.llm_token import LlmTokenCodec
from models.compression import (
    DeviceProfile,
    LadderError,
    LadderRung,
    LinkEstimate,
    NodeState,
    choose,
    ladder_tasks,
    measured_ladder,
)
from models.compression.variants import (
    block_influence,
    compress,
    linear_student,
    narrowed,
    weight_bytes,
)
from models.tasks import get_task

TEXTS = ["a film of quiet power", "dull, and far too long", "it works"]
# one operation a nanosecond, no memory limit, one joule for 10^9 operations
DEVICE = DeviceProfile("by hand", 1e9, 1e12, 0.0, 1e-9, 0.0)
FINE = LadderRung("fine", 0.8, 0.5, 1000.0, 100.0, 2e7, 0.0)
COARSE = LadderRung("coarse", 0.7, 0.5, 100.0, 10.0, 1e7, 0.0)


def states():
    return st.builds(
        NodeState,
        deadline_s=st.floats(0, 1),
        rate_bps=st.floats(0, 1e7),
        device_busy_s=st.floats(0, 0.5),
        queue_bytes=st.floats(0, 1e5),
        unit_loss=st.floats(0, 1),
        battery_j=st.floats(0, 1),
    )


def test_a_fast_link_takes_the_fine_rung_and_a_slow_one_the_coarse():
    # fine: ready after 20 ms, 80 ms left; at 1 Mbit/s 10 000 bytes fit, all of its 1000.
    choice = choose([COARSE, FINE], DEVICE, NodeState(deadline_s=0.1, rate_bps=1e6))
    assert (choice.rung, choice.budget_bytes, choice.utility) == ("fine", None, 0.8)
    assert choice.ready_s == pytest.approx(0.02)
    assert choice.energy_j == pytest.approx(0.02)
    # at 10 kbit/s 100 bytes fit: fine gives 0.5 + 0.3·sqrt(0.1) = 0.595; coarse, ready 10 ms
    # earlier, has 112 bytes and sends all of its 100: 0.7.
    choice = choose([COARSE, FINE], DEVICE, NodeState(deadline_s=0.1, rate_bps=1e4))
    assert (choice.rung, choice.budget_bytes, choice.utility) == ("coarse", None, 0.7)


def test_a_queue_and_a_busy_device_take_from_the_budget():
    # coarse: ready after 40 + 10 ms, 50 ms left: 62.5 bytes at 10 kbit/s, less 37.5 in the queue:
    # 25 of 100. 0.5 + 0.2·sqrt(0.25) = 0.6.
    state = NodeState(deadline_s=0.1, rate_bps=1e4, device_busy_s=0.04, queue_bytes=37.5)
    choice = choose([COARSE], DEVICE, state)
    assert choice.budget_bytes == 25
    assert choice.utility == pytest.approx(0.6)


def test_an_empty_battery_rules_the_costly_rung_out():
    # 0.02 J and 0.01 J a message; 0.015 J are there
    choice = choose(
        [COARSE, FINE], DEVICE, NodeState(deadline_s=1.0, rate_bps=1e9, battery_j=0.015)
    )
    assert choice.rung == "coarse"


def test_where_nothing_can_arrive_the_cheapest_is_taken():
    choice = choose([FINE, COARSE], DEVICE, NodeState(deadline_s=0.1, rate_bps=0.0))
    assert (choice.rung, choice.utility, choice.budget_bytes) == ("coarse", 0.5, 1)


@given(states())
def test_the_choice_is_at_least_as_good_as_any_fixed_rung(state):
    best = choose([FINE, COARSE], DEVICE, state)
    for rung in (FINE, COARSE):
        assert best.utility >= choose([rung], DEVICE, state).utility - 1e-9
    assert 0.5 <= best.utility <= 0.8


@given(states(), st.floats(0, 1e7))
def test_a_faster_link_is_never_worse(state, more):
    faster = NodeState(
        **{n: getattr(state, n) for n in ("deadline_s", "device_busy_s", "queue_bytes",
                                          "unit_loss", "battery_j")},
        rate_bps=state.rate_bps + more,
    )  # fmt: skip
    before = choose([FINE, COARSE], DEVICE, state).utility
    assert choose([FINE, COARSE], DEVICE, faster).utility >= before - 1e-9


def test_bad_states_and_ladders_are_named():
    with pytest.raises(LadderError, match="unit_loss = 2"):
        NodeState(deadline_s=1.0, rate_bps=1.0, unit_loss=2)
    with pytest.raises(LadderError, match="rate_bps"):
        NodeState(deadline_s=1.0, rate_bps=math.nan)
    with pytest.raises(LadderError, match="at least one rung"):
        choose([], DEVICE, NodeState(deadline_s=1.0, rate_bps=1.0))
    with pytest.raises(LadderError, match=r"models\.codecs\.ladder --task nope"):
        measured_ladder("nope", "llm-token", operations=1.0, memory_bytes=0.0)


def test_the_shipped_ladder_has_all_named_rungs():
    ladder = measured_ladder("sentiment", "llm-token", operations=1.0, memory_bytes=0.0)
    by_name = {rung.name: rung for rung in ladder}
    assert "default" not in by_name
    assert by_name["d8-int4-top8"].bytes_mean < by_name["d32-int8"].bytes_mean
    assert by_name["d32-int8"].accuracy > by_name["d32-int8"].floor
    assert "sentiment" in ladder_tasks("llm-token")
    for rung in ladder:
        assert rung.accuracy_at(1.0) == rung.accuracy and rung.accuracy_at(0.0) == rung.floor


def test_a_ladder_of_other_weights_is_refused(tmp_path):
    # SHA-256 of "abc" begins with ba7816bf 8f01cfea (FIPS 180-4, the standard's example).
    for name in ("other-sentiment", "shared"):
        (tmp_path / f"{name}.safetensors").write_bytes(b"abc")
    row = {"n": 1, "bytes_mean": 9.0, "units_mean": 1.0, "curve": [0.5, 0.7]}
    entry = {"weights": "ba7816bf8f01cfea", "rungs": {"a": row}}
    bare = {"weights": None, "rungs": {"a": row}}
    ladders = tmp_path / "ladders.json"
    ladders.write_text(json.dumps({"sentiment": {"other": entry, "shared": entry, "bare": bare}}))

    def load(codec):
        places = {"path": ladders, "folder": tmp_path}
        return measured_ladder("sentiment", codec, operations=1.0, memory_bytes=0.0, **places)

    assert [load(codec)[0].accuracy for codec in ("other", "shared", "bare")] == [0.7] * 3
    (tmp_path / "other-sentiment.safetensors").write_bytes(b"trained again")
    remedy = r"ba7816bf8f01cfea.*python -m models\.codecs\.ladder --task sentiment --codec other"
    with pytest.raises(LadderError, match=remedy):
        load("other")


def test_between_measured_shares_accuracy_is_interpolated():
    rung = LadderRung("r", 0.9, 0.5, 100.0, 10.0, 0.0, 0.0, curve=(0.5, 0.7, 0.9))
    # a quarter lies half-way between 0.5 (nothing) and 0.7 (half of the units)
    assert rung.accuracy_at(0.25) == pytest.approx(0.6)
    assert rung.accuracy_at(0.75) == pytest.approx(0.8)


class Sure:
    """A link by hand: so many bytes a second after an access delay, and nothing beyond."""

    def __init__(self, access_s, bytes_s):
        self.access_s, self.bytes_s = access_s, bytes_s

    def chances(self, sizes, seconds):
        return [float(self.access_s + size / self.bytes_s <= seconds) for size in sizes]

    def airtime_s(self, size):
        return size / self.bytes_s


def packets(rung, size):
    return dataclasses.replace(rung, packet_bytes=size, curve=(rung.floor, rung.accuracy))


def test_only_whole_packets_arrive():
    # fine is ready after 20 ms; 80 ms at 10 kB/s are 800 bytes: two packets of 300 of its 1000.
    # 0.5 + 0.3·0.6 = 0.68 < 0.7 of coarse, which is one packet.
    choice = choose(
        [packets(COARSE, 300.0), packets(FINE, 300.0)],
        DEVICE,
        NodeState(deadline_s=0.1, rate_bps=0.0),
        Sure(0.0, 1e4),
    )
    assert (choice.rung, choice.budget_bytes) == ("coarse", None)
    (fine,) = [packets(FINE, 300.0)]
    choice = choose([fine], DEVICE, NodeState(deadline_s=0.1, rate_bps=0.0), Sure(0.0, 1e4))
    assert choice.utility == pytest.approx(0.68) and choice.budget_bytes == 600


def test_a_price_of_airtime_takes_the_shorter_message():
    # 1000 bytes keep the link busy for 10 ms, 100 for 1 ms. At 20 a second fine is worth
    # 0.8 − 0.2 and coarse 0.7 − 0.02.
    state, link = NodeState(deadline_s=0.1, rate_bps=0.0), Sure(0.0, 1e5)
    rungs = [packets(COARSE, 1000.0), packets(FINE, 1000.0)]
    assert choose(rungs, DEVICE, state, link).rung == "fine"
    priced = choose(rungs, DEVICE, state, link, price_per_s=20.0)
    assert priced.rung == "coarse" and priced.utility == pytest.approx(0.68)


def test_a_link_is_learnt_from_what_arrived_when():
    link = LinkEstimate(memory=0.5, optimism=1.0)
    # Before anything is known only the shortest is tried.
    assert link.chances([50, 100, 1000], 0.1) == [1.0, 0.0, 0.0]
    link.arrived(100, 0.02)
    # up to four times what has arrived: 400
    assert link.chances([50, 100, 400, 401], 0.1) == [1.0, 1.0, 1.0, 0.0]
    # not in less time than it took: it was late for 10 ms, so (0 + 1)/(1 + 1)
    assert link.chances([100], 0.01) == [0.5]
    link.missing(300, 0.1)
    # For 300 bytes one miss and a belief of one observation: 1/2. Up to 100 the arrival, which
    # weighs a half by now, and no miss: 1. In a time far longer than was waited nothing is known.
    assert link.chances([100, 300], 0.1) == [1.0, 0.5]
    assert link.chances([100, 300], 0.2) == [1.0, 1.0]
    with pytest.raises(ValueError, match="memory"):
        LinkEstimate(memory=1.0)


def test_airtime_is_what_is_above_the_least_delay():
    link = LinkEstimate(memory=0.5)
    assert link.airtime_s(1000) == 0.0
    link.arrived(100, 0.010)
    link.arrived(200, 0.030)
    # (1·20 ms + 0.5·0) over (1·200 + 0.5·100) bytes = 80 µs a byte
    assert link.airtime_s(50) == pytest.approx(0.004)


@given(
    st.lists(st.tuples(st.floats(1, 1e4), st.floats(0, 1), st.booleans()), min_size=0, max_size=30),
    st.lists(st.floats(1, 1e4), min_size=1, max_size=8, unique=True),
    st.floats(0, 1),
)
def test_chances_never_rise_with_size(seen, sizes, seconds):
    link = LinkEstimate()
    for size, delay_s, arrived in seen:
        (link.arrived if arrived else link.missing)(size, delay_s)
    chances = link.chances(sorted(sizes), seconds)
    assert all(0.0 <= c <= 1.0 for c in chances)
    assert chances == sorted(chances, reverse=True)


def test_a_dropped_layer_does_nothing_and_the_others_what_they_did():
    plain = load_backbone()
    small = compress(plain, drop=[5])
    hidden = torch.randn(3, plain.geometry.hidden, generator=torch.Generator().manual_seed(1))
    where = torch.tensor([1, 2, 3])
    with torch.no_grad():
        assert torch.equal(small.run(hidden, where, [3], 5, 6), hidden)
        want = plain.run(plain.run(hidden, where, [3], 0, 5), where, [3], 6, 7)
        # the prefix of layer 6 has skipped layer 5 too, so only what comes before is the same
        assert torch.equal(small.run(hidden, where, [3], 0, 5), plain.run(hidden, where, [3], 0, 5))
        assert small.run(hidden, where, [3], 0, 7).shape == want.shape
    assert small.fingerprint != plain.fingerprint
    assert not hasattr(plain, "dropped")


def test_block_influence_is_between_zero_and_two_and_the_first_layer_turns_most():
    influence = block_influence(load_backbone(), TEXTS)
    assert len(influence) == 12
    assert all(0.0 <= value <= 2.0 for value in influence)
    assert influence[0] == max(influence)


def test_eight_bits_are_about_half_of_sixteen():
    plain = load_backbone(precision="bfloat16")
    layer = 576 * 960 + 576 * 576 + 3 * 576 * 1536
    rows = 960 + 576 + 2 * 1536 + 576
    assert weight_bytes(plain, [0], []) == 2 * layer
    assert weight_bytes(plain, [0], [0]) == layer + 4 * rows


@pytest.mark.skipif(importlib.util.find_spec("torchao") is None, reason="needs torchao")
def test_int8_layers_stay_close_to_the_plain_ones():
    plain = load_backbone()
    small = compress(plain, int8_layers=[0, 1, 2, 3])
    numbers = plain.tokenizer.encode(TEXTS[0], 64)
    where = torch.arange(1, len(numbers) + 1)
    with torch.no_grad():
        want = plain.run(plain.embed(numbers), where, [len(numbers)], 0, 4)
        got = small.run(plain.embed(numbers), where, [len(numbers)], 0, 4)
    # 8 bits a token and a row: steps of 1/127 of the largest value, so some percent of the norm
    assert float((got - want).norm() / want.norm()) < 0.1
    assert not torch.equal(got, want)


@pytest.mark.parametrize("drop", [(8,), (6, 8)])
def test_a_codec_with_a_smaller_model_keeps_the_contract(drop):
    codec = LlmTokenCodec(on_disk=False, model=compress(load_backbone(), drop=drop))
    check_codec(codec, task="sentiment", samples=4)


def test_layers_that_are_not_there_are_refused():
    with pytest.raises(BackboneError, match="not all are loaded"):
        compress(load_backbone(), drop=[40])


def test_a_narrow_layer_keeps_its_strongest_channels():
    # Two channels by hand: norms 1·1·3 and 2·2·1, so the second is stronger.
    layer = Layer(
        attention_norm=torch.ones(2),
        qkv=torch.eye(2),
        output=torch.eye(2),
        mlp_norm=torch.ones(2),
        gate_up=torch.tensor([[1.0, 0], [0, 2], [0, 1], [2, 0]]),
        down=torch.tensor([[3.0, 0], [0, 1]]),
    )
    small = narrowed(layer, 0.5)
    assert small.gate_up.tolist() == [[0, 2], [2, 0]] and small.down.tolist() == [[0], [1]]
    assert torch.equal(narrowed(layer, 1.0).gate_up, layer.gate_up)
    with pytest.raises(BackboneError, match="above 0 and at most 1"):
        narrowed(layer, 0.0)


def test_a_student_is_closer_than_leaving_its_layers_out():
    plain = load_backbone()
    texts = [s.text for s in get_task("sentiment").train[:80]]
    numbers = plain.tokenizer.encode(get_task("sentiment").validation[0].text, 64)
    where, lengths = torch.arange(1, len(numbers) + 1), [len(numbers)]
    student = compress(plain, drop=[2, 3], maps={2: linear_student(plain, 2, 4, texts)})
    dropped = compress(plain, drop=[2, 3])
    with torch.no_grad():
        want, got, without = (
            model.run(model.embed(numbers), where, lengths, 0, 4)
            for model in (plain, student, dropped)
        )
    assert float((got - want).norm()) < float((without - want).norm())
    with pytest.raises(BackboneError, match="name it in drop too"):
        compress(plain, maps={2: torch.zeros(2, 3)})
