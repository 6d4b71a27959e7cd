# SPDX-License-Identifier: MIT
"""Device model "litert": a LiteRT file, or a stand-in that computes the same, in a codec's rung."""

import importlib.util
import json
from importlib.metadata import PackageNotFoundError

import numpy as np
import pytest
import torch

from models.backbone import BackboneError, load_backbone
from models.codecs import CodecError, ReceivedMessage
from models.codecs.conformance import check_codec
from models.codecs.llm_token import LlmTokenCodec
from models.codecs.registry import codec_rungs, is_rung
from models.compression import device_file, export_device
from models.compression.device_models import DeviceModel
from models.tasks import get_task

HAS_LITERT = all(importlib.util.find_spec(n) for n in ("litert_torch", "ai_edge_litert"))
LAYER = 576 * 960 + 576 * 576 + 3 * 576 * 1536
ORIGIN = device_file.Origin("sentiment", "w" * 16, "s" * 16, "b" * 16)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A cache with the language model's files, and none of a device."""
    folder = tmp_path / "devices"
    folder.mkdir()
    monkeypatch.setattr(device_file, "cache_folder", lambda name: tmp_path / name)
    return folder


@pytest.fixture
def stand_in(cache, monkeypatch):
    """A file for each text task and a runner that computes in torch what the file would."""
    lengths = []

    class Runner:
        def __init__(self, path):
            task = path.name.split("-")[2]
            self.model = export_device.make_device_model(task)[0]

        def __call__(self, hidden):
            lengths.append(hidden.shape[1])
            with torch.no_grad():
                values, importance = self.model(torch.from_numpy(hidden))
            return values.numpy(), importance.numpy()

    monkeypatch.setattr(device_file, "DeviceRunner", Runner)
    monkeypatch.setattr(device_file, "_version", lambda: "0")
    for task in ("sentiment", "topic"):
        made = cache / "made"
        made.write_bytes(task.encode() * 1000)
        device_file.keep(made, export_device.make_device_model(task)[2], {})
    return lengths


def test_the_units_are_those_of_the_file(stand_in):
    """In floats they are the student's, but where rounding moves a value over a level's edge."""
    codec = LlmTokenCodec(on_disk=False, model=load_backbone(precision="float32"))
    for task in ("sentiment", "topic"):
        samples = get_task(task).validation[:6]
        file, torch_ = (
            codec.encode(samples, task=task, rung=f"d8-int4-{name}")
            for name in ("litert", "student")
        )
        for mine, theirs in zip(file, torch_, strict=True):
            assert len(mine.units) == len(theirs.units)
            assert len({*mine.units} & {*theirs.units}) >= 0.95 * len(mine.units)
            assert np.allclose(mine.importance, theirs.importance, atol=1e-4)
        assert any(m.units != t.units for m, t in zip(file, codec.encode(
            samples, task=task, rung="d8-int4"), strict=True))  # fmt: skip
        whole = [ReceivedMessage(len(m.units), dict(enumerate(m.units))) for m in file]
        plain = codec.decode(whole, task=task, rung="d8-int4")
        assert codec.decode(whole, task=task, rung="d8-int4-litert") == plain
    # One sentence at a time, at the least length that holds it.
    assert len(stand_in) == 12 and set(stand_in) <= {*device_file.LENGTHS}


def test_a_rung_with_a_file_keeps_the_contract(stand_in):
    codec = LlmTokenCodec(on_disk=False)
    check_codec(codec, task="sentiment", samples=4, rung="d8-int4-litert")
    check_codec(codec, task="topic", samples=3, rung="d16-int4-top8-litert")


def test_lengths_are_padded_and_cut():
    assert [device_file.padded(n) for n in (1, 16, 17, 33, 64)] == [16, 16, 32, 48, 64]
    seen = []

    def run(hidden):
        seen.append(hidden)
        return hidden[:, :, :2] + 1.0, hidden[:, :, 2]

    file = device_file.DeviceFile(run, "f", 1)
    embedded = torch.arange(17 * 3, dtype=torch.float32).reshape(17, 3)
    got = file.encode(embedded)
    assert seen[0].shape == (1, 32, 3) and not seen[0][0, 17:].any()
    assert torch.equal(got, torch.cat([embedded[:, :2] + 1.0, embedded[:, 2:]], 1))


