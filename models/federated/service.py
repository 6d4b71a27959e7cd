# SPDX-License-Identifier: MIT
"""Fine-tuned weights in service: versions at every node, and the codec that uses them.

A unit is `version (2) · cut (1) · position (1) · row`, the row as `SmashedCodec` writes it. The
edge decodes with the very version that the units name, from the layer on at which the device
stopped; units of a version that it does not have, or of another version or cut than the message's
first unit, are refused and never decoded with other weights.
"""

import re
import struct
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from models.codecs.base import (
    Codec,
    CodecError,
    Decoded,
    EncodedMessage,
    ReceivedMessage,
    cut_to_budget,
)
from models.federated.lowrank import layers_of
from models.federated.scheme import SmashedError
from models.federated.smashed import SmashedCodec
from models.federated.split import Batch, Smashed, SplitModel, Tensors
from models.tasks import Sample, get_task

_UNIT = struct.Struct("<HBB")
_RUNG = re.compile(r"(int[48])(?:-top(\d+))?")
DEFAULT_RUNG = "int4-top12"


class ServiceBank:
    """What each node has in service.

    Args:
        model: the split model.
        initial: values of version 0, which every node has.
        max_tokens: of a sample.

    Attributes:
        refused: messages whose version the edge does not have.
    """

    def __init__(self, model: SplitModel, initial: Mapping[str, Tensor], max_tokens: int) -> None:
        self.model, self.max_tokens = model, max_tokens
        self._edge: dict[int, Tensors] = {0: dict(initial)}
        device = model.spec.device_part(initial)
        self._initial = (0, device)
        self._device: dict[int, tuple[int, Tensors]] = {}
        self.refused = 0

    def publish(self, version: int, tensors: Mapping[str, Tensor]) -> None:
        """Put values into service at the edge."""
        self._edge[version] = {name: value.detach().clone() for name, value in tensors.items()}

    def withdraw(self, version: int) -> None:
        """Take values out of service at the edge."""
        self._edge.pop(version, None)

    def install(self, node: int, version: int, tensors: Mapping[str, Tensor]) -> None:
        """Put a device's part, as it came over the network, into service there."""
        self._device[node] = (version, dict(tensors))

    def at_device(self, node: int) -> tuple[int, Tensors]:
        """Return version and values in service at a device."""
        return self._device.get(node, self._initial)

    def cut_at_device(self, node: int) -> int:
        """Return how many layers are in service at a device: those that its weights are of."""
        _, tensors = self.at_device(node)
        return 1 + max(layers_of(tensors), default=self.model.spec.cut - 1)

    def at_edge(self, version: int) -> Tensors | None:
        """Return the values of a version at the edge, None if it has them not."""
        return self._edge.get(version)


