# SPDX-License-Identifier: MIT
"""What every codec that ends in the shared multi-task model has in common.

A sample becomes rows: up to 16 positions of a picture, then the tokens of a text. Each kind has a
linear projection to a few values and another one back into the language model's stream after the
cut; from there one model with one set of low-rank changes answers all tasks, each with its own
pooling query and head.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from models.backbone import Backbone
from models.backbone.packing import spans, tiled_linear
from models.codecs.base import CodecError, Decoded
from models.codecs.edge import EdgeClassifier
from models.codecs.llm_token import MAX_TOKENS
from models.codecs.quantiser import Rung
from models.codecs.unit_coder import UnitCoder
from models.codecs.weights import CodecWeights, load_shared_weights, of_task
from models.tasks import Picture, Sample, get_task
from models.vision import VisionEncoder, load_vision
from models.vision.efficientnet import FEATURES, OPERATIONS, POSITIONS, TRUNK

WEIGHTS = "llm-multi"
CODEBOOKS = "llm-multi-codebooks"
FREQUENCIES = "llm-multi-frequencies"
_KEPT_PICTURES = 2048
"""Trunk features in memory, 20 KB each: rungs of one sample share them."""


@dataclass(frozen=True)
class Rows:
    """Values of samples' rows, packed.

    Attributes:
        positions: 1 to 16 for a picture's, then on for tokens, int64 of shape [rows].
        values: about unit variance, float32 of shape [rows, 32].
        importance: 0 to 1, shape [rows].
        lengths: rows of each sample.
    """

    positions: Tensor
    values: Tensor
    importance: Tensor
    lengths: list[int]


class MultiEdge:
    """Both ends of the shared model; codecs put bytes between them.

    Args:
        backbone: the language model.
        folder: where the weight file is.
        name: of the weight file.
    """

    def __init__(self, backbone: Backbone, folder: Path, name: str = WEIGHTS) -> None:
        self.backbone = backbone
        self._folder = folder
        self._name = name
        self._edges: dict[str, EdgeClassifier] = {}
        self._pictures: OrderedDict[Picture, Tensor] = OrderedDict()

    @property
    def weights(self) -> CodecWeights:
        """Return the shared weights.

        Raises:
            CodecError: there are none, or they are for another language model.
        """
        weights = load_shared_weights(self._name, self._folder)
        weights.check_backbone(self.backbone)
        return weights

    @property
    def vision(self) -> VisionEncoder:
        """Return the vision encoder (loaded when first needed)."""
        return load_vision()

    def sees(self, task: str) -> bool:
        """Return whether a task's samples have a picture.

        Raises:
            CodecError: the weights were not trained for the task.
        """
        of_task(self.weights, task)
        return get_task(task).modality != "text"

    def forget(self) -> None:
        """Drop kept features."""
        self._pictures.clear()

    @torch.no_grad()
    def analyse(self, samples: Sequence[Sample], task: str) -> Rows:
        """Return what the device computes of samples: all that is sent comes from here."""
        sees = self.sees(task)
        texts = [self._tokens(sample.text, sees) for sample in samples]
        counts = [len(text) for text in texts]
        order: list[Tensor] = []
        parts: list[tuple[Tensor, Tensor]] = []
        seen = POSITIONS * len(samples) if sees else 0
        if sees:
            features = torch.cat([self._features(sample, task) for sample in samples])
            parts.append(self._project(features, f"{task}.vision", "vision"))
        if sum(counts):
            hidden = self.backbone.run(
                self.backbone.embed([token for text in texts for token in text]),
                torch.cat([torch.arange(1, count + 1) for count in counts]),
                counts if all(counts) else [count for count in counts if count],
                0,
                int(self.weights.meta["cut"]),
            )
            parts.append(self._project(hidden, f"{task}.text", "text"))
        before = POSITIONS if sees else 0
        starts = [part.start for part in spans(counts)]
        for number, (start, count) in enumerate(zip(starts, counts, strict=True)):
            order.append(torch.arange(number * before, (number + 1) * before))
            order.append(torch.arange(seen + start, seen + start + count))
        index = torch.cat(order)
        lengths = [before + count for count in counts]
        return Rows(
            positions=torch.cat([torch.arange(1, length + 1) for length in lengths]),
            values=torch.cat([values for values, _ in parts])[index],
            importance=torch.cat([scores for _, scores in parts])[index],
            lengths=lengths,
        )

    def _tokens(self, text: str, sees: bool) -> list[int]:
        """Return a text's tokens; a text task sends at least one."""
        tokens = self.backbone.tokenizer.encode(text, MAX_TOKENS)
        return tokens if tokens or sees else self.backbone.tokenizer.encode_some(" ", MAX_TOKENS)

    def _features(self, sample: Sample, task: str) -> Tensor:
        """Return a picture's features, shape [16, 1280]."""
        picture = sample.picture
        if picture is None:
            raise CodecError(f"sample {sample.id} of task {task} has no picture")
        trunk = self._pictures.get(picture)
        if trunk is None:
            from models.vision.efficientnet import pixels_of

            trunk = self.vision.trunk(pixels_of([picture]))[0]
            self._pictures[picture] = trunk
            if len(self._pictures) > _KEPT_PICTURES:
                self._pictures.popitem(last=False)
        return self.vision.top(trunk)

    def _project(self, rows: Tensor, score: str, kind: str) -> tuple[Tensor, Tensor]:
        """Return values and importances of rows."""
        tensors = self.weights.tensors
        centred = rows - tensors[f"{kind}.mean"]
        values = tiled_linear(centred, tensors[f"{kind}.encoder"])
        weights = tensors[f"importance.{score}"]
        scores = tiled_linear(centred, weights[None, :-1])[:, 0] + weights[-1]
        return values, scores.clamp(0.0, 1.0)

    @torch.no_grad()
    def classify(
        self, positions: Tensor, values: Tensor, lengths: Sequence[int], task: str
    ) -> list[Decoded]:
        """Return the answers to packed rows.

        Args:
            positions: as in `Rows`.
            values: the first so many values of each row, shape [rows, values].
            lengths: rows of each sample, at least one each.
            task: name.
        """
        tensors = self.weights.tensors
        used = values.shape[1]
        seen = positions <= POSITIONS if self.sees(task) else torch.zeros(len(positions)).bool()
        hidden = torch.empty(len(positions), self.backbone.geometry.hidden)
        for kind, chosen in (("vision", seen), ("text", ~seen)):
            if bool(chosen.any()):
                decoder = tensors[f"{kind}.decoder"][:, :used].contiguous()
                stream = tiled_linear(values[chosen], decoder) + tensors[f"{kind}.offset"]
                hidden[chosen] = stream
        first = int(self.weights.meta["cut"])
        return self._edge(task).classify(hidden, positions, list(lengths), first)

    @property
    def codebooks(self) -> dict[str, Tensor]:
        """Return the entries of both kinds of row, [groups, entries, values of a group] each.

        Raises:
            CodecError: there are no codebooks for these weights.
        """
        return self._beside(CODEBOOKS, "train_codebooks").tensors

    def books(self, task: str, positions: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Return, for each kind of row, which rows are of it and its codebooks.

        Raises:
            CodecError: there are no codebooks for these weights.
        """
        tensors = self.codebooks
        seen = positions <= POSITIONS if self.sees(task) else torch.zeros(len(positions)).bool()
        return [(seen, tensors["vision"]), (~seen, tensors["text"])]

    def coder(self, task: str, rung: Rung) -> UnitCoder:
        """Return the entropy coder of a task's units.

        Raises:
            CodecError: there are no frequencies for these weights.
        """
        tensors = self._beside(FREQUENCIES, "count_levels").tensors
        kind = "vq" if rung.vector else f"int{rung.bits}"
        counts = {name: tensors[f"{name}.{kind}"] for name in ("vision", "text")}
        counts["positions"] = tensors[f"{task}.positions"]
        return UnitCoder(counts, POSITIONS if self.sees(task) else 0, rung)

    def made_for(self, rung: Rung) -> tuple[str, ...]:
        """Return the fingerprints of what a rung needs beside the weights.

        Raises:
            CodecError: it is missing, or for other weights.
        """
        made = []
        if rung.vector:
            made.append(self._beside(CODEBOOKS, "train_codebooks").fingerprint)
        if rung.coded:
            made.append(self._beside(FREQUENCIES, "count_levels").fingerprint)
        return tuple(made)

    def _beside(self, kind: str, command: str) -> CodecWeights:
        """Return what was made for these weights and is in a file of its own."""
        name = kind.replace(WEIGHTS, self._name)
        remedy = f"python -m models.training.{command}"
        if self._name != WEIGHTS:
            remedy = f"{remedy} makes it for {WEIGHTS} only: take a rung without it"
        if not (self._folder / f"{name}.safetensors").is_file():
            raise CodecError(f"{name}.safetensors is not in {self._folder}: {remedy}")
        shared = load_shared_weights(name, self._folder)
        if shared.meta["weights"] != self.weights.fingerprint:
            raise CodecError(
                f"{name} in {self._folder} is for other weights of codec {self._name}: {remedy}"
            )
        return shared

    def nothing(self, task: str) -> Decoded:
        """Return the answer without any row."""
        return self._edge(task).nothing

    def device_cost(self, rows: int, task: str) -> tuple[float, float]:
        """Return operations and memory traffic of `analyse` for a sample of so many rows."""
        operations = traffic = 0.0
        tokens = rows
        matrix = self.weights.tensors["text.encoder"].numel()
        if self.sees(task):
            tokens = rows - POSITIONS
            sent = self.weights.tensors["vision.encoder"].numel()
            operations += OPERATIONS + 2.0 * POSITIONS * (sent + TRUNK * FEATURES)
            traffic += self.vision.weight_bytes + 4.0 * sent
        if tokens > 0:
            layers = int(self.weights.meta["cut"])
            more = self.backbone.geometry.cost(tokens, layers)
            operations += more[0] + 2.0 * tokens * matrix
            traffic += more[1] + 4.0 * matrix
        return operations, traffic

    def edge_cost(self, rows: int) -> tuple[float, float]:
        """Return operations and memory traffic of `classify` for a sample of so many rows."""
        meta, matrix = self.weights.meta, self.weights.tensors["text.decoder"].numel()
        operations, traffic = self.backbone.geometry.cost(
            rows, int(meta["last"]) - int(meta["cut"])
        )
        return operations + 2.0 * rows * matrix, traffic + 4.0 * matrix

    def _edge(self, task: str) -> EdgeClassifier:
        if task not in self._edges:
            self._edges[task] = EdgeClassifier(self.backbone, of_task(self.weights, task))
        return self._edges[task]