def test_a_file_costs_its_padded_length_and_its_bytes():
    plain = load_backbone(precision="float32")
    file = device_file.DeviceFile(lambda hidden: (hidden, hidden), "f", 8_000_000)
    model = DeviceModel(plain, 4, 2, matrix=576 * 577, file=file)
    operations, traffic = model.cost(10, ends=1000)
    # As if the text had 16 tokens; two layers and the student write and read 8·T·d bytes.
    assert operations == 2 * (2 * LAYER * 16 + 4 * 16**2 * 576) + 2 * 16 * (576 * 577 + 1000)
    assert traffic == 8_000_000 + 3 * 8 * 16 * 576


def test_names():
    assert is_rung("llm-token", "d8-int4-litert") and is_rung("llm-token", "d8-int4-top8-litert")
    assert not is_rung("llm-multi", "d8-int4-litert")
    # Not among the named ones, which "auto" chooses from: it needs the extra `device`.
    assert not any("litert" in rung for rung in codec_rungs("llm-token"))


def test_a_missing_file_is_said_with_its_remedy(cache):
    codec = LlmTokenCodec(on_disk=False)
    samples = get_task("topic").validation[:1]
    with pytest.raises(CodecError, match=r"no LiteRT file.*export_device --task topic"):
        codec.encode(samples, task="topic", rung="d8-int4-litert")


def test_a_file_of_other_weights_is_not_taken(stand_in):
    with pytest.raises(BackboneError, match="no LiteRT file"):
        device_file.load_device_file(ORIGIN)
    paths = {device_file.Origin("sentiment", *parts).path for parts in (
        ("a", "b", "c"), ("x", "b", "c"), ("a", "x", "c"), ("a", "b", "x"))}  # fmt: skip
    assert len(paths) == 4


def test_a_damaged_file_is_refused(cache, monkeypatch):
    monkeypatch.setattr(device_file, "DeviceRunner", lambda path: None)
    monkeypatch.setattr(device_file, "_version", lambda: "9.9")
    made = cache / "made"
    made.write_bytes(b"abc")
    path = device_file.keep(made, ORIGIN, {"litert-torch": "1"})
    facts = json.loads(path.with_suffix(".json").read_text())
    assert facts["weights"] == "w" * 16 and facts["litert-torch"] == "1"
    loaded = device_file.load_device_file(ORIGIN)
    assert loaded.size == 3
    assert loaded.fingerprint == "litert-ba7816bf8f01cfea-9.9"  # FIPS 180-4: "abc"
    device_file._load.cache_clear()
    for spoil in (lambda: path.write_bytes(b"ab"), path.with_suffix(".json").unlink):
        spoil()
        with pytest.raises(BackboneError, match=r"not what was exported.*export_device"):
            device_file.load_device_file(ORIGIN)


@pytest.mark.skipif(HAS_LITERT, reason="LiteRT is there")
def test_without_litert_the_extra_is_named(cache):
    made = cache / "made"
    made.write_bytes(b"abc")
    device_file.keep(made, ORIGIN, {})
    with pytest.raises(BackboneError, match=r"ai-edge-litert.*semcosim\[device\]"):
        device_file.load_device_file(ORIGIN)
    with pytest.raises(PackageNotFoundError):
        device_file._version()


def test_the_command_says_what_is_missing(monkeypatch, capsys):
    def make(task, folder):
        raise BackboneError(f"no converter for {task}")

    monkeypatch.setattr(export_device, "make", make)
    assert export_device.main(["--task", "topic"]) == 1
    assert "export_device: no converter for topic" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.skipif(not HAS_LITERT, reason="needs litert-torch and ai-edge-litert")
def test_the_real_file_goes_from_the_command_to_the_units(cache, capsys):
    assert export_device.main(["--task", "sentiment"]) == 0
    assert "llm-token-sentiment-int8-" in capsys.readouterr().out
    codec = LlmTokenCodec(on_disk=False)
    check_codec(codec, task="sentiment", samples=4, rung="d8-int4-litert")
    samples = get_task("sentiment").validation[:20]
    file, plain = (
        codec.encode(samples, task="sentiment", rung=rung)
        for rung in ("d8-int4-litert", "d8-int4-student")
    )
    # 8 bits move some values by a level, and some units' places in the order; not their number.
    assert [len(m.units) for m in file] == [len(m.units) for m in plain]
    shared = sum(len({*m.units} & {*p.units}) for m, p in zip(file, plain, strict=True))
    assert 0 < shared < sum(len(m.units) for m in plain)
    assert all(m.memory_bytes < p.memory_bytes for m, p in zip(file, plain, strict=True))
