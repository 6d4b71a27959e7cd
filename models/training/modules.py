# SPDX-License-Identifier: MIT
"""What is trained: low-rank changes, pooling and head at the edge, and the linear bottleneck."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from models.backbone import Adapters, Backbone
from models.backbone.packing import spans
from models.codecs.edge import pool
from models.codecs.quantiser import Rung, straight_through


class EdgeModel(nn.Module):
    """The edge's layers, as in `models.codecs.edge`, with gradients.

    Args:
        backbone: frozen.
        cut: first layer at the edge.
        last: number after the last layer.
        rank: of the low-rank changes.
        labels: number of classes.
        generator: for the initial values.
    """

    def __init__(
        self,
        backbone: Backbone,
        *,
        cut: int,
        last: int,
        rank: int,
        labels: int,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self._backbone, self.cut, self.last = backbone, cut, last
        hidden, joint = backbone.geometry.hidden, backbone.joint_rows
        numbers = [str(number) for number in range(cut, last)]
        scale = 1 / math.sqrt(hidden)
        self.down = nn.ParameterDict(
            {n: torch.randn(rank, hidden, generator=generator) * scale for n in numbers}
        )
        self.up = nn.ParameterDict({n: torch.zeros(joint, rank) for n in numbers})
        self.pool = nn.Parameter(torch.zeros(hidden))
        self.head = nn.Linear(hidden, labels)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, hidden: Tensor, positions: Tensor, lengths: Sequence[int]) -> Tensor:
        """Return class scores, shape [sequences, labels], of packed sequences at the cut."""
        adapters = Adapters(
            "training",
            {int(n): p for n, p in self.down.items()},
            {int(n): p for n, p in self.up.items()},
        )
        stream = self._backbone.run(hidden, positions, lengths, self.cut, self.last, adapters)
        rows = self._backbone.normalise(stream)
        pooled = torch.stack([pool(rows[part], self.pool) for part in spans(lengths)])
        scores: Tensor = self.head(pooled)
        return scores

    def tensors(self) -> dict[str, Tensor]:
        """Return what `models.codecs.edge` reads."""
        out = {f"down.{n}": p for n, p in self.down.items()}
        out |= {f"up.{n}": p for n, p in self.up.items()}
        out |= {"pool": self.pool, "head.weight": self.head.weight, "head.bias": self.head.bias}
        return {name: value.detach().clone() for name, value in out.items()}


class Bottleneck(nn.Module):
    """Linear encoder and decoder around the quantiser, first as whitened principal components.

    The trained matrices have rows of about unit length; deviations stay outside, so that one
    learning rate fits both.

    Args:
        rows: residual streams at the cut of training tokens, shape [tokens, hidden].
        dimensions: values of a token.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, rows: Tensor, dimensions: int) -> None:
        super().__init__()
        mean = rows.mean(0)
        centred = rows - mean
        values, vectors = torch.linalg.eigh(centred.T @ centred / len(rows))
        order = values.argsort(descending=True)[:dimensions]
        self.kept_variance = float(values[order].sum() / values.sum())
        self.register_buffer("mean", mean)
        self.register_buffer("deviation", values[order].sqrt())
        self.encoder = nn.Parameter(vectors[:, order].T.contiguous())
        self.decoder = nn.Parameter(vectors[:, order].contiguous())

    def forward(self, hidden: Tensor, rung: Rung) -> Tensor:
        """Return the residual stream as the edge gets it, shape [tokens, hidden]."""
        used = slice(0, rung.dimensions)
        values = (hidden - self.mean) @ self.encoder[used].T / self.deviation[used]
        values = straight_through(values, rung.bits)
        return (values * self.deviation[used]) @ self.decoder[:, used].T + self.mean

    def tensors(self) -> dict[str, Tensor]:
        """Return what `models.codecs.llm_token` reads."""
        return {
            "mean": self.mean.clone(),
            "encoder": (self.encoder / self.deviation[:, None]).detach().clone(),
            "decoder": (self.decoder * self.deviation).detach().clone(),
        }
