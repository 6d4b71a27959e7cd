# SPDX-License-Identifier: MIT
"""Weights of the user's own in a scenario: what is checked before a run, and what then loads."""

import json
import subprocess
import sys

import pytest
import torch
from safetensors.torch import save_file

from cosim.scenario import ScenarioError
from cosim.scenario.loader import validate
from cosim.traffic_codec import TrafficCodecs


def write(folder, name="llm-token-sentiment", **meta):
    folder.mkdir(exist_ok=True)
    meta = {"backbone": "all-minilm-l6-v2", "cut": 2, "last": 6} | meta
    save_file(
        {"pool": torch.zeros(3)},
        folder / f"{name}.safetensors",
        metadata={"semcosim": json.dumps(meta)},
    )
    return folder


def raw(folder, *, task="sentiment", codec="llm-token", rung="default", **models):
    entry = {"kind": "semantic", "task": task, "codec": codec, "rung": rung}
    return {"name": "m", "traffic": [entry], "models": {"weights": str(folder), **models}}


def problem(data):
    with pytest.raises(ScenarioError) as caught:
        validate(data)
    assert len(caught.value.problems) == 1
    return str(caught.value.problems[0])


def test_own_weights_open_own_tasks_and_change_the_hash(tmp_path):
    folder = write(tmp_path / "w")
    first = validate(raw(folder)).content_hash()
    assert validate(raw(folder)).content_hash() == first
    write(folder, cut=3)
    assert validate(raw(folder)).content_hash() != first
    # where the files are does not count
    assert (
        validate(raw(folder)).content_hash()
        == validate(raw(write(tmp_path / "v", cut=3))).content_hash()
    )
    # a task of which nothing ships
    write(folder, "llm-token-image")
    validate(raw(folder, task="image"))
    assert "weights for image, sentiment in models.weights" in problem(raw(folder, task="topic"))


def test_codecs_without_files_there_keep_what_ships(tmp_path):
    folder = write(tmp_path / "w")
    data = raw(folder)
    data["traffic"].append({"kind": "semantic", "task": "topic", "codec": "raw-text"})
    validate(data)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"models": {"allow_hub": True}}, "models.allow_hub = true: only with models.weights"),
        ({"models": {"backbone": "/m"}}, 'models.backbone = "/m": only with models.weights'),
        ({"models": {"weights": "/no/such"}}, "is no folder (looked for in"),
        ({"models": {"weights": "x" * 300}}, "is no folder (looked for in"),
        ({"models": {"weights": "a\0b"}}, "is no folder (looked for in"),
    ],
)
def test_fields_that_lead_nowhere_are_named(changes, words):
    assert words in problem({"name": "m", "traffic": [{"kind": "semantic", "task": "sentiment"}],
                             **changes})  # fmt: skip


def test_a_folder_without_weights_of_the_codecs_in_use_says_how_to_make_some(tmp_path):
    write(tmp_path, "raw-text-sentiment")
    found = problem(raw(tmp_path))
    assert "models.weights" in found and "CODEC-TASK.safetensors of llm-token" in found
    assert "python -m models.training.train_llm_token" in found


def test_a_damaged_file_is_named(tmp_path):
    folder = write(tmp_path)
    (folder / "llm-token-sentiment.safetensors").write_bytes(b"nothing")
    assert "llm-token-sentiment.safetensors is damaged" in problem(raw(folder))


def test_a_language_model_that_is_gone_is_looked_for_before_the_run(tmp_path):
    model = tmp_path / "model"
    folder = write(tmp_path / "w", backbone=str(model))
    assert f"is not there: {model}; models.backbone = its folder now" in problem(raw(folder))
    assert "is not there" in problem(raw(folder, backbone=".\0"))
    moved = tmp_path / "moved"
    moved.mkdir()
    (moved / "config.json").write_text("{}")
    validate(raw(folder, backbone=str(moved)))


def test_a_model_of_the_hub_needs_leave_to_be_fetched(tmp_path, monkeypatch):
    folder = write(tmp_path / "w", backbone="someone/some-model")
    found = problem(raw(folder))
    assert "models.allow_hub = false" in found and "true fetches it" in found
    validate(raw(folder, allow_hub=True))


def test_two_models_in_one_folder_are_refused(tmp_path):
    folder = write(write(tmp_path), "llm-token-topic", backbone="smollm2-135m-instruct")
    assert "different language models" in problem(raw(folder))


def test_shipped_measurements_and_device_models_are_not_for_other_weights(tmp_path):
    folder = write(tmp_path)
    assert "traffic.0.rung" in problem(raw(folder, rung="auto"))
    assert "of smollm2-135m-instruct only" in problem(raw(folder, rung="d8-int4-student"))
    default = write(tmp_path / "d", backbone="smollm2-135m-instruct", last=12)
    validate(raw(default, rung="d8-int4-student"))
    assert "left out" in problem(raw(default, backbone="/x"))


def test_what_goes_wrong_when_the_model_is_loaded_names_the_field(tmp_path):
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text("{}")
    scenario = validate(raw(write(tmp_path / "w", backbone=str(model))))
    with pytest.raises(ScenarioError, match=r"models\.weights = .* cannot be loaded"):
        TrafficCodecs(scenario).get(scenario.semantic_traffic[0])


def test_checking_weights_imports_nothing_heavy(tmp_path):
    folder = write(tmp_path)
    code = (
        "import sys, json; from cosim.scenario.loader import validate\n"
        f"validate(json.loads({json.dumps(json.dumps(raw(folder)))})).content_hash()\n"
        "print([m for m in ('torch', 'numpy', 'transformers', 'safetensors') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]", run.stdout + run.stderr
