# SPDX-License-Identifier: MIT
"""What is trained: low-rank changes, pooling and head at the edge, and the linear bottleneck."""

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from models.backbone import Adapters, Backbone
from models.backbone.packing import spans
from models.codecs.edge import pool
from models.codecs.quantiser import Rung, straight_through

VARIANCE_WEIGHT = 0.1
"""λ of the bottleneck's initial directions."""


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

    def read(self, tensors: Mapping[str, Tensor]) -> None:
        """Take over what `tensors` gave."""
        for n in self.down:
            self.down[n].data.copy_(tensors[f"down.{n}"])
            self.up[n].data.copy_(tensors[f"up.{n}"])
        self.pool.data.copy_(tensors["pool"])
        self.head.weight.data.copy_(tensors["head.weight"])
        self.head.bias.data.copy_(tensors["head.bias"])

    def tensors(self) -> dict[str, Tensor]:
        """Return what `models.codecs.edge` reads."""
        out = {f"down.{n}": p for n, p in self.down.items()}
        out |= {f"up.{n}": p for n, p in self.up.items()}
        out |= {"pool": self.pool, "head.weight": self.head.weight, "head.bias": self.head.bias}
        return {name: value.detach().clone() for name, value in out.items()}


class Bottleneck(nn.Module):
    """Linear encoder and decoder around the quantiser, first as weighted principal components.

    Plain components keep the directions in which tokens vary most; the answer may hang on others.
    With Σ the covariance of the tokens and G that of the gradients which the answer sends back to
    them, the kept directions are the leading eigenvectors U of Σ^½ W Σ^½, W = G/tr(GΣ) + λ·I/tr(Σ):
    the encoder UᵀΣ^-½ gives values of unit variance, most telling first, and the decoder Σ^½U is
    the linear estimate of the token from them with the least squared error.

    Args:
        rows: residual streams at the cut of training tokens, shape [tokens, hidden].
        slopes: gradients at these tokens, same shape.
        dimensions: values of a token.
    """

    mean: Tensor
    gain: Tensor
    deviation: Tensor

    def __init__(self, rows: Tensor, slopes: Tensor, dimensions: int) -> None:
        super().__init__()
        mean = rows.mean(0)
        centred = rows - mean
        covariance = centred.T @ centred / len(rows)
        sensitivity = slopes.T @ slopes / len(slopes)
        weight = sensitivity / (sensitivity * covariance).sum()
        weight += VARIANCE_WEIGHT * torch.eye(len(mean)) / covariance.trace()
        values, vectors = torch.linalg.eigh(covariance)
        values = values.clamp_min(1e-6 * float(values.max()))
        root = vectors @ torch.diag(values.sqrt()) @ vectors.T
        inverse = vectors @ torch.diag(values.rsqrt()) @ vectors.T
        kept = torch.linalg.eigh(root @ weight @ root)[1].flip(1)[:, :dimensions]
        encoder, decoder = (inverse @ kept).T, root @ kept
        self.kept_variance = float(decoder.square().sum() / covariance.trace())
        # Unit lengths are trained and these scales are not, so that one learning rate fits all.
        self.register_buffer("mean", mean)
        self.register_buffer("gain", encoder.norm(dim=1))
        self.register_buffer("deviation", decoder.norm(dim=0))
        self.encoder = nn.Parameter(encoder / self.gain[:, None])
        self.decoder = nn.Parameter(decoder / self.deviation)

    def forward(self, hidden: Tensor, rung: Rung) -> Tensor:
        """Return the residual stream as the edge gets it, shape [tokens, hidden]."""
        used = slice(0, rung.dimensions)
        values = (hidden - self.mean) @ self.encoder[used].T * self.gain[used]
        values = straight_through(values, rung.bits)
        return (values * self.deviation[used]) @ self.decoder[:, used].T + self.mean

    def tensors(self) -> dict[str, Tensor]:
        """Return what `models.codecs.llm_token` reads."""
        return {
            "mean": self.mean.clone(),
            "encoder": (self.encoder * self.gain[:, None]).detach().clone(),
            "decoder": (self.decoder * self.deviation).detach().clone(),
        }
