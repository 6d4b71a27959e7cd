# SPDX-License-Identifier: MIT
"""Train the weights of both text codecs for one task, on a CPU, from a seed.

    python -m models.training.train_llm_token --task sentiment

First the baseline's edge model (low-rank changes and head on the clean residual stream), then the
split codec: bottleneck, low-rank changes and head together, under random rungs and random loss of
tokens, taught by the labels and by the baseline's own answers. Then a linear score of each token's
importance is fitted to the gradient that the trained edge model sends back to it, and confidence
and threshold are set on validation data.
"""

import argparse
import json
import math
import shlex
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import zstandard
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from models.backbone import Backbone, load_backbone
from models.codecs.llm_token import DEFAULT_RUNG
from models.codecs.quantiser import MAX_DIMENSIONS, Rung, parse_rung
from models.codecs.weights import SHIPPED
from models.tasks import Task, get_task
from models.training.features import Features, features_at, pack
from models.training.modules import Bottleneck, EdgeModel


@dataclass(frozen=True)
class Config:
    """A training run; all of it goes into the weight files' metadata.

    Attributes:
        samples: training samples used at most, the first by content hash.
        validation_samples: validation samples used at most.
        clean_steps: of the baseline's edge model.
        token_steps: of the split codec.
        batch: samples a step.
        rank: of the low-rank changes.
        cut: layers at the device.
        last: layers at device and edge together.
        distil: weight of the baseline's answers beside the labels'.
        accept_accuracy: of accepted answers on validation data; sets the threshold.
        dictionary_bytes: of the baseline's compressor.
    """

    seed: int = 1
    samples: int = 7000
    validation_samples: int = 800
    clean_steps: int = 400
    token_steps: int = 700
    batch: int = 16
    rank: int = 8
    cut: int = 4
    last: int = 12
    adapter_rate: float = 1e-3
    head_rate: float = 2e-3
    bottleneck_rate: float = 5e-4
    weight_decay: float = 0.01
    distil: float = 0.5
    accept_accuracy: float = 0.85
    dictionary_bytes: int = 112_640


RUNG_CHANCES = {
    "d32-int8": 0.1,
    "d16-int8": 0.1,
    "d16-int4": 0.35,
    "d8-int4": 0.3,
    "d4-int4": 0.15,
}
LOSS_FREE_CHANCE = 0.3
MAX_LOSS = 0.8


class Trainer:
    """One run for one task."""

    def __init__(self, task: Task, config: Config) -> None:
        self.task, self.config = task, config
        self.generator = torch.Generator().manual_seed(config.seed)
        self.backbone: Backbone = load_backbone(layers=config.last)
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

    def train_token(self, teacher: EdgeModel) -> tuple[EdgeModel, Bottleneck]:
        """Train the split codec's bottleneck and edge model."""
        pool = torch.cat(self.train.rows[:1500]).float()
        bottleneck = Bottleneck(pool, MAX_DIMENSIONS)
        self.say(f"{MAX_DIMENSIONS} principal components hold {bottleneck.kept_variance:.3f}")
        edge = self.new_edge()
        edge.load_state_dict(teacher.state_dict())
        rungs = [parse_rung(name) for name in RUNG_CHANCES]
        chances = torch.tensor(list(RUNG_CHANCES.values()))
        weight = self.config.distil

        def loss_of(chosen: Tensor) -> Tensor:
            rows = [self.train.rows[i] for i in chosen.tolist()]
            with torch.no_grad():
                taught = teacher(*pack(rows, [torch.arange(len(row)) for row in rows]))
            rung = rungs[int(torch.multinomial(chances, 1, generator=self.generator))]
            share = 0.0 if self.random() < LOSS_FREE_CHANCE else MAX_LOSS * self.random()
            kept = [self.keep(len(row), share) for row in rows]
            hidden, positions, lengths = pack(rows, kept)
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

    def keep(self, length: int, share: float) -> Tensor:
        """Return the tokens that survive independent loss, at least one."""
        kept = torch.rand(length, generator=self.generator) >= share
        if not kept.any():
            kept[int(torch.randint(length, (), generator=self.generator))] = True
        return kept.nonzero()[:, 0]

    def fit_importance(
        self, edge: EdgeModel, bottleneck: Bottleneck, count: int = 1200
    ) -> tuple[Tensor, Tensor]:
        """Fit a linear score of a token's importance; return its weights and offset.

        The target is the token's rank, in its text, by |gradient · deviation from the mean| of the
        prediction's score at the cut: first-order, how much the answer hangs on the token.
        """
        rung = parse_rung(DEFAULT_RUNG)
        inputs, targets = [], []
        for first in range(0, min(count, len(self.train)), self.config.batch):
            rows = self.train.rows[first : first + self.config.batch]
            hidden, positions, lengths = pack(rows, [torch.arange(len(row)) for row in rows])
            with torch.no_grad():
                coded = bottleneck(hidden, rung)
            coded.requires_grad_()
            scores = edge(coded, positions, lengths)
            (slope,) = torch.autograd.grad(scores.max(-1).values.sum(), coded)
            hanging = (slope * (coded.detach() - bottleneck.mean)).sum(-1).abs()
            for part, row in zip(torch.split(hanging, lengths), rows, strict=True):
                inputs.append(row.float() - bottleneck.mean)
                ranks = part.argsort().argsort().float()
                targets.append((ranks + 0.5) / len(ranks))
        features, wanted = torch.cat(inputs), torch.cat(targets)
        offset = wanted.mean()
        gram = features.T @ features
        ridge = 1e-3 * float(gram.diagonal().mean())
        gram += ridge * torch.eye(len(gram))
        weights = torch.linalg.solve(gram, features.T @ (wanted - offset))
        match = torch.corrcoef(torch.stack([features @ weights + offset, wanted]))[0, 1]
        self.say(f"importance: correlation with its target {float(match):.3f}")
        return weights, offset

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
        grid = [0.5 * 1.05**k for k in range(60)]
        losses = [float(functional.cross_entropy(scores / t, labels)) for t in grid]
        temperature = grid[losses.index(min(losses))]
        chances, predictions = (scores / temperature).softmax(-1).max(-1)
        order = chances.argsort(descending=True)
        right = (predictions == labels)[order].float().cumsum(0)
        accuracy = right / torch.arange(1, len(right) + 1)
        good = (accuracy >= self.config.accept_accuracy).nonzero()
        last = int(good[-1]) if len(good) else 0
        return temperature, float(chances[order][last])


