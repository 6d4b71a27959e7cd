# SPDX-License-Identifier: MIT
"""Results that codecs keep on disk are found again only for what made them."""

import json
import os
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from models.codecs.conformance import complete
from models.codecs.llm_multi import LlmMultiCodec
from models.codecs.token_values import TokenValuesCodec
from models.codecs.weights import SHIPPED, load_weights
from models.tasks import get_task

NAMES = ("llm-multi", "llm-multi-codebooks", "llm-multi-frequencies")


@pytest.fixture
def features(tmp_path, monkeypatch):
    """Keep results in a folder of the test's own."""
    from models.codecs import store

    monkeypatch.setattr(store, "cache_folder", lambda name: tmp_path / name)
    (tmp_path / "features").mkdir()
    return tmp_path / "features"


def test_coded_units_are_not_those_of_other_frequencies(tmp_path, features):
    samples = get_task("sentiment").test[:3]
    rung = "d8-int4-ans"
    plain = LlmMultiCodec(on_disk=False)
    want = plain.decode(
        [complete(m) for m in plain.encode(samples, task="sentiment", rung="d8-int4")],
        task="sentiment", rung="d8-int4",
    )  # fmt: skip
    first = LlmMultiCodec().encode(samples, task="sentiment", rung=rung)
    own = tmp_path / "weights"
    own.mkdir()
    for name in NAMES:
        shutil.copy(SHIPPED / f"{name}.safetensors", own)
    path = own / "llm-multi-frequencies.safetensors"
    tensors = {name: torch.ones_like(value) for name, value in load_file(path).items()}
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        meta = file.metadata()
    save_file(tensors, path, metadata=meta)
    other = LlmMultiCodec(folder=own)
    second = other.encode(samples, task="sentiment", rung=rung)
    assert [m.units for m in first] != [m.units for m in second]
    got = other.decode([complete(m) for m in second], task="sentiment", rung=rung)
    assert got == want


def test_equal_bytes_of_another_width_are_another_message(features):
    codec = TokenValuesCodec()
    values = np.linspace(-2.0, 2.0, 8)
    two = codec.decode_values([values.reshape(2, 4)], task="text-reconstruction")
    four = codec.decode_values([values.reshape(4, 2)], task="text-reconstruction")
    codec.forget()
    alone = TokenValuesCodec(on_disk=False)
    assert two == alone.decode_values([values.reshape(2, 4)], task="text-reconstruction")
    assert four == alone.decode_values([values.reshape(4, 2)], task="text-reconstruction")


def test_weights_that_were_trained_again_are_read_again(tmp_path):
    name = "token-values-text-reconstruction.safetensors"
    shutil.copy(SHIPPED / name, tmp_path / name)
    before = load_weights("token-values", "text-reconstruction", tmp_path)
    assert load_weights("token-values", "text-reconstruction", tmp_path) is before
    meta = {**before.meta, "give_up": 0.99}
    save_file(
        load_file(tmp_path / name), tmp_path / name,
        metadata={"semcosim": json.dumps(meta, sort_keys=True)},
    )  # fmt: skip
    os.utime(tmp_path / name, ns=(1, 1))
    after = load_weights("token-values", "text-reconstruction", tmp_path)
    assert after.meta["give_up"] == 0.99
    assert after.fingerprint != before.fingerprint
