# SPDX-License-Identifier: MIT
"""Samples of all tasks of codec "llm-multi" at the cut, and the frozen models that made them."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from models.assets.cache import cache_folder
from models.backbone import Backbone, load_backbone
from models.tasks import Sample, get_task
from models.training.features import features_at
from models.training.multi_model import Item
from models.vision import load_vision
from models.vision.efficientnet import pixels_of

TASKS = ("sentiment", "topic", "image", "vqa")


class MultiData:
    """What a run trains on.

    Args:
        samples: training samples of each task, the first by content hash.
        validation_samples: of each task at most.
        cut: first layer at the edge.
        last: number after the last layer.
        say: told what was read.

    Attributes:
        train: items of each task.
        valid: items of each task.
    """

    def __init__(
        self,
        *,
        samples: Sequence[int],
        validation_samples: int,
        cut: int,
        last: int,
        say: Callable[[str], None],
    ) -> None:
        self.cut, self.last = cut, last
        self._say = say
        self.backbone: Backbone = load_backbone(layers=last)
        self.vision = load_vision()
        self.tasks = [get_task(name) for name in TASKS]
        numbers = range(len(TASKS))
        self.train = [self.items(n, "train", samples[n]) for n in numbers]
        self.valid = [self.items(n, "validation", validation_samples) for n in numbers]

    def items(self, number: int, split: str, count: int) -> list[Item]:
        """Return samples at the cut, kept in the cache folder for the next run."""
        task = self.tasks[number]
        samples = task.splits[split][:count]
        mark = f"{task.data_hash[:12]}-{self.backbone.fingerprint}-{self.vision.fingerprint}"
        path = cache_folder("training") / f"{task.name}-{split}-{count}-{self.cut}-{mark}.pt"
        if path.is_file():
            texts, seen = torch.load(path, weights_only=True)
        else:
            texts, seen = self.texts(samples), self.pictures(samples)
            torch.save((texts, seen), path)
        self._say(f"{task.name} {split}: {len(samples)} samples")
        return [
            Item(number, s.label, seen[i] if seen else None, texts[i] if texts else None)
            for i, s in enumerate(samples)
        ]

    def texts(self, samples: Sequence[Sample]) -> list[Tensor]:
        """Return the residual streams at the cut; each text once."""
        distinct = {s.text: s for s in samples}
        if set(distinct) == {""}:
            return []
        rows = features_at(self.backbone, list(distinct.values()), self.cut).rows
        known = dict(zip(distinct, rows, strict=True))
        return [known[s.text].clone() for s in samples]

    def pictures(self, samples: Sequence[Sample]) -> list[Tensor]:
        """Return trunk features; each picture once."""
        if samples[0].picture is None:
            return []
        distinct = list(dict.fromkeys(s.picture for s in samples if s.picture is not None))
        rows = [
            self.vision.trunk(pixels_of(distinct[first : first + 32])).to(torch.bfloat16)
            for first in range(0, len(distinct), 32)
        ]
        known = dict(zip(distinct, torch.cat(rows), strict=True))
        return [known[s.picture].clone() for s in samples if s.picture is not None]
