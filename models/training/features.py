# SPDX-License-Identifier: MIT
"""Residual streams at the cut for a split, computed once for a training run."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from models.backbone import Backbone
from models.backbone.packing import spans
from models.codecs.llm_token import MAX_TOKENS
from models.tasks import Sample

_BATCH = 64


@dataclass(frozen=True)
class Features:
    """Samples at the cut.

    Attributes:
        rows: residual stream of each sample, bfloat16 of shape [tokens of it, hidden].
        labels: of the samples, shape [samples].
    """

    rows: list[Tensor]
    labels: Tensor

    def __len__(self) -> int:
        return len(self.rows)


@torch.no_grad()
def features_at(backbone: Backbone, samples: Sequence[Sample], cut: int) -> Features:
    """Run the device's layers over samples."""
    rows: list[Tensor] = []
    for first in range(0, len(samples), _BATCH):
        texts = [sample.text for sample in samples[first : first + _BATCH]]
        numbers = [backbone.tokenizer.encode_some(text, MAX_TOKENS) for text in texts]
        lengths = [len(row) for row in numbers]
        positions = torch.cat([torch.arange(1, length + 1) for length in lengths])
        hidden = backbone.embed([token for row in numbers for token in row])
        hidden = backbone.run(hidden, positions, lengths, 0, cut)
        rows += [hidden[part].to(torch.bfloat16) for part in spans(lengths)]
    return Features(rows, torch.tensor([sample.label for sample in samples]))


def pack(rows: Sequence[Tensor], kept: Sequence[Tensor]) -> tuple[Tensor, Tensor, list[int]]:
    """Return packed rows, their positions and lengths.

    Args:
        rows: residual streams of samples.
        kept: ascending token numbers, from 0, that each sample keeps.
    """
    hidden = torch.cat([row[index] for row, index in zip(rows, kept, strict=True)]).float()
    return hidden, torch.cat(list(kept)) + 1, [len(index) for index in kept]
