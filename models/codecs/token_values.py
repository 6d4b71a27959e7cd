# SPDX-License-Identifier: MIT
"""Codec "token-values": sentences as points in the language model's space of tokens.

A unit is a token: the first values of its code word (`models.codecs.code_words`). The device looks
code words up. The edge takes the most probable token, given the values and how often tokens occur
in training sentences; how noisy the values are it sees from their power. What did not come is left
out. A text of which the edge is less sure than `give_up`, a limit fixed on validation data, is
none: there the task's guess is nearer to what was sent.

Made for delivery as symbols (`values`, `decode_values`); as packets a unit is a position and
quantised values, in the wire format of codec "llm-token".
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from models.backbone.packing import tiled_linear
from models.codecs.base import (
    CodecError,
    Decoded,
    EncodedMessage,
    ReceivedMessage,
    cut_to_budget,
)
from models.codecs.code_words import code_words, quality
from models.codecs.llm_token import MAX_TOKENS, read_units
from models.codecs.model_codec import ModelCodec
from models.codecs.quantiser import Rung, dequantise, ordered, pack_units, parse_rung, quantise
from models.codecs.rebuilt import ACCEPT_SHARE, check_task
from models.codecs.registry import codec_rungs
from models.codecs.store import content_key
from models.codecs.symbols import known_units
from models.codecs.weights import SHIPPED, CodecWeights, load_weights
from models.tasks import Sample
from models.tasks.reconstruction import GOOD, POOR

DEFAULT_RUNG = "d16-int4"
_OPERATIONS_PER_TOKEN = 5000.0
"""Assumption: tokeniser and table look-up at the device."""


class TokenValuesCodec(ModelCodec):
    """Tokens by their embeddings.

    Args:
        cut: not used; no layer of the language model is run.
        folder: where the weight file is.
        options: of `ModelCodec`.
    """

    name = "token-values"
    modality = "text"

    def __init__(self, *, cut: int | None = None, folder: Path = SHIPPED, **options: Any) -> None:
        del cut
        super().__init__(**options)
        self._folder = folder
        self._books: dict[tuple[str, int], Tensor] = {}
        self._known: dict[str, tuple[CodecWeights, Tensor]] = {}

    @property
    def rungs(self) -> tuple[str, ...]:
        """Return the ladder; any d<n>-int<b>[-top<k>][-flat] works too."""
        return codec_rungs(self.name)

    @property
    def fingerprint(self) -> str:
        """Return the codec and the model; weights are added for each task."""
        return f"{self.name}-1/{self._model.fingerprint}"

    def encode(
        self, samples: Sequence[Sample], *, task: str, rung: str, budget_bytes: int | None = None
    ) -> list[EncodedMessage]:
        """Return one message a sample; see `Codec.encode`. Rare tokens are the important ones."""
        point = _rung(rung)
        words, prior = self._words(task, point.dimensions), self._parts(task)[1]
        out = []
        for sample in samples:
            tokens = torch.tensor(self._tokens(sample))
            positions = np.arange(1, len(tokens) + 1)
            units = pack_units(positions, quantise(words[tokens], point.bits), point)
            surprise = prior[tokens] / prior.min()
            sent, scores = ordered(units, surprise.tolist(), point)
            kept, importance = cut_to_budget(sent, scores, budget_bytes)
            cost = _OPERATIONS_PER_TOKEN * len(tokens), 4.0 * len(tokens) * point.dimensions
            out.append(EncodedMessage(sample.id, self.name, task, rung, kept, importance, *cost))
        return out

    def decode(self, received: Sequence[ReceivedMessage], *, task: str, rung: str) -> list[Decoded]:
        """Return one answer a message; see `Codec.decode`."""
        point = _rung(rung)
        values, numbers = [], []
        for message in received:
            rows = read_units(message, point)
            numbers.append([position - 1 for position in rows])
            levels = np.array(list(rows.values()), np.int64).reshape(-1, point.dimensions)
            values.append(dequantise(torch.from_numpy(levels), point.bits))
        return self._read(values, numbers, [m.unit_count for m in received], task)

    def value_count(self, rung: str) -> int:
        """Return how many values a unit has."""
        return _rung(rung).dimensions

    def values(self, samples: Sequence[Sample], *, task: str, rung: str) -> list[np.ndarray]:
        """Return code words, for delivery as symbols: one array a sample, [units, dimensions]."""
        words = self._words(task, _rung(rung).dimensions)
        return [
            words[torch.tensor(self._tokens(sample))].numpy().astype(np.float64)
            for sample in samples
        ]

    def decode_values(
        self,
        values: Sequence[np.ndarray],
        *,
        task: str,
        numbers: Sequence[Sequence[int]] | None = None,
    ) -> list[Decoded]:
        """Return one answer a message from values as received, estimated with least squared error.

        Args:
            values: of the units that arrived, shape [units, dimensions] each.
            task: name of the task.
            numbers: of these units in the message, ascending; None: all arrived.
        """
        values, there = known_units(values, numbers, MAX_TOKENS)
        rows = [torch.from_numpy(np.ascontiguousarray(part, np.float32)) for part in values]
        # How many were sent is not said here: a receiver knows the last number that came.
        return self._read(rows, there, [row[-1] + 1 if row else 0 for row in there], task)

    def _read(
        self,
        values: Sequence[Tensor],
        numbers: Sequence[Sequence[int]],
        sent: Sequence[int],
        task: str,
    ) -> list[Decoded]:
        """Return answers; those of equal contents are computed once and kept."""
        weights, prior = self._parts(task)
        # The frequencies decide, too, and equal bytes may be rows of another width.
        made = weights.fingerprint, prior.numpy().tobytes()
        keys = [
            content_key(self.fingerprint, *made, "read", rows.shape[1], rows.numpy().tobytes())
            for rows in values
        ]
        some = [at for at, rows in enumerate(values) if len(rows)]
        found = self._store.fill(
            [keys[at] for at in some],
            some,
            lambda todo: [self._text(values[at], task) for at in todo],
        )
        out = [Decoded(POOR, 0.0, 0.0, False)] * len(values)
        for at, (text, sure) in zip(some, found, strict=True):
            if sure < float(weights.meta["give_up"]):
                continue
            confidence = sure * min(1.0, len(numbers[at]) / max(1, sent[at]))
            accepted = confidence >= ACCEPT_SHARE
            out[at] = Decoded(GOOD if accepted else POOR, 0.0, confidence, accepted, text)
        return out

    @torch.no_grad()
    def _text(self, values: Tensor, task: str) -> tuple[str, float]:
        """Return the text and the mean probability of its tokens.

        Messages are read one by one: the scores of all tokens take 200 kB a unit.
        """
        prior = self._parts(task)[1]
        seen = tiled_linear(values / (1 - quality(values)), self._words(task, values.shape[1]))
        scores = seen + prior
        best = scores.max(-1)
        sure = (best.values - scores.logsumexp(-1)).exp().mean()
        text = self._model.tokenizer.decode(best.indices.tolist()).strip()
        return text, min(1.0, float(sure))

    def decode_cost(self, message: EncodedMessage, *, task: str, rung: str) -> tuple[float, float]:
        """Return operations and memory traffic at the edge; see `Codec.decode_cost`."""
        point, tokens = _rung(rung), len(self._parts(task)[1])
        book = float(tokens * point.dimensions)
        return 2.0 * book * len(message.units), 4.0 * book

    def _tokens(self, sample: Sample) -> list[int]:
        return self._model.tokenizer.encode_some(f" {sample.text}", MAX_TOKENS)

    def _parts(self, task: str) -> tuple[CodecWeights, Tensor]:
        """Return weights and the log-frequencies of all tokens."""
        if task not in self._known:
            check_task(self.name, task, self.modality)
            weights = load_weights(self.name, task, self._folder)
            weights.check_backbone(self._model)
            self._known[task] = weights, log_frequencies(task)
        return self._known[task]

    def _words(self, task: str, dimensions: int) -> Tensor:
        """Return all code words, shape [vocabulary, dimensions]."""
        if (task, dimensions) not in self._books:
            weights, prior = self._parts(task)
            embedding = self._model.embed(range(len(prior)))
            self._books[task, dimensions] = code_words(
                embedding, weights.tensors["mean"], weights.tensors["encoder"], dimensions
            )
        return self._books[task, dimensions]


def log_frequencies(task: str) -> Tensor:
    """Return log-shares of all tokens in training sentences, shape [vocabulary].

    They ship with codec "word-units", whose entropy coder needs them; of a token that was never
    seen a fiftieth of one is assumed.
    """
    counts = load_weights("word-units", task).tensors["tokens"].double() + 0.02
    return (counts / counts.sum()).log().float()


def _rung(name: str) -> Rung:
    point = parse_rung(DEFAULT_RUNG if name == "default" else name)
    if point.vector:
        raise CodecError(f"codec token-values has no codebooks: rung {name!r} is not one of it")
    return point
