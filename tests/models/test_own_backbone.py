# SPDX-License-Identifier: MIT
"""Codecs trained with a language model of the user's: by name, moved, changed, and wrong."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from models.backbone import BackboneError
from models.codecs import CodecError, get_codec
from models.codecs.conformance import check_codec
from models.codecs.evaluate import main as evaluate
from models.fingerprint import WeightFileError, weights_meta
from models.training import train_llm_token
from models.training.train_llm_token import where_to_cut

spec = importlib.util.spec_from_file_location("hub_models", Path(__file__).parent / "hub_models.py")
hub_models = sys.modules["hub_models"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(hub_models)
TINY = ("--samples", "8", "--validation-samples", "6", "--clean-steps", "2",
        "--token-steps", "2", "--batch", "4")  # fmt: skip


@pytest.fixture(scope="module", params=["gpt2", "bert"])
def trained(request, tmp_path_factory):
    """A folder with a model and one with weights that a command trained with it."""
    home = tmp_path_factory.mktemp(request.param)
    hub_models.save(hub_models.KINDS[request.param], home / "model")
    train_llm_token.main(
        ["--task", "sentiment", *TINY, "--backbone", str(home / "model"),
         "--out", str(home / "weights")]
    )  # fmt: skip
    return home


def test_weights_name_their_model_and_the_codec_keeps_its_contract(trained):
    folder = trained / "weights"
    meta = weights_meta(folder / "llm-token-sentiment.safetensors")
    # three layers: a third of them at the device
    assert (meta["cut"], meta["last"]) == (1, 3)
    assert meta["backbone"] == str(trained / "model")
    assert f"--backbone {trained / 'model'}" in meta["command"]
    for name in ("llm-token", "raw-text"):
        codec = get_codec(name, folder=folder, on_disk=False)
        assert check_codec(codec, task="sentiment", samples=4).samples == 4


def test_training_repeats_bit_by_bit(trained, tmp_path):
    train_llm_token.main(
        ["--task", "sentiment", *TINY, "--backbone", str(trained / "model"),
         "--out", str(tmp_path)]
    )  # fmt: skip
    for path in sorted((trained / "weights").iterdir()):
        assert (tmp_path / path.name).read_bytes() == path.read_bytes()


def test_another_device_model_or_task_is_an_error_that_says_so(trained):
    codec = get_codec("llm-token", folder=trained / "weights", on_disk=False)
    from models.tasks import get_task

    samples = get_task("sentiment").test[:1]
    with pytest.raises(CodecError, match=r"smollm2-135m-instruct cut after layer 4"):
        codec.encode(samples, task="sentiment", rung="d8-int4-student")
    with pytest.raises(CodecError, match="it has them for: sentiment"):
        codec.encode(samples, task="topic", rung="default")


def test_a_model_that_has_moved_is_found_by_its_new_folder(trained, tmp_path):
    shutil.copytree(trained / "model", tmp_path / "elsewhere")
    shutil.copytree(trained / "weights", tmp_path / "weights")
    codec = get_codec(
        "llm-token", folder=tmp_path / "weights", backbone=str(tmp_path / "elsewhere")
    )
    assert codec._model.name == str(tmp_path / "elsewhere")
    with pytest.raises(CodecError, match="not with smollm2"):
        get_codec("llm-token", folder=tmp_path / "weights", backbone="smollm2-135m-instruct")


def test_a_model_that_has_changed_is_refused(trained, tmp_path):
    # another seed: the same sizes, other values
    kind = hub_models.KINDS["gpt2" if "gpt2" in trained.name else "bert"]
    hub_models.save(kind, tmp_path / "other", seed=9)
    with pytest.raises(CodecError, match="were trained with the model"):
        get_codec("llm-token", folder=trained / "weights", backbone=str(tmp_path / "other"))


def test_figures_of_own_weights_go_into_a_folder_of_ones_own(trained, tmp_path, capsys):
    weights = str(trained / "weights")
    command = ["--task", "sentiment", "--weights", weights, "--samples", "3", "--rung-samples", "2"]
    with pytest.raises(SystemExit):
        evaluate(command)
    assert "a folder of your own" in capsys.readouterr().err
    evaluate([*command, "--out", str(tmp_path), "--codec", "llm-token"])
    found = json.loads((tmp_path / "sentiment.json").read_text())["codecs"]
    assert found["llm-token"]["lost_share"]["0.0"]["n"] == 3
    assert "d8-int4" in found["llm-token"]["rungs"]
    # what only the default model has is left out, and said
    assert "d8-int4-student" not in found["llm-token"]["rungs"]
    assert "d8-int4-student: left out" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("layers", "asked", "got"),
    [
        (30, (None, None), (4, 12)),
        (12, (None, None), (4, 12)),
        (6, (None, None), (2, 6)),
        (2, (None, None), (1, 2)),
        (30, (8, None), (8, 12)),
        (30, (None, 24), (8, 24)),
    ],
)
def test_without_being_told_a_third_of_up_to_twelve_layers_is_at_the_device(layers, asked, got):
    assert where_to_cut(layers, *asked) == got


@pytest.mark.parametrize(
    ("layers", "cut", "last", "words"),
    [
        (6, 2, 12, "--last 12: the model has 6 layers"),
        (6, 6, None, "--cut 6: 1 to 5 of the 6 layers"),
        (6, 0, None, "--cut 0"),
        (1, None, None, "--last 1"),
    ],
)
def test_a_cut_outside_the_model_is_a_clear_error(layers, cut, last, words):
    with pytest.raises(BackboneError, match=words):
        where_to_cut(layers, cut, last)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--backbone", "/no/such/model"], "give a local folder"),
        (["--last", "31"], "the model has 30 layers"),
        (["--cut", "12"], "1 to 11 of the 12 layers"),
    ],
)
def test_the_training_command_ends_with_a_line_about_the_model(tmp_path, capsys, options, words):
    with pytest.raises(SystemExit) as ended:
        train_llm_token.main(["--task", "sentiment", "--out", str(tmp_path), *options])
    assert ended.value.code == 2
    assert words in capsys.readouterr().err


def test_weights_of_another_model_do_not_get_among_the_shipped_ones(capsys):
    with pytest.raises(SystemExit):
        train_llm_token.main(["--task", "sentiment", "--backbone", "all-minilm-l6-v2"])
    assert "--out" in capsys.readouterr().err


def test_a_folder_of_two_models_or_of_none_is_refused(trained, tmp_path):
    from safetensors.torch import load_file, save_file

    with pytest.raises(CodecError, match="has no weights in"):
        get_codec("llm-token", folder=tmp_path)
    with pytest.raises(CodecError, match="has no weights in"):
        get_codec("zstd-file", folder=tmp_path)
    with pytest.raises(CodecError, match="give folder too"):
        get_codec("llm-token", backbone="/some/model")
    one = trained / "weights" / "llm-token-sentiment.safetensors"
    shutil.copy(one, tmp_path)
    meta = json.dumps(weights_meta(one) | {"backbone": "another/model"})
    other = tmp_path / "llm-token-topic.safetensors"
    save_file(load_file(one), other, metadata={"semcosim": meta})
    with pytest.raises(CodecError, match="different language models"):
        get_codec("llm-token", folder=tmp_path)


@pytest.mark.parametrize(
    "content",
    [b"", b"short", (1 << 40).to_bytes(8, "little") + b"{}", (2).to_bytes(8, "little") + b"{}",
     (9).to_bytes(8, "little") + b'{"a":"b"}'],
)  # fmt: skip
def test_a_damaged_weight_file_is_named(tmp_path, content):
    path = tmp_path / "llm-token-sentiment.safetensors"
    path.write_bytes(content)
    with pytest.raises(WeightFileError, match=r"llm-token-sentiment\.safetensors"):
        weights_meta(path)


def test_codecs_of_one_model_share_it(trained):
    one = get_codec("llm-token", folder=trained / "weights")
    other = get_codec("raw-text", folder=trained / "weights")
    assert one._model is other._model


def test_a_model_that_was_fetched_from_the_hub_is_found_by_its_name(tmp_path):
    """Without a network: the library's cache as a download leaves it."""
    home = tmp_path / "hub" / "models--someone--tiny"
    snapshot = home / "snapshots" / "0123abc"
    hub_models.save(hub_models.KINDS["gpt2"], snapshot)
    (home / "refs").mkdir()
    (home / "refs" / "main").write_text("0123abc")
    code = (
        "from cosim.scenario.weight_checks import _fetched\n"
        "from models.backbone import count_layers, load_backbone\n"
        "assert _fetched('someone/tiny') and not _fetched('someone/other')\n"
        "assert count_layers('someone/tiny') == 3\n"
        "model = load_backbone('someone/tiny', layers=2)\n"
        "print(model.name, model.geometry.layers)"
    )
    environment = {**os.environ, "HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1"}
    environment.pop("HF_HUB_CACHE", None)
    run = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert run.stdout.split() == ["someone/tiny", "2"]