def accuracy(scores: Tensor, labels: Tensor) -> float:
    """Return the share of right predictions."""
    return float((scores.argmax(-1) == labels).float().mean())


def save(path: Path, tensors: dict[str, Tensor], meta: dict[str, Any]) -> None:
    """Write a weight file; low-rank changes and matrices in bfloat16, what is small in float32."""
    packed = {
        name: (value.to(torch.bfloat16) if value.ndim == 2 and "head" not in name else value)
        for name, value in tensors.items()
    }
    packed = {name: value.contiguous() for name, value in packed.items()}
    save_file(packed, path, metadata={"semcosim": json.dumps(meta, sort_keys=True)})


def main(arguments: Sequence[str] | None = None) -> None:
    """Train and write models/weights/{llm-token,raw-text}-TASK.*."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--task", required=True)
    parser.add_argument("--out", type=Path, default=SHIPPED)
    parser.add_argument("--threads", type=int, default=1)
    for name, value in asdict(Config()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value)
    options = parser.parse_args(arguments)
    config = Config(**{name: getattr(options, name) for name in asdict(Config())})
    torch.set_num_threads(options.threads)
    torch.manual_seed(config.seed)
    task = get_task(options.task)
    options.out.mkdir(parents=True, exist_ok=True)
    command = "python -m models.training.train_llm_token " + shlex.join(arguments or sys.argv[1:])

    dictionary = zstandard.train_dictionary(
        config.dictionary_bytes, [sample.text.encode() for sample in task.train], level=19
    )
    (options.out / f"raw-text-{task.name}.zdict").write_bytes(dictionary.as_bytes())

    trainer = Trainer(task, config)
    valid = trainer.valid
    base: dict[str, Any] = {
        "command": command,
        "config": asdict(config),
        "task": task.name,
        "labels": list(task.labels),
        "data_hash": task.data_hash,
        "backbone": trainer.backbone.name,
        "backbone_fingerprint": trainer.backbone.fingerprint,
        "cut": config.cut,
        "last": config.last,
        "prior_label": task.prior_label,
        "prior_probability": task.prior_probability,
    }

    clean = trainer.train_clean()
    scores = trainer.scores(clean, valid, None, None, 0.0)
    temperature, threshold = trainer.calibrate(scores, valid.labels)
    reached = accuracy(scores, valid.labels)
    trainer.say(f"raw-text: validation {reached:.4f}, T {temperature:.2f}, accept {threshold:.3f}")
    meta: dict[str, Any] = {"validation_accuracy": reached, "validation_n": len(valid)}
    meta |= {"temperature": temperature, "threshold": threshold}
    save(options.out / f"raw-text-{task.name}.safetensors", clean.tensors(), base | meta)

    edge, bottleneck = trainer.train_token(clean)
    table = {}
    for name in RUNG_CHANCES:
        for share in (0.0, 0.5):
            got = trainer.scores(edge, valid, bottleneck, parse_rung(name), share)
            table[f"{name} loss {share}"] = round(accuracy(got, valid.labels), 4)
    trainer.say(f"llm-token: validation {table}")
    default = parse_rung(DEFAULT_RUNG)
    mixed = [trainer.scores(edge, valid, bottleneck, default, share) for share in (0.0, 0.3, 0.6)]
    temperature, threshold = trainer.calibrate(torch.cat(mixed), valid.labels.repeat(3))
    weights, offset = trainer.fit_importance(edge, bottleneck)
    tensors = edge.tensors() | bottleneck.tensors()
    tensors |= {"importance": weights, "importance_bias": offset}
    meta = {"validation_accuracy": table, "validation_n": len(valid)}
    meta |= {"temperature": temperature, "threshold": threshold}
    save(options.out / f"llm-token-{task.name}.safetensors", tensors, base | meta)
    trainer.say("done")


if __name__ == "__main__":
    main()
