# SPDX-License-Identifier: MIT
"""Code words of tokens: their geometry, and what a receiver makes of noisy ones."""

import numpy as np
import pytest
import torch

from models.codecs import CodecError, get_codec
from models.codecs.code_words import HIGH, LOW, code_words, quality
from models.codecs.conformance import complete
from models.codecs.registry import sends_values
from models.codecs.symbols import SymbolCodec
from models.codecs.token_values import log_frequencies
from models.tasks import get_task

TASK = "text-reconstruction"


@pytest.fixture(scope="module")
def codec():
    return get_codec("token-values", on_disk=False)


@pytest.fixture(scope="module")
def samples():
    return get_task(TASK).test[:20]


def noisy(rows, snr_db, seed=0):
    """Send values through noise and estimate them with the least squared error."""
    rng = np.random.default_rng(seed)
    snr = 10 ** (snr_db / 10)
    share = snr / (1 + snr)
    # y = share * (c + noise of variance 1 / snr)
    return [share * (r + rng.normal(scale=snr**-0.5, size=r.shape)) for r in rows]


def test_a_code_word_has_the_power_of_its_dimensions():
    table = torch.randn(50, 12, generator=torch.Generator().manual_seed(1))
    encoder = torch.randn(8, 12, generator=torch.Generator().manual_seed(2))
    for dimensions in (1, 3, 8):
        words = code_words(table, table.mean(0), encoder, dimensions)
        assert words.shape == (50, dimensions)
        assert torch.allclose(words.square().sum(1), torch.full((50,), float(dimensions)))


def test_a_shorter_code_word_points_where_the_longer_one_begins():
    table = torch.randn(50, 12, generator=torch.Generator().manual_seed(1))
    encoder = torch.randn(8, 12, generator=torch.Generator().manual_seed(2))
    short = code_words(table, table.mean(0), encoder, 3)
    begin = code_words(table, table.mean(0), encoder, 8)[:, :3]
    assert torch.allclose(torch.cosine_similarity(short, begin), torch.ones(50), atol=1e-5)


@pytest.mark.parametrize("snr_db", [-6.0, 0.0, 10.0])
def test_the_power_of_estimates_tells_the_snr(snr_db):
    # c has unit power, so E[y^2] = share^2 (1 + 1 / snr) = share. A square of a Gaussian of
    # variance share has a standard deviation of sqrt(2) share, the mean of 20 000 one of 0.01
    # share: the tolerance is five of it.
    rng = np.random.default_rng(3)
    rows = torch.from_numpy(np.concatenate(noisy([rng.normal(size=(1000, 20))], snr_db)))
    snr = 10 ** (snr_db / 10)
    assert quality(rows) == pytest.approx(snr / (1 + snr), rel=0.05)


def test_the_share_of_signal_stays_inside_its_limits():
    assert quality(torch.zeros(3, 4)) == pytest.approx(LOW)
    assert quality(torch.full((3, 4), 9.0)) == pytest.approx(HIGH)


def test_without_noise_every_sentence_comes_back(codec, samples):
    values = codec.values(samples, task=TASK, rung="d32-int8")
    answers = codec.decode_values(values, task=TASK)
    for sample, answer in zip(samples, answers, strict=True):
        assert answer.content == sample.text
        assert answer.accepted


def test_more_values_or_less_noise_give_more_right_words(codec, samples):
    def right(rung, snr_db):
        values = noisy(codec.values(samples, task=TASK, rung=rung), snr_db)
        share = []
        for sample, answer in zip(samples, codec.decode_values(values, task=TASK), strict=True):
            sent, got = sample.text.split(), set((answer.content or "").split())
            share.append(sum(word in got for word in sent) / len(sent))
        return np.mean(share)

    curve = [right("d16-int8", snr_db) for snr_db in (-9.0, 0.0, 9.0)]
    assert curve == sorted(curve)
    assert right("d4-int8", 3.0) < right("d16-int8", 3.0) <= right("d32-int8", 3.0)


def test_a_receiver_is_less_sure_of_noisy_values_and_of_parts(codec, samples):
    rows = codec.values(samples[:5], task=TASK, rung="d16-int8")
    clean = codec.decode_values(rows, task=TASK)
    worse = codec.decode_values(noisy(rows, 0.0), task=TASK)
    part = codec.decode_values(
        [r[1::2] for r in rows], task=TASK, numbers=[range(1, len(r), 2) for r in rows]
    )
    for whole, noise, half in zip(clean, worse, part, strict=True):
        assert whole.accepted
        assert not noise.accepted and noise.confidence < whole.confidence
        # Every second unit from the second on, up to the last that came: exactly half of them,
        # times how sure the receiver is of each, which is nearly 1 without noise.
        assert not half.accepted and 0.4 < half.confidence <= 0.5


def test_a_receiver_without_a_clue_says_so(codec, samples):
    values = noisy(codec.values(samples[:4], task=TASK, rung="d8-int8"), -12.0)
    for answer in codec.decode_values(values, task=TASK):
        assert answer.content is None
        assert (answer.confidence, answer.accepted) == (0.0, False)


def test_symbols_through_the_bytes_of_a_converter_are_the_values(codec, samples):
    assert sends_values("token-values")
    through = SymbolCodec(codec, scale=32.0)
    messages = through.encode(samples[:6], task=TASK, rung="d16-int8")

    answers = through.decode([complete(m) for m in messages], task=TASK, rung="d16-int8")
    assert [a.content for a in answers] == [s.text for s in samples[:6]]


def test_frequencies_are_a_distribution():
    assert float(log_frequencies(TASK).double().exp().sum()) == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("rung", ["d16-vq", "d16-int4-ans", "d16-int4-student", "d33-int4"])
def test_rungs_of_other_codecs_are_refused(codec, samples, rung):
    with pytest.raises(CodecError, match="rung"):
        codec.encode(samples[:1], task=TASK, rung=rung)


def test_other_tasks_are_refused(codec, samples):
    with pytest.raises(CodecError, match="reconstructs samples of modality text"):
        codec.encode(samples[:1], task="sentiment", rung="default")
