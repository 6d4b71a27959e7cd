# SPDX-License-Identifier: MIT
"""What trains the text codecs: the steps that `train_llm_token` puts together."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.backbone import DEFAULT_BACKBONE, Backbone, BackboneError, load_backbone
from models.codecs.quantiser import MAX_DIMENSIONS, Rung, parse_rung
from models.tasks import Task
from models.training.config import (
    LOSS_FREE_CHANCE,
    MAX_LOSS,
    RUNG_CHANCES,
    TOP_CHANCE,
    Config,
)
from models.training.features import Features, features_at, pack
from models.training.modules import Bottleneck, EdgeModel


@dataclass(frozen=True)
class Probe:
    """What the clean edge model's answers hang on.

    Attributes:
        mean: of the tokens at the cut, shape [hidden].
        slopes: gradients at the first training tokens, shape [tokens, hidden].
        weights: of the importance score, shape [hidden].
        offset: of the importance score.
    """

    mean: Tensor
    slopes: Tensor
    weights: Tensor
    offset: Tensor

    def top(self, row: Tensor, share: float) -> Tensor:
        """Return a sample's tokens without its `share` least important ones, ascending."""
        scores = (row.float() - self.mean) @ self.weights
        count = max(1, round(len(row) * (1 - share)))
        return scores.topk(count).indices.sort().values


