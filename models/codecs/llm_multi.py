# SPDX-License-Identifier: MIT
"""Codec "llm-multi": text, pictures and questions about pictures through one language model.

A unit is one token of the text or one of the picture's 16 positions, in the wire format of codec
"llm-token"; a picture's positions come before those of the text. Units that did not arrive are left
out of the edge's sequence.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from models.backbone.packing import spans
from models.codecs.base import (
    CodecError,
    Decoded,
    EncodedMessage,
    ReceivedMessage,
    cut_to_budget,
)
from models.codecs.llm_token import DEFAULT_RUNG, MAX_TOKENS, read_units
from models.codecs.model_codec import ModelCodec
from models.codecs.multi_edge import WEIGHTS, MultiEdge
from models.codecs.quantiser import (
    Rung,
    dequantise,
    entries,
    nearest,
    ordered,
    pack_units,
    parse_rung,
    quantise,
)
from models.codecs.registry import codec_rungs
from models.codecs.store import content_key
from models.codecs.symbols import known_units
from models.codecs.unit_coder import UnitCoder
from models.codecs.weights import SHIPPED
from models.tasks import Sample
from models.vision.efficientnet import POSITIONS

_ENCODE_BATCH = 32


class LlmMultiCodec(ModelCodec):
    """One split model for all tasks.

    Args:
        cut: layers at the device; None: those that the weights were trained for.
        folder: where the weight file is.
        weights: its name, which becomes the codec's: "llm-multi-symbols" is the same model, trained
            further with values that travel as noisy symbols.
        options: of `ModelCodec`.
    """

    name = "llm-multi"
    modality = "image+text"

    def __init__(
        self,
        *,
        cut: int | None = None,
        folder: Path = SHIPPED,
        weights: str = WEIGHTS,
        **options: Any,
    ) -> None:
        file = folder / f"{weights}.safetensors"
        super().__init__(trained=[file] if file.is_file() else [], **options)
        self.name = weights
        self._ends = MultiEdge(self._model, folder, weights)
        self._coders: dict[tuple[object, ...], UnitCoder] = {}
        trained = int(self._ends.weights.meta["cut"])
        if cut is not None and cut != trained:
            raise CodecError(
                f"codec {self.name}: the weights were trained for a cut after layer {trained}, "
                f"not {cut}; leave cut out or train others"
            )

    @property
    def rungs(self) -> tuple[str, ...]:
        """Return the ladder; any d<n>-int<b>[-top<k>][-flat] works too.

        With frequencies of its values ("llm-multi") also -ans behind it.
        """
        return codec_rungs(self.name)

    @property
    def fingerprint(self) -> str:
        """Return the codec, the model and its number type, and the weights."""
        return f"{self.name}-1/{self._model.fingerprint}/{self._ends.weights.fingerprint}"

    def forget(self) -> None:
        """Drop results kept in memory."""
        super().forget()
        self._ends.forget()

    def encode(
        self, samples: Sequence[Sample], *, task: str, rung: str, budget_bytes: int | None = None
    ) -> list[EncodedMessage]:
        """Return one message a sample; see `Codec.encode`."""
        point = _rung(rung)
        self._ends.sees(task)
        keys = [self._key(point, "encode", task, *_content(sample)) for sample in samples]

        def encode(missing: list[Sample]) -> list[tuple[int, list[str], list[float]]]:
            return [
                value
                for first in range(0, len(missing), _ENCODE_BATCH)
                for value in self._encode(missing[first : first + _ENCODE_BATCH], task, point)
            ]

        out = []
        for sample, (rows, units, importance) in zip(
            samples, self._store.fill(keys, samples, encode), strict=True
        ):
            kept, scores = cut_to_budget(
                [bytes.fromhex(unit) for unit in units], importance, budget_bytes
            )
            operations, traffic = self._ends.device_cost(rows, task)
            out.append(
                EncodedMessage(sample.id, self.name, task, rung, kept, scores, operations, traffic)
            )
        return out

    def _key(self, point: Rung, *parts: Any) -> str:
        """Return the key of a result at a rung: what made it beside the weights is in it, too."""
        made = self._ends.made_for(point)
        return content_key(
            self.fingerprint,
            *(p if isinstance(p, bytes) else repr(p) for p in (point, *made, *parts)),
        )

    def _encode(
        self, samples: Sequence[Sample], task: str, point: Rung
    ) -> list[tuple[int, list[str], list[float]]]:
        """Return (rows, units in hexadecimal, importances) of each sample."""
        rows = self._ends.analyse(samples, task)
        levels = self._levels(rows.values[:, : point.dimensions], rows.positions, task, point)
        if point.coded:
            coder = self._coder(task, point)
            units = coder.pack(rows.positions.tolist(), levels.numpy())
        else:
            units = pack_units(rows.positions.numpy(), levels, point)
        ranks: list[float] = rows.importance.tolist()
        out = []
        for part, length in zip(spans(rows.lengths), rows.lengths, strict=True):
            sent, scores = ordered(units[part], ranks[part], point)
            out.append((length, [unit.hex() for unit in sent], scores))
        return out

    def decode(self, received: Sequence[ReceivedMessage], *, task: str, rung: str) -> list[Decoded]:
        """Return one answer a message; see `Codec.decode`."""
        point = _rung(rung)
        most = MAX_TOKENS + (POSITIONS if self._ends.sees(task) else 0)
        unpack = self._coder(task, point).read if point.coded else None
        messages = [read_units(message, point, most, unpack) for message in received]
        point = dataclasses.replace(point, coded=False)  # the same values, the same answer
        keys = [
            self._key(
                point,
                "decode",
                task,
                *(bytes([position]) + levels.tobytes() for position, levels in rows.items()),
            )
            for rows in messages
        ]
        nothing = self._ends.nothing(task)
        return self._answers(keys, messages, lambda rows: self._decode(rows, task, point), nothing)

    def _decode(
        self, messages: Sequence[dict[int, np.ndarray]], task: str, point: Rung
    ) -> list[Decoded]:
        if not messages:
            return []
        positions = torch.tensor([position for rows in messages for position in rows])
        levels = np.stack([row for rows in messages for row in rows.values()])
        values = self._values(torch.from_numpy(levels), positions, task, point)
        return self._ends.classify(positions, values, [len(rows) for rows in messages], task)

    def _coder(self, task: str, point: Rung) -> UnitCoder:
        key = (task, point.levels, point.bits, point.vector, self._ends.made_for(point))
        if key not in self._coders:
            self._coders[key] = self._ends.coder(task, point)
        return self._coders[key]

    def _levels(self, values: Tensor, positions: Tensor, task: str, point: Rung) -> Tensor:
        """Return the level numbers of rows."""
        if not point.vector:
            return quantise(values, point.bits)
        levels = torch.zeros(len(values), point.levels, dtype=torch.long)
        for chosen, books in self._ends.books(task, positions):
            levels[chosen] = nearest(values[chosen], books)
        return levels

    def _values(self, levels: Tensor, positions: Tensor, task: str, point: Rung) -> Tensor:
        """Return the values that level numbers stand for."""
        if not point.vector:
            return dequantise(levels, point.bits)
        values = torch.zeros(len(levels), point.dimensions)
        for chosen, books in self._ends.books(task, positions):
            values[chosen] = entries(levels[chosen], books)
        return values

    def value_count(self, rung: str) -> int:
        """Return how many values a unit has."""
        return _rung(rung).dimensions

    def values(self, samples: Sequence[Sample], *, task: str, rung: str) -> list[np.ndarray]:
        """Return what a message carries before quantisation, for delivery as symbols.

        Returns:
            One array a sample, about unit variance, shape [units, dimensions], in the order of the
            message's rows: no unit needs its position. A rung's limit of units does not apply.
        """
        point = _rung(rung)
        rows = self._ends.analyse(samples, task)
        return [
            rows.values[part, : point.dimensions].numpy().astype(np.float64)
            for part in spans(rows.lengths)
        ]

    def decode_values(
        self,
        values: Sequence[np.ndarray],
        *,
        task: str,
        numbers: Sequence[Sequence[int]] | None = None,
    ) -> list[Decoded]:
        """Return one answer a message from values as they were received; see `values`.

        Args:
            values: of the units that arrived, shape [units, dimensions] each.
            task: name of the task.
            numbers: of these units in the message, ascending; None: all arrived.
        """
        most = MAX_TOKENS + (POSITIONS if self._ends.sees(task) else 0)
        values, numbers = known_units(values, numbers, most)
        answers = [self._ends.nothing(task)] * len(values)
        some = [at for at, rows in enumerate(values) if len(rows)]
        if some:
            decided = self._ends.classify(
                torch.tensor([number + 1 for at in some for number in numbers[at]]),
                torch.from_numpy(np.concatenate([values[at] for at in some])).float(),
                [len(values[at]) for at in some],
                task,
            )
            for at, answer in zip(some, decided, strict=True):
                answers[at] = answer
        return answers

    def decode_cost(self, message: EncodedMessage, *, task: str, rung: str) -> tuple[float, float]:
        """Return operations and memory traffic at the edge; see `Codec.decode_cost`."""
        return self._ends.edge_cost(len(message.units))


def _rung(name: str) -> Rung:
    return parse_rung(DEFAULT_RUNG if name == "default" else name, coder=True)


def _content(sample: Sample) -> tuple[str, bytes]:
    picture = sample.picture
    size = b"" if picture is None else f"{picture.width}x{picture.height} ".encode()
    return sample.text, size + (b"" if picture is None else picture.pixels)
