# SPDX-License-Identifier: MIT
"""Codec "llm-token": a language model split between device and edge server, one unit a token.

Device: the first layers, then a linear bottleneck, a scalar quantiser and an importance for each
token. Edge: the bottleneck's inverse, the remaining layers with low-rank changes, and a head.
Tokens that did not arrive are left out of the edge's sequence; the others keep their positions.
A rung may name a smaller version of the device's layers (`models.compression.device_models`).
"""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from models.backbone import BackboneError
from models.backbone.packing import spans, tiled_linear
from models.codecs.base import (
    CodecError,
    Decoded,
    EncodedMessage,
    ReceivedMessage,
    cut_to_budget,
)
from models.codecs.edge import EdgeClassifier
from models.codecs.model_codec import ModelCodec
from models.codecs.quantiser import (
    Rung,
    dequantise,
    ordered,
    pack_units,
    parse_rung,
    quantise,
    unpack_unit,
)
from models.codecs.registry import codec_rungs
from models.codecs.store import content_key
from models.codecs.weights import SHIPPED, CodecWeights, load_weights
from models.compression.device_models import (
    DeviceModel,
    device_fingerprint,
    device_model,
)
from models.fingerprint import task_weights
from models.names import DEVICE_MODELS
from models.tasks import Sample

MAX_TOKENS = 64
KEPT_TEXTS = 2000
"""Texts whose streams at the cut are kept: 30 tokens of 576 floats each are 140 MB."""
DEFAULT_RUNG = "d8-int4-top16"
"""About the bytes that the compressed text takes; see the measured ladder in models/weights."""


