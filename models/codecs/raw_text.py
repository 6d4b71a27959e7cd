# SPDX-License-Identifier: MIT
"""Codec "raw-text": the baseline. The text itself travels, compressed; the edge server does it all.

The compressor is Zstandard at its highest level with a dictionary trained on the task's training
split: on these short texts it needs a quarter fewer bytes than Brotli (measured on validation
data: 56 against 76 bytes a review sentence, 86 against 108 a post). Its frame is cut into units
which only make sense together: with one missing nothing can be decoded. The text is classified by
the same language model, with low-rank changes and a head of its own, trained without any
bottleneck or loss.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import zstandard

from models.codecs.base import (
    CodecError,
    Decoded,
    EncodedMessage,
    ReceivedMessage,
    cut_to_budget,
)
from models.codecs.dictionary import compressor, get_dictionary
from models.codecs.edge import EdgeClassifier
from models.codecs.llm_token import MAX_TOKENS
from models.codecs.model_codec import ModelCodec
from models.codecs.store import content_key
from models.codecs.weights import SHIPPED, load_weights
from models.fingerprint import task_weights
from models.tasks import Sample

UNIT_BYTES = 200
_MAX_TEXT_BYTES = 1 << 16
"""No text is longer after decompression; garbage could otherwise ask for gigabytes."""

OPERATIONS_PER_BYTE = 2000.0
"""Assumption: Zstandard's highest level works at about 1 MB/s on a core of 2 GHz."""


class RawTextCodec(ModelCodec):
    """Compressed text.

    Args:
        cut: not used; the device runs no layer.
        folder: where the weight files are.
        options: of `ModelCodec`.
    """

    name = "raw-text"
    modality = "text"

    def __init__(self, *, cut: int | None = None, folder: Path = SHIPPED, **options: Any) -> None:
        del cut  # the device runs no layer
        super().__init__(trained=tuple(task_weights(self.name, folder).values()), **options)
        self._folder = folder
        self._edges: dict[str, EdgeClassifier] = {}
        self._dictionaries: dict[str, zstandard.ZstdCompressionDict] = {}

    @property
    def fingerprint(self) -> str:
        """Return the codec, the model and its number type; weights are added for each task."""
        return f"{self.name}-1/{self._model.fingerprint}"

    def encode(
        self, samples: Sequence[Sample], *, task: str, rung: str, budget_bytes: int | None = None
    ) -> list[EncodedMessage]:
        """Return one message a sample; see `Codec.encode`.

        A unit is its number and a part of the compressed text. A budget below the compressed size
        leaves the last units out, and with them every chance to decode.
        """
        _check_rung(rung)
        dictionary = self._dictionary(task)
        zstd = compressor(dictionary)
        out = []
        for sample in samples:
            text = self._model.tokenizer.truncate(sample.text, MAX_TOKENS).encode()
            frame = zstd.compress(text)
            starts = range(0, len(frame), UNIT_BYTES - 1)
            units = [
                bytes([number]) + frame[start : start + UNIT_BYTES - 1]
                for number, start in enumerate(starts)
            ]
            kept, importance = cut_to_budget(units, [1.0] * len(units), budget_bytes)
            out.append(
                EncodedMessage(
                    sample_id=sample.id,
                    codec=self.name,
                    task=task,
                    rung=rung,
                    units=kept,
                    importance=importance,
                    operations=OPERATIONS_PER_BYTE * len(text),
                    memory_bytes=float(len(dictionary.as_bytes()) + 2 * len(text)),
                )
            )
        return out

    def decode(self, received: Sequence[ReceivedMessage], *, task: str, rung: str) -> list[Decoded]:
        """Return one answer a message; see `Codec.decode`."""
        _check_rung(rung)
        weights = load_weights(self.name, task, self._folder)
        texts = [self._text(message, task) for message in received]
        keys = [
            content_key(self.fingerprint, weights.fingerprint, "decode", text) for text in texts
        ]
        nothing = self._edge(task).nothing
        return self._answers(keys, texts, lambda todo: self._decode(todo, task), nothing)

    def _text(self, message: ReceivedMessage, task: str) -> str | None:
        """Return the text of a complete message, None of any other."""
        parts = [message.units.get(number, b"") for number in range(message.unit_count)]
        if not parts or any(part[:1] != bytes([number]) for number, part in enumerate(parts)):
            return None
        decompressor = zstandard.ZstdDecompressor(
            dict_data=self._dictionary(task), format=zstandard.FORMAT_ZSTD1_MAGICLESS
        )
        try:
            frame = b"".join(part[1:] for part in parts)
            return decompressor.decompress(frame, max_output_size=_MAX_TEXT_BYTES).decode()
        except (zstandard.ZstdError, UnicodeDecodeError, MemoryError):
            return None

    @torch.no_grad()
    def _decode(self, texts: Sequence[str | None], task: str) -> list[Decoded]:
        if not texts:
            return []
        numbers = [self._model.tokenizer.encode_some(text, MAX_TOKENS) for text in texts if text]
        lengths = [len(row) for row in numbers]
        positions = torch.cat([torch.arange(1, length + 1) for length in lengths])
        cut = load_weights(self.name, task, self._folder).cut
        hidden = self._model.embed([token for row in numbers for token in row])
        # up to `cut` the layers are the model's own; the low-rank changes come after it
        hidden = self._model.run(hidden, positions, lengths, 0, cut)
        return self._edge(task).classify(hidden, positions, lengths, cut)

    def decode_cost(self, message: EncodedMessage, *, task: str, rung: str) -> tuple[float, float]:
        """Return operations and memory traffic at the edge for a text of the longest kind."""
        layers = load_weights(self.name, task, self._folder).last
        return self._model.geometry.cost(MAX_TOKENS, layers)

    def _dictionary(self, task: str) -> zstandard.ZstdCompressionDict:
        load_weights(self.name, task, self._folder)  # a CodecError for a task without weights
        if task not in self._dictionaries:
            self._dictionaries[task] = zstandard.ZstdCompressionDict(get_dictionary(task))
        return self._dictionaries[task]

    def _edge(self, task: str) -> EdgeClassifier:
        if task not in self._edges:
            weights = load_weights(self.name, task, self._folder)
            weights.check_backbone(self._model)
            self._edges[task] = EdgeClassifier(self._model, weights)
        return self._edges[task]


def _check_rung(rung: str) -> None:
    if rung != "default":
        raise CodecError(f'codec raw-text has one rung, "default", not {rung!r}')
