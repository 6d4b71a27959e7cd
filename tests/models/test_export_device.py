# SPDX-License-Identifier: MIT
"""The device's part with fixed sizes gives what the codec's own pieces give."""

import importlib.util

import numpy as np
import pytest
import torch

from models.backbone import BackboneError
from models.backbone.packing import tiled_linear
from models.codecs.weights import load_weights
from models.compression import device_file, export_device
from models.compression.device_models import device_model

HAS_LITERT = all(importlib.util.find_spec(n) for n in ("litert_torch", "ai_edge_litert"))


@pytest.fixture(scope="module")
def made():
    model, backbone, _ = export_device.make_device_model()
    return model, backbone


def padded(backbone, text):
    tokens = backbone.tokenizer.encode(text, device_file.TOKENS)
    hidden = torch.zeros(1, device_file.padded(len(tokens)), backbone.geometry.hidden)
    hidden[0, : len(tokens)] = backbone.embed(tokens)
    return tokens, hidden


@pytest.mark.slow
def test_it_is_the_compressed_model_with_the_bottleneck(made):
    model, backbone = made
    weights = load_weights("llm-token", "sentiment")
    small = device_model(backbone, "student", 4).model
    tokens, hidden = padded(backbone, "a film of quiet power , far too long")
    with torch.no_grad():
        where = torch.arange(1, len(tokens) + 1)
        stream = small.run(small.embed(tokens), where, [len(tokens)], 0, 4)
        want = tiled_linear(stream - weights.tensors["mean"], weights.tensors["encoder"])
        values, importance = model(hidden)
    # float32 sums of up to 1536 products in another order: some 1e-6 of a value of size 1
    assert torch.allclose(values[0, : len(tokens)], want, atol=1e-3)
    assert bool(((importance >= 0) & (importance <= 1)).all())


@pytest.mark.slow
def test_what_follows_in_the_padding_changes_nothing(made):
    model, backbone = made
    tokens, hidden = padded(backbone, "it works")
    noisy = hidden.clone()
    noisy[0, len(tokens) :] = 1.0
    with torch.no_grad():
        assert torch.allclose(
            model(hidden)[0][0, : len(tokens)], model(noisy)[0][0, : len(tokens)], atol=1e-5
        )


@pytest.mark.slow
@pytest.mark.skipif(not HAS_LITERT, reason="needs litert-torch and ai-edge-litert")
def test_the_files_run_and_stay_close(made, tmp_path):
    model, backbone = made
    tokens, hidden = padded(backbone, "a film of quiet power")
    with torch.no_grad():
        want = model(hidden)[0][0, : len(tokens)].numpy()
    sizes = []
    for eight_bits, most in ((False, 1e-4), (True, 0.2)):
        path = tmp_path / f"{eight_bits}.tflite"
        export_device.export(model, path, eight_bits=eight_bits)
        run = device_file.DeviceRunner(path)
        got = run(hidden.numpy())[0][0, : len(tokens)]
        longer = run(np.pad(hidden.numpy(), ((0, 0), (0, 16), (0, 0))))[0][0, : len(tokens)]
        assert np.allclose(got, longer, atol=1e-5)
        assert np.linalg.norm(got - want) / np.linalg.norm(want) < most
        sizes.append(path.stat().st_size)
    # A byte in place of four for nearly everything; were the weights there once a length, it would
    # be four times the bytes.
    assert sizes[0] < 1.1 * 4 * sum(p.numel() for p in model.parameters())
    assert sizes[1] < 0.3 * sizes[0]


@pytest.mark.skipif(HAS_LITERT, reason="litert-torch is there")
def test_without_the_converter_the_extra_is_named(tmp_path):
    with pytest.raises(BackboneError, match=r"semcosim\[device\]"):
        export_device.export(None, tmp_path / "x.tflite", eight_bits=False)
