# SPDX-License-Identifier: MIT
"""What is trained of codec "llm-multi": projections, one adapted model, a head a task."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from models.backbone import Adapters, Backbone
from models.backbone.packing import spans
from models.codecs.edge import pool
from models.codecs.quantiser import Rung, straight_through
from models.training.modules import VARIANCE_WEIGHT
from models.vision import VisionEncoder
from models.vision.efficientnet import POSITIONS


@dataclass(frozen=True)
class Item:
    """A sample at the cut.

    Attributes:
        task: number of its task.
        label: of the sample.
        vision: trunk features, bfloat16 of shape [16, 320], or None.
        text: residual stream of its tokens, bfloat16 of shape [tokens, hidden], or None.
    """

    task: int
    label: int
    vision: Tensor | None
    text: Tensor | None

    @property
    def units(self) -> int:
        """Return how many units it has: picture positions first, then tokens."""
        seen = 0 if self.vision is None else POSITIONS
        return seen + (0 if self.text is None else len(self.text))


@dataclass(frozen=True)
class Noise:
    """White noise on values that travel as symbols, two a symbol.

    Attributes:
        power: of the noise over that of a symbol.
        generator: draws it.
    """

    power: float
    generator: torch.Generator

    def received(self, values: Tensor) -> Tensor:
        """Return the linear least-squares estimate of values of unit variance, clipped at 3 σ."""
        drawn = torch.randn(values.shape, generator=self.generator)
        return (values.clamp(-3.0, 3.0) + math.sqrt(self.power) * drawn) / (1.0 + self.power)


class Projection(nn.Module):
    """A linear encoder to few values, the quantiser, and a linear decoder to the model's stream.

    Args:
        encoder: shape [values, in]; gives about unit variance of each value.
        decoder: shape [hidden, values].
        mean: of the inputs, shape [in].
        offset: of the outputs, shape [hidden].
    """

    mean: Tensor
    gain: Tensor
    deviation: Tensor

    def __init__(self, encoder: Tensor, decoder: Tensor, mean: Tensor, offset: Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        # Unit lengths are trained and these scales are not, so that one learning rate fits all.
        self.register_buffer("gain", encoder.norm(dim=1))
        self.register_buffer("deviation", decoder.norm(dim=0))
        self.encoder = nn.Parameter(encoder / self.gain[:, None])
        self.decoder = nn.Parameter(decoder / self.deviation)
        self.offset = nn.Parameter(offset.clone())

    def forward(self, rows: Tensor, rung: Rung | None, noise: Noise | None = None) -> Tensor:
        """Return the stream as the edge gets it; without a rung nothing is quantised.

        With noise the values travel as symbols, two in each, and are not quantised.
        """
        used = slice(0, rung.dimensions if rung else len(self.gain))
        values = (rows - self.mean) @ self.encoder[used].T * self.gain[used]
        if noise is not None:
            values = noise.received(values)
        elif rung is not None:
            values = straight_through(values, rung.bits)
        return (values * self.deviation[used]) @ self.decoder[:, used].T + self.offset

    def tensors(self, name: str) -> dict[str, Tensor]:
        """Return what the codec reads."""
        return {
            f"{name}.mean": self.mean.clone(),
            f"{name}.encoder": (self.encoder * self.gain[:, None]).detach().clone(),
            f"{name}.decoder": (self.decoder * self.deviation).detach().clone(),
            f"{name}.offset": self.offset.detach().clone(),
        }


def principal(rows: Tensor, sensitivity: Tensor, values: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return encoder, decoder and mean by weighted principal components.

    See `models.training.modules.Bottleneck`, which explains the weighting.

    Args:
        rows: shape [rows, in].
        sensitivity: Σ of outer products of the answers' gradients, shape [in, in].
        values: how many are kept.
    """
    mean = rows.mean(0)
    centred = rows - mean
    covariance = centred.T @ centred / len(rows)
    weight = sensitivity / (sensitivity * covariance).sum()
    weight = weight + VARIANCE_WEIGHT * torch.eye(len(mean)) / covariance.trace()
    spread, vectors = torch.linalg.eigh(covariance)
    spread = spread.clamp_min(1e-6 * float(spread.max()))
    root = vectors @ torch.diag(spread.sqrt()) @ vectors.T
    inverse = vectors @ torch.diag(spread.rsqrt()) @ vectors.T
    kept = torch.linalg.eigh(root @ weight @ root)[1].flip(1)[:, :values]
    return (inverse @ kept).T, root @ kept, mean


