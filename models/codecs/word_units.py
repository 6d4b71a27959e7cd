# SPDX-License-Identifier: MIT
"""Codec "word-units": a sentence as units of a few words each, the telling ones first.

A unit has the places of its words in the sentence and their tokens (those of the language model),
coded by itself (`models.codecs.ans`) with static frequencies of the training split's tokens, which
ship. A word's importance is its self-information under them, -log2 p: rare words say most. The
receiver puts what arrived into its places and leaves out what did not.
Rung "w<n>" has n words a unit; "-flat" sends them in the order of the sentence, all of the same
importance; "-fixed" gives all tokens the same code length.
"""

import functools
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from models.backbone.smollm2 import folder as backbone_folder
from models.backbone.text import TextTokenizer
from models.codecs import ans
from models.codecs.base import (
    Codec,
    CodecError,
    Decoded,
    EncodedMessage,
    ReceivedMessage,
    cut_to_budget,
)
from models.codecs.rebuilt import answer, check_task
from models.codecs.registry import codec_rungs
from models.codecs.weights import SHIPPED, load_weights
from models.tasks import Sample

MAX_WORDS = 64
"""Of a sentence; later words are not sent."""
MAX_WORD_TOKENS = 8
"""Later tokens of one word are not sent."""
MAX_UNIT_WORDS = 8
_TOKEN_BITS, _LENGTH_BITS = 18, 12
_OPERATIONS_PER_BYTE = 500.0
"""Assumption: tokeniser, table look-ups and the coder's integers."""

_RUNG = re.compile(r"w([1-8])(-flat)?(-fixed)?")
_PLACE = ans.Table([1] * MAX_WORDS, 6)
_COUNT = ans.Table([1] * MAX_UNIT_WORDS, 3)


@dataclass(frozen=True)
class _Tables:
    """Frequencies of tokens and of the tokens of a word, the latter from 1."""

    token: ans.Table
    length: ans.Table

    def bits(self, tokens: Sequence[int]) -> float:
        """Return a word's self-information."""
        lengths = self.length.bits - math.log2(self.length.frequency(len(tokens) - 1))
        return lengths + sum(
            self.token.bits - math.log2(self.token.frequency(token)) for token in tokens
        )


@functools.cache
def tokenizer() -> TextTokenizer:
    """Return the language model's tokeniser.

    Raises:
        CodecError: the model is not prepared.
    """
    path = backbone_folder() / "tokenizer.json"
    if not path.is_file():
        raise CodecError(f"{path} is missing: run `python -m models.prepare`")
    return TextTokenizer(path)


def words_of(text: str) -> list[list[int]]:
    """Return the tokens of each word."""
    read = tokenizer()
    return [read.encode(f" {word}", MAX_WORD_TOKENS) for word in text.split()[:MAX_WORDS]]


