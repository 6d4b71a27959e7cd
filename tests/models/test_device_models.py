# SPDX-License-Identifier: MIT
"""Smaller versions of the device's layers, by the name that a rung ends with."""

import importlib.util

import pytest
import torch
from safetensors.torch import save_file

from models.backbone import BackboneError, load_backbone
from models.codecs import CodecError
from models.codecs.conformance import check_codec
from models.codecs.llm_token import LlmTokenCodec
from models.codecs.registry import codec_rungs, is_rung
from models.compression.device_models import DeviceModel, device_fingerprint, device_model
from models.tasks import get_task
from models.training.distil_student import main as distil

TOKENS = 10
LAYER = 576 * 960 + 576 * 576 + 3 * 576 * 1536
"""Weights of a layer of SmolLM2-135M: 9 + 2 · 3 heads of 64, its output, and a gated 1536."""


@pytest.fixture(scope="module")
def codec():
    return LlmTokenCodec(on_disk=False)


def test_costs_are_those_of_the_layers_that_are_left():
    plain = load_backbone(precision="float32")
    operations, traffic = device_model(plain, "", 4).cost(TOKENS)
    # 2 operations a weight and token, 4·T²·d for attention; 4 bytes a weight, 8·T·d a layer.
    assert operations == 4 * (2 * LAYER * TOKENS + 4 * TOKENS**2 * 576)
    assert traffic == 4 * (4 * LAYER + 8 * TOKENS * 576)
    assert device_model(plain, "drop", 4).cost(TOKENS) == (operations * 3 / 4, traffic * 3 / 4)
    student = device_model(plain, "student", 4).cost(TOKENS)
    matrix = 576 * 577
    assert student[0] == operations / 2 + 2 * matrix * TOKENS
    assert student[1] == traffic / 2 + 4 * matrix + 8 * TOKENS * 576
    # 8 bits: a byte a weight and a scale of 4 bytes a row.
    eight = DeviceModel(plain, 4, 4, weight_bytes=4 * (LAYER + 4 * (960 + 576 + 3072 + 576)))
    assert eight.cost(TOKENS)[1] == eight.weight_bytes + 4 * 8 * TOKENS * 576


@pytest.mark.parametrize("rung", ["d8-int4-student", "d16-int4-top8-drop"])
def test_a_rung_with_a_smaller_device_keeps_the_contract(codec, rung):
    check_codec(codec, task="sentiment", samples=4, rung=rung)


def test_the_units_differ_and_the_edge_reads_them_alike(codec):
    samples = get_task("sentiment").validation[:6]
    by_rung = {
        rung: codec.encode(samples, task="sentiment", rung=rung)
        for rung in ("d16-int8", "d16-int8-student", "d16-int8-drop")
    }
    plain = by_rung["d16-int8"]
    for rung, messages in by_rung.items():
        assert [len(m.units) for m in messages] == [len(m.units) for m in plain]
        if rung != "d16-int8":
            assert all(m.units != p.units for m, p in zip(messages, plain, strict=True))
            assert all(m.operations < p.operations for m, p in zip(messages, plain, strict=True))


def test_names_are_checked(codec):
    samples = get_task("sentiment").validation[:1]
    with pytest.raises(CodecError, match=r"d8-int4-tiny.*-student, -drop, -w8, -litert after it"):
        codec.encode(samples, task="sentiment", rung="d8-int4-tiny")
    assert is_rung("llm-token", "d8-int4-top16-student")
    assert not is_rung("llm-token", "d8-int4-tiny")
    assert not is_rung("llm-multi", "d8-int4-student")
    assert "d8-int4-student" in codec_rungs("llm-token")
    if importlib.util.find_spec("torchao") is None:
        with pytest.raises(CodecError, match=r"semcosim\[device\]"):
            codec.encode(samples, task="sentiment", rung="d8-int4-w8")
    with pytest.raises(BackboneError, match="no device model"):
        device_model(load_backbone(), "tiny", 4)


def test_a_student_is_of_one_model_and_one_cut(tmp_path):
    with pytest.raises(BackboneError, match=r"cut after layer 4, not .* cut after 6"):
        device_model(load_backbone(), "student", 6)
    with pytest.raises(BackboneError, match=r"missing.*distil_student"):
        device_model(load_backbone(), "student", 4, tmp_path / "none.safetensors")
    path = tmp_path / "other.safetensors"
    save_file({"student": torch.zeros(2, 3)}, path)
    with pytest.raises(BackboneError, match="damaged or of another format"):
        device_model(load_backbone(), "student", 4, path)
    path.write_bytes(b"abc")
    with pytest.raises(BackboneError, match="damaged or of another format"):
        device_model(load_backbone(), "drop", 4, path)
    assert device_fingerprint("student", path) == "student-ba7816bf8f01cfea"  # FIPS 180-4: "abc"
    assert device_fingerprint("w8") == "w8" and device_fingerprint("") == ""


def test_distilling_again_gives_the_same_file(tmp_path):
    paths = [tmp_path / f"{n}.safetensors" for n in (1, 2)]
    for path in paths:
        distil(["--texts", "4", "--out", str(path)])
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert device_model(load_backbone(), "student", 4, paths[0]).layers == 2