class Trainer:
    """One run for one task.

    Args:
        task: what is learned.
        config: the run's numbers.
        backbone: name of the language model.
        allow_hub: whether it may be fetched.

    Raises:
        BackboneError: it cannot be loaded, or is too narrow for the bottleneck.
    """

    def __init__(
        self,
        task: Task,
        config: Config,
        *,
        backbone: str = DEFAULT_BACKBONE,
        allow_hub: bool = False,
    ) -> None:
        self.task, self.config = task, config
        self.generator = torch.Generator().manual_seed(config.seed)
        self.backbone: Backbone = load_backbone(backbone, layers=config.last, allow_hub=allow_hub)
        hidden = self.backbone.geometry.hidden
        if hidden < MAX_DIMENSIONS:
            raise BackboneError(
                f"model {backbone} has a stream of {hidden} values, a token's unit takes "
                f"{MAX_DIMENSIONS} of it: a wider model works"
            )
        self.started = time.monotonic()
        self.train = features_at(self.backbone, task.train[: config.samples], config.cut)
        self.valid = features_at(
            self.backbone, task.validation[: config.validation_samples], config.cut
        )
        self.say(f"{len(self.train)} + {len(self.valid)} samples at the cut")

    def say(self, text: str) -> None:
        """Print a line with the time since the start."""
        print(f"[{self.task.name} {time.monotonic() - self.started:6.1f} s] {text}", flush=True)

    def random(self) -> float:
        """Return a number in [0, 1)."""
        return float(torch.rand((), generator=self.generator))

    def new_edge(self) -> EdgeModel:
        """Return an untrained edge model."""
        config = self.config
        return EdgeModel(
            self.backbone,
            cut=config.cut,
            last=config.last,
            rank=config.rank,
            labels=len(self.task.labels),
            generator=self.generator,
        )

    def batches(self, steps: int) -> list[Tensor]:
        """Return sample numbers of each step: passes over the data in random orders."""
        size = self.config.batch
        order: list[Tensor] = []
        while sum(map(len, order)) < steps * size:
            order.append(torch.randperm(len(self.train), generator=self.generator))
        return list(torch.split(torch.cat(order)[: steps * size], size))

    def optimise(
        self, groups: list[dict[str, Any]], steps: int, loss_of: Callable[[Tensor], Tensor]
    ) -> None:
        """Run AdamW with a short warm-up and a cosine to zero."""
        optimiser = torch.optim.AdamW(groups, weight_decay=self.config.weight_decay)
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimiser,
            lambda step: min((step + 1) / 20, 0.5 * (1 + math.cos(math.pi * step / steps))),
        )
        mean = 0.0
        for step, chosen in enumerate(self.batches(steps), 1):
            optimiser.zero_grad()
            loss = loss_of(chosen)
            loss.backward()  # type: ignore[no-untyped-call]
            parameters = [p for group in groups for p in group["params"]]
            nn.utils.clip_grad_norm_(parameters, 1.0)
            optimiser.step()
            schedule.step()
            mean += float(loss.detach())
            if step % 100 == 0:
                self.say(f"step {step}: mean loss {mean / 100:.3f}")
                mean = 0.0

    def edge_groups(self, edge: EdgeModel) -> list[dict[str, Any]]:
        """Return an edge model's parameters with their learning rates."""
        config = self.config
        adapters = [*edge.down.parameters(), *edge.up.parameters()]
        head = [edge.pool, *edge.head.parameters()]
        return [
            {"params": adapters, "lr": config.adapter_rate},
            {"params": head, "lr": config.head_rate},
        ]

    def train_clean(self) -> EdgeModel:
        """Train the baseline's edge model."""
        edge = self.new_edge()

        def loss_of(chosen: Tensor) -> Tensor:
            rows = [self.train.rows[i] for i in chosen.tolist()]
            scores = edge(*pack(rows, [torch.arange(len(row)) for row in rows]))
            return functional.cross_entropy(scores, self.train.labels[chosen])

        self.optimise(self.edge_groups(edge), self.config.clean_steps, loss_of)
        return edge

    def probe(self, teacher: EdgeModel, count: int = 1500) -> "Probe":
        """Ask the clean edge model what its answers hang on, and fit the importance score.

        The gradient is that of the margin between the two best labels. A token's importance is its
        rank, in its text, by |gradient · deviation from the mean|: to first order, by how much the
        margin changes if the token becomes an average one.
        """
        rows = self.train.rows[:count]
        mean = torch.cat(rows).float().mean(0)
        slopes, targets = [], []
        for first in range(0, len(rows), self.config.batch):
            batch = rows[first : first + self.config.batch]
            hidden, positions, lengths = pack(batch, [torch.arange(len(row)) for row in batch])
            hidden.requires_grad_()
            best = teacher(hidden, positions, lengths).topk(2, dim=-1).values
            (slope,) = torch.autograd.grad((best[:, 0] - best[:, 1]).sum(), hidden)
            slopes.append(slope)
            hanging = (slope * (hidden.detach() - mean)).sum(-1).abs()
            for part in torch.split(hanging, lengths):
                targets.append((part.argsort().argsort().float() + 0.5) / len(part))
        features, wanted = torch.cat(rows).float() - mean, torch.cat(targets)
        offset = wanted.mean()
        gram = features.T @ features
        ridge = 1e-3 * float(gram.diagonal().mean())
        weights = torch.linalg.solve(
            gram + ridge * torch.eye(len(gram)), features.T @ (wanted - offset)
        )
        match = torch.corrcoef(torch.stack([features @ weights + offset, wanted]))[0, 1]
        self.say(f"importance: correlation with its target {float(match):.3f}")
        return Probe(mean, torch.cat(slopes), weights, offset)

    def train_token(self, teacher: EdgeModel, probe: "Probe") -> tuple[EdgeModel, Bottleneck]:
        """Train the split codec's bottleneck and edge model."""
        rows = torch.cat(self.train.rows)[: len(probe.slopes)].float()
        bottleneck = Bottleneck(rows, probe.slopes, MAX_DIMENSIONS)
        self.say(f"{MAX_DIMENSIONS} dimensions hold {bottleneck.kept_variance:.3f} of the variance")
        edge = self.new_edge()
        edge.load_state_dict(teacher.state_dict())
        rungs = [parse_rung(name) for name in RUNG_CHANCES]
        chances = torch.tensor(list(RUNG_CHANCES.values()))
        weight = self.config.distil

        def loss_of(chosen: Tensor) -> Tensor:
            rows = [self.train.rows[i] for i in chosen.tolist()]
            with torch.no_grad():
                taught = teacher(*pack(rows, [torch.arange(len(row)) for row in rows]))
            self.backbone.forget("training")
            rung = rungs[int(torch.multinomial(chances, 1, generator=self.generator))]
            hidden, positions, lengths = pack(rows, self.survivors(rows, probe))
            scores = edge(bottleneck(hidden, rung), positions, lengths)
            hard = functional.cross_entropy(scores, self.train.labels[chosen])
            soft = functional.kl_div(
                scores.log_softmax(-1),
                taught.log_softmax(-1),
                log_target=True,
                reduction="batchmean",
            )
            return (1 - weight) * hard + weight * soft

        groups = self.edge_groups(edge)
        matrices = [bottleneck.encoder, bottleneck.decoder]
        groups.append({"params": matrices, "lr": self.config.bottleneck_rate})
        self.optimise(groups, self.config.token_steps, loss_of)
        return edge, bottleneck

    def survivors(self, rows: Sequence[Tensor], probe: "Probe") -> list[Tensor]:
        """Return the tokens that each sample of a step keeps: all, the top, or some by chance."""
        drawn = self.random()
        if drawn < LOSS_FREE_CHANCE:
            return [self.keep(len(row), 0.0) for row in rows]
        share = MAX_LOSS * self.random()
        if drawn < LOSS_FREE_CHANCE + TOP_CHANCE:
            return [probe.top(row, share) for row in rows]
        return [self.keep(len(row), share) for row in rows]

    def keep(self, length: int, share: float) -> Tensor:
        """Return the tokens that survive independent loss, at least one."""
        kept = torch.rand(length, generator=self.generator) >= share
        if not kept.any():
            kept[int(torch.randint(length, (), generator=self.generator))] = True
        return kept.nonzero()[:, 0]

    @torch.no_grad()
    def scores(
        self,
        edge: EdgeModel,
        data: Features,
        bottleneck: Bottleneck | None,
        rung: Rung | None,
        share: float,
    ) -> Tensor:
        """Return class scores of `data` with a share of tokens lost, shape [samples, labels]."""
        out = []
        for first in range(0, len(data), 64):
            rows = data.rows[first : first + 64]
            hidden, positions, lengths = pack(rows, [self.keep(len(r), share) for r in rows])
            if bottleneck is not None and rung is not None:
                hidden = bottleneck(hidden, rung)
            out.append(edge(hidden, positions, lengths))
            self.backbone.forget("training")
        return torch.cat(out)

    def calibrate(self, scores: Tensor, labels: Tensor) -> tuple[float, float]:
        """Return temperature (least log loss) and threshold (accuracy of accepted)."""
        return calibrate_scores(scores, labels, self.config.accept_accuracy)


def calibrate_scores(scores: Tensor, labels: Tensor, accept_accuracy: float) -> tuple[float, float]:
    """Return the temperature with the least log loss, and the threshold of acceptance.

    The threshold is the least confidence from which on answers reach `accept_accuracy`.

    Args:
        scores: class scores, shape [samples, labels].
        labels: shape [samples].
        accept_accuracy: of the accepted ones.
    """
    grid = [0.5 * 1.05**k for k in range(60)]
    losses = [float(functional.cross_entropy(scores / t, labels)) for t in grid]
    temperature = grid[losses.index(min(losses))]
    chances, predictions = (scores / temperature).softmax(-1).max(-1)
    order = chances.argsort(descending=True)
    right = (predictions == labels)[order].float().cumsum(0)
    accuracy = right / torch.arange(1, len(right) + 1)
    good = (accuracy >= accept_accuracy).nonzero()
    last = int(good[-1]) if len(good) else 0
    return temperature, float(chances[order][last])


def accuracy(scores: Tensor, labels: Tensor) -> float:
    """Return the share of right predictions."""
    return float((scores.argmax(-1) == labels).float().mean())