class WordUnitsCodec(Codec):
    """Words by their importance.

    Args:
        threads: not used.
        cut: not used; no layer of the language model is run.
        on_disk: not used; a sentence takes less than a millisecond.
        folder: where the tables are.
    """

    name = "word-units"
    modality = "text"

    def __init__(
        self,
        *,
        threads: int = 1,
        cut: int | None = None,
        on_disk: bool = True,
        folder: Path = SHIPPED,
    ) -> None:
        del threads, cut, on_disk
        self._folder = folder
        self._known: dict[tuple[str, bool], _Tables] = {}

    @property
    def rungs(self) -> tuple[str, ...]:
        """Return the ladder."""
        return codec_rungs(self.name)

    @property
    def fingerprint(self) -> str:
        """Return the codec and the tables used so far."""
        tasks = sorted({task for task, _ in self._known})
        prints = [load_weights(self.name, task, self._folder).fingerprint for task in tasks]
        return "/".join([f"{self.name}-1", *prints])

    def encode(
        self, samples: Sequence[Sample], *, task: str, rung: str, budget_bytes: int | None = None
    ) -> list[EncodedMessage]:
        """Return one message a sample; see `Codec.encode`."""
        size, flat, fixed = _parse(rung)
        tables, known = self._tables(task, fixed), self._tables(task, False)
        out = []
        for sample in samples:
            words = words_of(sample.text) or [tokenizer().encode(" ", 1)]
            bits = [known.bits(tokens) for tokens in words]
            order = list(range(len(words)))
            if not flat:
                order.sort(key=lambda place: (-bits[place], place))
            units, scores = [], []
            for first in range(0, len(order), size):
                places = sorted(order[first : first + size])
                units.append(_unit(places, words, tables))
                scores.append(1.0 if flat else max(bits[p] for p in places) / max(bits))
            sent, importance = cut_to_budget(units, scores, budget_bytes)
            cost = _OPERATIONS_PER_BYTE * max(1, len(sample.text))
            out.append(
                EncodedMessage(sample.id, self.name, task, rung, sent, importance, cost, 1e5)
            )
        return out

    def decode(self, received: Sequence[ReceivedMessage], *, task: str, rung: str) -> list[Decoded]:
        """Return one answer a message; see `Codec.decode`."""
        _, _, fixed = _parse(rung)
        tables = self._tables(task, fixed)
        out = []
        for message in received:
            words: dict[int, list[int]] = {}
            arrived = 0
            for number in range(message.unit_count):
                unit = _read(message.units.get(number, b""), tables)
                arrived += unit is not None
                words = {**(unit or {}), **words}  # a place that is taken stays
            tokens = [token for place in sorted(words) for token in words[place]]
            text = tokenizer().decode(tokens).strip() if words else None
            out.append(answer(text, arrived, message.unit_count))
        return out

    def decode_cost(self, message: EncodedMessage, *, task: str, rung: str) -> tuple[float, float]:
        """Return operations and memory traffic at the edge, taken as those of encoding."""
        return message.operations, message.memory_bytes

    def _tables(self, task: str, fixed: bool) -> _Tables:
        key = (task, fixed)
        if key not in self._known:
            check_task(self.name, task, self.modality)
            tensors = load_weights(self.name, task, self._folder).tensors
            tokens: list[int] = tensors["tokens"].long().tolist()
            lengths: list[int] = tensors["lengths"].long().tolist()
            if fixed:
                tokens, lengths = [1] * len(tokens), [1] * len(lengths)
            self._known[key] = _Tables(
                ans.Table(tokens, _TOKEN_BITS), ans.Table(lengths, _LENGTH_BITS)
            )
        return self._known[key]


def _unit(places: Sequence[int], words: Sequence[Sequence[int]], tables: _Tables) -> bytes:
    symbols = [(_COUNT, len(places) - 1)]
    for place in places:
        symbols += [(_PLACE, place), (tables.length, len(words[place]) - 1)]
        symbols += [(tables.token, token) for token in words[place]]
    return ans.encode(symbols)


def _read(data: bytes, tables: _Tables) -> dict[int, list[int]] | None:
    """Return the words of a unit by place, None if its bytes make no sense."""
    try:
        reader = ans.Reader(data)
        words: dict[int, list[int]] = {}
        for _ in range(reader.take(_COUNT) + 1):
            place = reader.take(_PLACE)
            length = reader.take(tables.length) + 1
            words[place] = [reader.take(tables.token) for _ in range(length)]
        reader.finish()
    except ans.AnsError:
        return None
    return words


def _parse(rung: str) -> tuple[int, bool, bool]:
    """Return words a unit, whether in the sentence's order, and whether of one code length."""
    match = _RUNG.fullmatch("w2" if rung == "default" else rung)
    if match is None:
        raise CodecError(
            f"codec word-units has rungs w1 to w8, with -flat or -fixed behind, not {rung!r}"
        )
    return int(match[1]), bool(match[2]), bool(match[3])