class SplitLoraCodec(Codec):
    """Codec "split-lora": rows at the cut, from the device layers that are being fine-tuned."""

    name = "split-lora"
    modality = "text"

    def __init__(self, bank: ServiceBank) -> None:
        self.bank = bank

    @property
    def rungs(self) -> tuple[str, ...]:
        """Return some operating points; any int{4,8}[-topN] works."""
        return ("default", "int8", "int4", "int4-top16", "int4-top8")

    def version_of(self, message: EncodedMessage) -> int | None:
        """Return the version of the device's weights that a message names."""
        return int(_UNIT.unpack_from(message.units[0])[0])

    def encode(
        self, samples: Sequence[Sample], *, task: str, rung: str, budget_bytes: int | None = None
    ) -> list[EncodedMessage]:
        """Encode as a device that has only the initial weights does."""
        return [
            self.encode_at(-1, s, task=task, rung=rung, budget_bytes=budget_bytes) for s in samples
        ]

    @torch.no_grad()
    def encode_at(
        self, node: int, sample: Sample, *, task: str, rung: str, budget_bytes: int | None = None
    ) -> EncodedMessage:
        """Encode one sample with the weights in service at a device now."""
        codec, most = _parse(rung)
        model = self.bank.model.cut_at(self.bank.cut_at_device(node))
        version, tensors = self.bank.at_device(node)
        batch = model.corpus([sample], self.bank.max_tokens).batch([0])
        rows = model.device(tensors, batch).rows
        model.forget(tensors)
        # Rounding to nearest would do here; the seed makes stochastic rounding reproducible.
        rng = np.random.Generator(np.random.PCG64([version, int(sample.id[:8], 16)]))
        size, packed = codec.row_bytes(rows.shape[1]), codec.encode(rows, 0, rng)
        distance = (rows - rows.mean(0)).square().sum(1)
        order = distance.argsort(descending=True, stable=True)[:most].tolist()
        units = [
            _UNIT.pack(version & 0xFFFF, model.spec.cut, n + 1) + packed[n * size : (n + 1) * size]
            for n in order
        ]
        share = (distance / distance.max().clamp_min(1e-12)).tolist()
        kept, scores = cut_to_budget(units, [share[n] for n in order], budget_bytes)
        tokens = len(rows)
        operations, traffic = model.cost(tokens, 0, model.spec.cut, backward=False)
        return EncodedMessage(sample.id, self.name, task, rung, kept, scores, operations, traffic)

    @torch.no_grad()
    def decode(self, received: Sequence[ReceivedMessage], *, task: str, rung: str) -> list[Decoded]:
        """Return one answer a message, from the units that arrived; see `Codec.decode`."""
        codec, _ = _parse(rung)
        known = get_task(task)
        nothing = Decoded(known.prior_label, 0.0, known.prior_probability, False)
        prefixes: dict[tuple[int, int], Tensor] = {}
        try:
            return [self._answer(message, codec, prefixes) or nothing for message in received]
        finally:
            for version, cut in prefixes:
                self.bank.model.cut_at(cut).forget(self.bank.at_edge(version) or {})

    def _answer(
        self, message: ReceivedMessage, codec: SmashedCodec, prefixes: dict[tuple[int, int], Tensor]
    ) -> Decoded | None:
        width = self.bank.model.backbone.geometry.hidden
        size = _UNIT.size + codec.row_bytes(width)
        rows: dict[int, Tensor] = {}
        spec = self.bank.model.spec
        version = None
        for number in sorted(message.units):
            unit = message.units[number]
            if len(unit) != size:
                continue
            number_of, cut, position = _UNIT.unpack_from(unit)
            if not spec.first < cut <= spec.last or not 1 <= position <= self.bank.max_tokens:
                continue
            version = (number_of, cut) if version is None else version
            if (number_of, cut) != version:
                continue
            try:
                row = codec.decode(unit[_UNIT.size :], 1, width, 0)
            except SmashedError:
                continue
            rows.setdefault(position, row)
        if version is None or not rows:
            return None
        tensors = self.bank.at_edge(version[0])
        if tensors is None:
            self.bank.refused += 1
            return None
        model = self.bank.model.cut_at(version[1])
        if version not in prefixes:
            # The prefix token's row is a constant of the version, so the edge computes it itself.
            empty = Batch(torch.zeros(0, 1), torch.zeros(0, dtype=torch.long), [], torch.zeros(0))
            prefixes[version] = model.device(tensors, _nobody(model, empty)).prefix
        return _classify(model, tensors, prefixes[version], dict(sorted(rows.items())))

    def decode_cost(self, message: EncodedMessage, *, task: str, rung: str) -> tuple[float, float]:
        """Return operations and memory traffic at the edge; see `Codec.decode_cost`."""
        model = self.bank.model
        cut = _UNIT.unpack_from(message.units[0])[1] if message.units else model.spec.cut
        return model.cost(len(message.units), cut, model.spec.last, backward=False)


class LazyMessages(Sequence[EncodedMessage]):
    """Messages of a source that are encoded when they are sent, with what is in service then.

    A message that is asked for again, to be sent on, is the one that was sent.
    """

    def __init__(
        self,
        codec: SplitLoraCodec,
        node: int,
        samples: Sequence[Sample],
        *,
        task: str,
        rung: str,
        budget_bytes: int | None,
    ) -> None:
        self._codec, self._node, self._samples = codec, node, samples
        self._task, self._rung, self._budget = task, rung, budget_bytes
        self._made: dict[int, EncodedMessage] = {}

    def __len__(self) -> int:
        return len(self._samples)

    def __iter__(self) -> Iterator[EncodedMessage]:
        return (self[n] for n in range(len(self)))

    def __getitem__(self, number: int) -> EncodedMessage:  # type: ignore[override]
        if number not in self._made:
            self._made[number] = self._codec.encode_at(
                self._node,
                self._samples[number],
                task=self._task,
                rung=self._rung,
                budget_bytes=self._budget,
            )
        return self._made[number]


def _classify(
    model: SplitModel, tensors: Tensors, prefix: Tensor, rows: dict[int, Tensor]
) -> Decoded:
    """Return the answer from rows by position, ascending."""
    hidden, positions = torch.cat(list(rows.values())), torch.tensor(list(rows))
    pooled = model.edge(tensors, Smashed(prefix, hidden), positions, [len(rows)])
    chances = model.scores(tensors, pooled)[0]
    best, second = chances.topk(2).values.tolist()
    prediction = int(chances.argmax())
    return Decoded(prediction, best - second, float(chances.softmax(-1)[prediction]), True)


def _nobody(model: SplitModel, empty: Batch) -> Batch:
    """Return a batch of one token whose result is not looked at: only the prefix is."""
    hidden = model.backbone.geometry.hidden
    return Batch(torch.zeros(1, hidden), torch.ones(1, dtype=torch.long), [1], empty.labels)


def _parse(rung: str) -> tuple[SmashedCodec, int]:
    match = _RUNG.fullmatch(DEFAULT_RUNG if rung == "default" else rung)
    if match is None:
        raise CodecError(f"codec split-lora has no rung {rung!r}: int4 or int8, then -topN")
    return SmashedCodec(match[1]), int(match[2] or 255)