class LlmTokenCodec(ModelCodec):
    """The split language model.

    Args:
        cut: layers at the device; None: those that the weights were trained for.
        folder: where the weight files are.
        options: of `ModelCodec`.
    """

    name = "llm-token"
    modality = "text"

    def __init__(self, *, cut: int | None = None, folder: Path = SHIPPED, **options: Any) -> None:
        super().__init__(trained=tuple(task_weights(self.name, folder).values()), **options)
        self._cut = cut
        self._folder = folder
        self._edges: dict[str, EdgeClassifier] = {}
        self._devices: dict[tuple[str, str], DeviceModel] = {}
        self._kept: dict[tuple[str, str, str], torch.Tensor] = {}

    @property
    def rungs(self) -> tuple[str, ...]:
        """Return the ladder; any d<n>-int<b>[-top<k>][-<device model>] works too."""
        return codec_rungs(self.name)

    @property
    def fingerprint(self) -> str:
        """Return the codec, the model and its number type; weights are added for each task."""
        return f"{self.name}-1/{self._model.fingerprint}"

    def encode(
        self, samples: Sequence[Sample], *, task: str, rung: str, budget_bytes: int | None = None
    ) -> list[EncodedMessage]:
        """Return one message a sample; see `Codec.encode`."""
        point, weights = self._rung(rung), self._weights(task)
        file = self._device(point, weights).file if point.device == "litert" else None
        device = file.fingerprint if file else device_fingerprint(point.device)
        keys = [
            content_key(
                self.fingerprint, weights.fingerprint, device, "encode", repr(point), s.text
            )
            for s in samples
        ]
        values = self._store.fill(
            keys, [s.text for s in samples], lambda texts: self._encode(texts, weights, point)
        )
        return [
            self._message(sample, value, task, rung, weights, budget_bytes)
            for sample, value in zip(samples, values, strict=True)
        ]

    def _message(
        self,
        sample: Sample,
        value: Any,
        task: str,
        rung: str,
        weights: CodecWeights,
        budget_bytes: int | None,
    ) -> EncodedMessage:
        tokens, units, importance = value
        kept, scores = cut_to_budget([bytes.fromhex(u) for u in units], importance, budget_bytes)
        # the bottleneck's and the importance's products
        ends = weights.tensors["encoder"].numel() + self._model.geometry.hidden
        operations, traffic = self._device(self._rung(rung), weights).cost(tokens, ends)
        return EncodedMessage(
            sample_id=sample.id,
            codec=self.name,
            task=task,
            rung=rung,
            units=kept,
            importance=scores,
            operations=operations,
            memory_bytes=traffic,
        )

    @torch.no_grad()
    def _encode(
        self, texts: Sequence[str], weights: CodecWeights, point: Rung
    ) -> list[tuple[int, list[str], list[float]]]:
        """Return (tokens, units in hexadecimal, importances) of each text."""
        if not texts:
            return []
        streams = self._streams(texts, weights, point)
        lengths = [len(rows) for rows in streams]
        positions = np.concatenate([np.arange(1, length + 1) for length in lengths])
        values, scores = self._bottleneck(torch.cat(streams), weights, point)
        units = pack_units(positions, quantise(values[:, : point.dimensions], point.bits), point)
        ranks: list[float] = scores.tolist()
        out = []
        for part, length in zip(spans(lengths), lengths, strict=True):
            sent, theirs = ordered(units[part], ranks[part], point)
            out.append((length, [unit.hex() for unit in sent], theirs))
        return out

    def _bottleneck(
        self, hidden: torch.Tensor, weights: CodecWeights, point: Rung
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return values [tokens, dimensions] and importances [tokens] of `_streams`' rows."""
        if self._device(point, weights).file is not None:
            return hidden[:, :-1], hidden[:, -1]
        tensors = weights.tensors
        centred = hidden - tensors["mean"]
        scores = tiled_linear(centred, tensors["importance"][None])[:, 0]
        ranks = torch.clamp(scores + tensors["importance_bias"], 0.0, 1.0)
        return tiled_linear(centred, tensors["encoder"]), ranks

    def _streams(
        self, texts: Sequence[str], weights: CodecWeights, point: Rung
    ) -> list[torch.Tensor]:
        """Return each text's residual stream at the cut, [tokens, hidden].

        A device file gives the bottleneck's values and importances instead. Rungs differ in what
        follows: the last texts' streams are kept for the next rung.
        """
        device, origin = self._device(point, weights), self._origin(point, weights)
        keys = [(*origin, text) for text in texts]
        todo = [key for key in dict.fromkeys(keys) if key not in self._kept]
        # A text without any token is sent as a space: a message has at least one unit.
        numbers = [self._model.tokenizer.encode_some(text, MAX_TOKENS) for *_, text in todo]
        found = {key: self._kept[key] for key in keys if key in self._kept}
        if todo:
            lengths = [len(row) for row in numbers]
            embedded = device.model.embed([token for row in numbers for token in row])
            if device.file is not None:
                rows = [device.file.encode(part) for part in torch.split(embedded, lengths)]
            else:
                positions = torch.cat([torch.arange(1, length + 1) for length in lengths])
                hidden = device.model.run(embedded, positions, lengths, 0, weights.cut)
                rows = [part.clone() for part in torch.split(hidden, lengths)]
            found |= zip(todo, rows, strict=True)
        self._kept |= found
        while len(self._kept) > KEPT_TEXTS:
            del self._kept[next(iter(self._kept))]
        return [found[key] for key in keys]

    def forget(self) -> None:
        """Drop results and streams kept in memory."""
        super().forget()
        self._kept.clear()

    def decode(self, received: Sequence[ReceivedMessage], *, task: str, rung: str) -> list[Decoded]:
        """Return one answer a message; see `Codec.decode`."""
        point, weights = self._rung(rung), self._weights(task)
        messages = [read_units(message, point) for message in received]
        keys = [
            content_key(
                self.fingerprint,
                weights.fingerprint,
                "decode",
                repr(dataclasses.replace(point, device="")),  # the same units, the same answer
                *(bytes([position]) + levels.tobytes() for position, levels in rows.items()),
            )
            for rows in messages
        ]
        nothing = self._edge(task).nothing
        return self._answers(keys, messages, lambda rows: self._decode(rows, task, point), nothing)

    @torch.no_grad()
    def _decode(
        self, messages: Sequence[dict[int, np.ndarray]], task: str, point: Rung
    ) -> list[Decoded]:
        if not messages:
            return []
        weights = self._weights(task)
        positions = [position for rows in messages for position in rows]
        levels = np.stack([row for rows in messages for row in rows.values()])
        values = dequantise(torch.from_numpy(levels), point.bits)
        decoder = weights.tensors["decoder"][:, : point.dimensions].contiguous()
        hidden = tiled_linear(values, decoder) + weights.tensors["mean"]
        lengths = [len(rows) for rows in messages]
        return self._edge(task).classify(hidden, torch.tensor(positions), lengths, weights.cut)

    def decode_cost(self, message: EncodedMessage, *, task: str, rung: str) -> tuple[float, float]:
        """Return operations and memory traffic at the edge; see `Codec.decode_cost`."""
        weights = self._weights(task)
        layers, tokens = weights.last - weights.cut, len(message.units)
        operations, traffic = self._model.geometry.cost(tokens, layers)
        matrix = weights.tensors["decoder"].numel()
        return operations + 2.0 * tokens * matrix, traffic + 4.0 * matrix

    def _rung(self, name: str) -> Rung:
        point = parse_rung(DEFAULT_RUNG if name == "default" else name, DEVICE_MODELS)
        if point.vector:
            raise CodecError(f"codec {self.name} has no codebooks: rung {name!r} is not one of it")
        return point

    def _weights(self, task: str) -> CodecWeights:
        weights = load_weights(self.name, task, self._folder)
        weights.check_backbone(self._model)
        if self._cut is not None and self._cut != weights.cut:
            raise CodecError(
                f"codec {self.name}, task {task}: the weights were trained for a cut after layer "
                f"{weights.cut}, not {self._cut}; leave cut out or train others"
            )
        return weights

    def _origin(self, point: Rung, weights: CodecWeights) -> tuple[str, str]:
        """Return what a text's stream depends on: a device file is of one task's weights."""
        of = weights.fingerprint if point.device == "litert" else str(weights.cut)
        return point.device, of

    def _device(self, point: Rung, weights: CodecWeights) -> DeviceModel:
        key = self._origin(point, weights)
        if key not in self._devices:
            try:
                self._devices[key] = device_model(
                    self._model,
                    point.device,
                    weights.cut,
                    task=weights.meta["task"],
                    weights=weights.fingerprint,
                )
            except BackboneError as error:
                raise CodecError(f"codec {self.name}, device model: {error}") from None
        return self._devices[key]

    def _edge(self, task: str) -> EdgeClassifier:
        if task not in self._edges:
            self._edges[task] = EdgeClassifier(self._model, self._weights(task))
        return self._edges[task]


def read_units(
    message: ReceivedMessage,
    point: Rung,
    most: int = MAX_TOKENS,
    unpack: Callable[[bytes], tuple[int, np.ndarray] | None] | None = None,
) -> dict[int, np.ndarray]:
    """Return level numbers by position, ascending; what is no unit counts as lost.

    Where two units claim a position the one with the lower number counts.

    Args:
        message: what arrived.
        point: the operating point.
        most: positions go so far.
        unpack: reads a unit, None if it is none; by default with the rung's fixed lengths.
    """
    rows: dict[int, np.ndarray] = {}
    for number in sorted(message.units):
        data = message.units[number]
        unit = unpack_unit(data, point) if unpack is None else unpack(data)
        if unit is not None and unit[0] <= most:
            rows.setdefault(*unit)
    return dict(sorted(rows.items()))
