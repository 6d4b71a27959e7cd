# SPDX-License-Identifier: MIT
"""Training that can be repeated."""

from types import SimpleNamespace

import numpy as np
import pytest

from models.codecs.weights import _read
from models.tasks import Picture, Sample
from models.training import train_pictures


def tiny_task(name):
    rng = np.random.default_rng(7)
    samples = [
        Sample(str(n), "", 1, Picture(16, 16, rng.integers(0, 256, 768, np.uint8).tobytes()))
        for n in range(12)
    ]
    return SimpleNamespace(
        name=name, data_hash="by hand", train=samples[:8], validation=samples[8:]
    )


@pytest.mark.parametrize("go_on", [False, True])
def test_the_same_command_gives_the_same_bytes(tmp_path, monkeypatch, go_on):
    monkeypatch.setattr(train_pictures, "get_task", tiny_task)
    found = []
    for name in ("one", "two"):
        out = tmp_path / name
        out.mkdir()
        command = ["--task", "tiny", "--steps", "3", "--out", str(out)]
        train_pictures.main(command)
        if go_on:
            train_pictures.main([*command, "--seed", "2", "--go-on"])
        found.append((out / "picture-units-tiny.safetensors").read_bytes())
    assert found[0] == found[1]
    meta = _read(out / "picture-units-tiny.safetensors").meta
    # the command in the file is the one that was given, with everything that matters
    assert meta["command"].count("--steps 3") == (2 if go_on else 1)
    assert "seconds" not in meta["command"]


def test_the_learning_rate_follows_steps(tmp_path, monkeypatch):
    rates = []

    class Spy(train_pictures.torch.optim.Adam):
        def step(self, *args, **kwargs):
            rates.append(self.param_groups[0]["lr"])
            return super().step(*args, **kwargs)

    monkeypatch.setattr(train_pictures, "get_task", tiny_task)
    monkeypatch.setattr(train_pictures.torch.optim, "Adam", Spy)
    train_pictures.main(["--task", "tiny", "--steps", "4", "--out", str(tmp_path)])
    # 2e-3 (1 - n/4) + 2e-5
    assert rates == pytest.approx([2.02e-3, 1.52e-3, 1.02e-3, 0.52e-3])