class MultiModel(nn.Module):
    """One language model for all tasks: shared projections and low-rank changes, a head a task.

    Args:
        backbone: frozen.
        vision: frozen.
        text: tokens' projection.
        seen: picture positions' projection.
        adapters: `down.N` and `up.N` to start from.
        heads: pooling query, weight and bias a task, to start from.
        cut: first layer at the edge.
        last: number after the last layer.
    """

    def __init__(
        self,
        backbone: Backbone,
        vision: VisionEncoder,
        *,
        text: Projection,
        seen: Projection,
        adapters: Mapping[str, Tensor],
        heads: Sequence[tuple[Tensor, Tensor, Tensor]],
        cut: int,
        last: int,
    ) -> None:
        super().__init__()
        self._backbone, self._vision, self.cut, self.last = backbone, vision, cut, last
        self.text, self.seen = text, seen
        numbers = [str(number) for number in range(cut, last)]
        self.down = nn.ParameterDict({n: adapters[f"down.{n}"].clone() for n in numbers})
        self.up = nn.ParameterDict({n: adapters[f"up.{n}"].clone() for n in numbers})
        self.pools = nn.ParameterList([nn.Parameter(q.clone()) for q, _, _ in heads])
        self.weights = nn.ParameterList([nn.Parameter(w.clone()) for _, w, _ in heads])
        self.biases = nn.ParameterList([nn.Parameter(b.clone()) for _, _, b in heads])

    def forward(
        self,
        items: Sequence[Item],
        kept: Sequence[Tensor],
        rung: Rung | None,
        noise: Noise | None = None,
    ) -> list[Tensor]:
        """Return class scores, shape [labels of its task], of each item.

        Args:
            items: what is sent.
            kept: ascending unit numbers, from 0, of each item.
            rung: of all, or None without quantisation.
            noise: on symbols, in the place of quantisation; None: bits.
        """
        return self.answer(*self.arrive(items, kept, rung, noise), [item.task for item in items])

    def arrive(
        self,
        items: Sequence[Item],
        kept: Sequence[Tensor],
        rung: Rung | None,
        noise: Noise | None = None,
    ) -> tuple[Tensor, Tensor, list[int]]:
        """Return the packed stream at the cut, positions and lengths."""
        seen, read, order = [], [], []
        for item, chosen in zip(items, kept, strict=True):
            count = 0 if item.vision is None else POSITIONS
            if item.vision is not None:
                seen.append(item.vision[chosen[chosen < count]])
            if item.text is not None:
                read.append(item.text[chosen[chosen >= count] - count])
        streams, first = [], 0
        if seen:
            features = self._vision.top(torch.cat(seen).float())
            streams.append(self.seen(features, rung, noise))
            first = len(features)
        if read:
            streams.append(self.text(torch.cat(read).float(), rung, noise))
        at = [0, first]
        for item, chosen in zip(items, kept, strict=True):
            count = 0 if item.vision is None else POSITIONS
            for kind, size in enumerate(
                (int((chosen < count).sum()), int((chosen >= count).sum()))
            ):
                order.append(torch.arange(at[kind], at[kind] + size))
                at[kind] += size
        lengths = [len(chosen) for chosen in kept]
        return torch.cat(streams)[torch.cat(order)], torch.cat(list(kept)) + 1, lengths

    def answer(
        self, hidden: Tensor, positions: Tensor, lengths: Sequence[int], tasks: Sequence[int]
    ) -> list[Tensor]:
        """Return class scores of each packed sequence at the cut."""
        adapters = Adapters(
            "training",
            {int(n): p for n, p in self.down.items()},
            {int(n): p for n, p in self.up.items()},
        )
        stream = self._backbone.run(hidden, positions, lengths, self.cut, self.last, adapters)
        rows = self._backbone.normalise(stream)
        return [
            self.weights[task] @ pool(rows[part], self.pools[task]) + self.biases[task]
            for part, task in zip(spans(lengths), tasks, strict=True)
        ]

    def tensors(self, tasks: Sequence[str]) -> dict[str, Tensor]:
        """Return what the codec reads."""
        out = {f"down.{n}": p for n, p in self.down.items()}
        out |= {f"up.{n}": p for n, p in self.up.items()}
        for number, task in enumerate(tasks):
            out[f"pool.{task}"] = self.pools[number]
            out[f"head.{task}.weight"] = self.weights[number]
            out[f"head.{task}.bias"] = self.biases[number]
        out = {name: value.detach().clone() for name, value in out.items()}
        return out | self.text.tensors("text") | self.seen.tensors("vision")
