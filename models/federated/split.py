# SPDX-License-Identifier: MIT
"""A classifier on a frozen language model with low-rank changes, cut between device and edge.

Layers 0 to `first` are frozen and unadapted: what they make of a sample never changes, so it is
computed once. Layers `first` to `cut` run at the device, `cut` to `last` at the edge, both with
LoRA (Hu et al., ICLR 2022) on the joint query, key and value weights; attention pooling follows at
the edge, and the head either there (labels go along) or back at the device (U-shape, Vepakomma et
al., arXiv 1812.00564: labels stay). What crosses the cut is the residual stream of every token and
that of the constant prefix token, which the device's adapters change as well; with both, and both
gradients back, a step in parts is the step of the whole model, operation by operation.
"""

import copy
import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional

from models.backbone import Adapters, BackboneError, load_backbone
from models.backbone.llama import LlamaBackbone
from models.backbone.loading import Precision
from models.backbone.packing import spans
from models.codecs.edge import pool
from models.tasks import Sample

Tensors = dict[str, Tensor]
"""Trainable values by name: down.N and up.N of layer N, pool, head.weight, head.bias."""

_BATCH = 64


@dataclass(frozen=True, kw_only=True)
class SplitSpec:
    """Where a model is cut and what is trained.

    Attributes:
        first: first layer with low-rank changes.
        cut: layers at the device, `first` to `last`.
        last: layers at device and edge together.
        rank: of the low-rank changes.
        labels: number of classes.
        head_at_device: U-shape: labels stay at the device, and with them the head.
    """

    first: int
    cut: int
    last: int
    rank: int
    labels: int
    head_at_device: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.first <= self.cut <= self.last or self.first == self.last:
            raise ValueError(
                f"0 <= first <= cut <= last and first < last must hold, not first = {self.first}, "
                f"cut = {self.cut}, last = {self.last}"
            )
        if self.rank < 1 or self.labels < 2:
            raise ValueError(f"rank = {self.rank} must be 1 or more, labels = {self.labels} 2")

    def at_device(self, name: str) -> bool:
        """Return whether a trainable value lives at the device."""
        if name.startswith(("down.", "up.")):
            return int(name.split(".")[1]) < self.cut
        return self.head_at_device and name.startswith("head.")

    def device_part(self, tensors: Mapping[str, Tensor]) -> Tensors:
        """Return the values that live at the device."""
        return {name: value for name, value in tensors.items() if self.at_device(name)}

    def edge_part(self, tensors: Mapping[str, Tensor]) -> Tensors:
        """Return the values that live at the edge."""
        return {name: value for name, value in tensors.items() if not self.at_device(name)}


@dataclass(frozen=True)
class Batch:
    """Packed sequences before layer `first` with their labels.

    Attributes:
        rows: residual stream, shape [tokens, hidden].
        positions: of the tokens in their sequences, from 1, shape [tokens].
        lengths: tokens of each sequence.
        labels: shape [sequences].
        ids: numbers of the samples, for error feedback.
    """

    rows: Tensor
    positions: Tensor
    lengths: list[int]
    labels: Tensor
    ids: tuple[int, ...] = ()


@dataclass(frozen=True)
class Smashed:
    """What crosses the cut, in either direction: values upwards, gradients downwards.

    Attributes:
        prefix: of the prefix token, shape [1, hidden].
        rows: of the sequences' tokens, shape [tokens, hidden].
    """

    prefix: Tensor
    rows: Tensor


class Corpus:
    """Samples with their residual stream before layer `first`, computed once."""

    def __init__(self, rows: list[Tensor], labels: Tensor) -> None:
        self.rows, self.labels = rows, labels

    def __len__(self) -> int:
        return len(self.rows)

    def batch(self, numbers: Sequence[int]) -> Batch:
        """Return the samples of these numbers, packed."""
        chosen = [self.rows[n] for n in numbers]
        lengths = [len(row) for row in chosen]
        positions = torch.cat([torch.arange(1, length + 1) for length in lengths])
        labels = self.labels[torch.tensor(list(numbers), dtype=torch.long)]
        return Batch(torch.cat(chosen), positions, lengths, labels, tuple(numbers))


class SplitModel:
    """The frozen model and how its parts are run; holds no trainable values.

    Args:
        spec: where it is cut.
        backbone: a loaded model; by default the project's own.
        precision: number type of matrix products of the default model.
    """

    def __init__(
        self,
        spec: SplitSpec,
        *,
        backbone: LlamaBackbone | None = None,
        precision: Precision = "auto",
    ) -> None:
        if backbone is None:
            loaded = load_backbone(layers=spec.last, precision=precision)
            if not isinstance(loaded, LlamaBackbone):
                raise BackboneError(f"model {loaded.name} cannot be trained in parts")
            backbone = loaded
        self.spec, self.backbone = spec, backbone
        self._prefix = backbone.prefix_stream(spec.first)

    def with_spec(self, spec: SplitSpec) -> "SplitModel":
        """Return the same model cut otherwise."""
        return SplitModel(spec, backbone=self.backbone)

    def cut_at(self, cut: int) -> "SplitModel":
        """Return the same model with `cut` layers at the device."""
        if cut == self.spec.cut:
            return self
        other = copy.copy(self)  # what is frozen is the same objects
        other.spec = replace(self.spec, cut=cut)
        return other

    @torch.no_grad()
    def corpus(self, samples: Sequence[Sample], max_tokens: int) -> Corpus:
        """Run the frozen lower layers over samples' first `max_tokens` tokens."""
        rows: list[Tensor] = []
        encode = self.backbone.tokenizer.encode
        for first in range(0, len(samples), _BATCH):
            texts = [sample.text for sample in samples[first : first + _BATCH]]
            numbers = [encode(text, max_tokens) or encode(" ", max_tokens) for text in texts]
            lengths = [len(row) for row in numbers]
            positions = torch.cat([torch.arange(1, length + 1) for length in lengths])
            hidden = self.backbone.embed([token for row in numbers for token in row])
            hidden = self.backbone.run(hidden, positions, lengths, 0, self.spec.first)
            rows += [hidden[part].clone() for part in spans(lengths)]
        return Corpus(rows, torch.tensor([sample.label for sample in samples]))

    def initial(self, seed: int) -> Tensors:
        """Return untrained values: A random, B zero, so that training starts at the plain model."""
        generator = torch.Generator().manual_seed(seed)
        hidden, spec = self.backbone.geometry.hidden, self.spec
        out: Tensors = {}
        for number in range(spec.first, spec.last):
            draw = torch.randn(spec.rank, hidden, generator=generator)
            out[f"down.{number}"] = draw / math.sqrt(hidden)
            out[f"up.{number}"] = torch.zeros(self.backbone.joint_rows, spec.rank)
        out["pool"] = torch.zeros(hidden)
        out["head.weight"] = torch.zeros(spec.labels, hidden)
        out["head.bias"] = torch.zeros(spec.labels)
        return out

    def device(self, tensors: Mapping[str, Tensor], batch: Batch) -> Smashed:
        """Run the device's layers."""
        spec = self.spec
        prefix, rows = self.backbone.run_with_prefix(
            self._prefix,
            batch.rows,
            batch.positions,
            batch.lengths,
            spec.first,
            spec.cut,
            _adapters(tensors, spec.first, spec.cut),
        )
        return Smashed(prefix, rows)

    def edge(
        self,
        tensors: Mapping[str, Tensor],
        smashed: Smashed,
        positions: Tensor,
        lengths: Sequence[int],
    ) -> Tensor:
        """Run the edge's layers and the pooling; return shape [sequences, hidden]."""
        spec = self.spec
        _, rows = self.backbone.run_with_prefix(
            smashed.prefix,
            smashed.rows,
            positions,
            lengths,
            spec.cut,
            spec.last,
            _adapters(tensors, spec.cut, spec.last),
        )
        rows = self.backbone.normalise(rows)
        return torch.stack([pool(rows[part], tensors["pool"]) for part in spans(lengths)])

    def scores(self, tensors: Mapping[str, Tensor], pooled: Tensor) -> Tensor:
        """Return class scores, shape [sequences, labels]."""
        return functional.linear(pooled, tensors["head.weight"], tensors["head.bias"])

    @torch.no_grad()
    def evaluate(self, tensors: Mapping[str, Tensor], corpus: Corpus) -> tuple[float, float]:
        """Return accuracy and mean cross-entropy in nats of the whole model on samples."""
        right, loss = 0, 0.0
        try:
            for first in range(0, len(corpus), _BATCH):
                batch = corpus.batch(range(first, min(first + _BATCH, len(corpus))))
                smashed = self.device(tensors, batch)
                scores = self.scores(
                    tensors, self.edge(tensors, smashed, batch.positions, batch.lengths)
                )
                right += int((scores.argmax(-1) == batch.labels).sum())
                loss += float(functional.cross_entropy(scores, batch.labels, reduction="sum"))
        finally:
            self.forget(tensors)
        return right / len(corpus), loss / len(corpus)

    def forget(self, tensors: Mapping[str, Tensor]) -> None:
        """Drop the merged weights that evaluating or serving `tensors` left behind."""
        spec = self.spec
        for low, high in ((spec.first, spec.cut), (spec.cut, spec.last)):
            adapters = _adapters(tensors, low, high)
            if adapters is not None:
                self.backbone.forget(adapters.name)

    def cost(self, tokens: int, first: int, last: int, *, backward: bool) -> tuple[float, float]:
        """Return (operations, bytes of memory traffic) of layers `first` to `last`.

        Forward as `Geometry.cost`. Backward runs the same products once more, transposed, for the
        gradient of the input; frozen weights need none, and the low-rank changes' own products
        are rank/hidden of these.
        """
        operations, traffic = self.backbone.geometry.cost(tokens, last - first)
        factor = 2.0 if backward else 1.0
        return factor * operations, factor * traffic


def _adapters(tensors: Mapping[str, Tensor], first: int, last: int) -> Adapters | None:
    numbers = [n for n in range(first, last) if f"down.{n}" in tensors]
    if not numbers:
        return None
    down = {n: tensors[f"down.{n}"] for n in numbers}
    up = {n: tensors[f"up.{n}"] for n in numbers}
    name = "training"
    if not torch.is_grad_enabled():
        # Merged weights are kept by name: it must change with the values.
        digest = hashlib.sha256()
        for n in numbers:
            digest.update(down[n].detach().numpy().tobytes())
            digest.update(up[n].detach().numpy().tobytes())
        name = f"{first}-{last}-{digest.hexdigest()[:24]}"
    return Adapters(name, down, up)
