# SPDX-License-Identifier: MIT
"""Train codec "llm-multi": text, pictures and questions about them through one language model.

    python -m models.training.train_multi

The low-rank changes start as the mean of those that the single text tasks' baselines learned. The
picture positions' features are projected into the stream of the language model after the cut,
where the directions in which text tokens vary most receive them. A first phase trains without
knowing which units matter; gradients of its answers then say so, and a linear score of importance
is fitted for each task and kind of unit. The second phase trains under loss by chance and by least
importance.
"""

import argparse
import json
import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from models.assets.cache import cache_folder
from models.backbone import Backbone, load_backbone
from models.codecs.quantiser import MAX_DIMENSIONS, Rung, parse_rung
from models.codecs.weights import SHIPPED, load_weights
from models.tasks import Sample, get_task
from models.training.config import LOSS_FREE_CHANCE, MAX_LOSS, TOP_CHANCE
from models.training.features import features_at
from models.training.multi_model import Item, MultiModel, Projection, principal
from models.training.train_llm_token import calibrate_scores
from models.vision import load_vision
from models.vision.efficientnet import POSITIONS, pixels_of

TASKS = ("sentiment", "topic", "image", "vqa")
KINDS = ("vision", "text")
PARTS = ("encoder", "decoder", "mean", "offset")
RUNG_CHANCES = {"d32-int8": 0.15, "d16-int4": 0.4, "d8-int4": 0.35, "d4-int4": 0.1}


@dataclass(frozen=True)
class MultiConfig:
    """A training run; all of it goes into the weight file.

    Attributes:
        samples: training samples of each task, the first by content hash; the text tasks' changes
            are already trained, so they need few.
        validation_samples: validation samples of each task at most.
        blind_steps: of the first phase.
        steps: of the second phase.
        batch: samples of each task in a step, in the order of the tasks.
    """

    seed: int = 1
    samples: tuple[int, ...] = (1200, 600, 2500, 2500)
    validation_samples: int = 100
    blind_steps: int = 80
    steps: int = 170
    batch: tuple[int, ...] = (2, 1, 5, 5)
    cut: int = 4
    last: int = 12
    adapter_rate: float = 7e-4
    head_rate: float = 2e-3
    text_rate: float = 3e-4
    vision_rate: float = 2e-3
    weight_decay: float = 0.01
    accept_accuracy: float = 0.9


class MultiTrainer:
    """One run."""

    def __init__(self, config: MultiConfig, start: Path | None = None) -> None:
        self.config = config
        self.started = time.monotonic()
        self.generator = torch.Generator().manual_seed(config.seed)
        self.backbone: Backbone = load_backbone(layers=config.last)
        self.vision = load_vision()
        self.tasks = [get_task(name) for name in TASKS]
        self.train = [self.items(n, "train", config.samples[n]) for n in range(len(TASKS))]
        self.valid = [
            self.items(n, "validation", config.validation_samples) for n in range(len(TASKS))
        ]
        self.importance: dict[str, Tensor] = {}
        self.model = self.first_model() if start is None else self.started_model(start)

    def say(self, text: str) -> None:
        """Print a line with the time since the start."""
        print(f"[multi {time.monotonic() - self.started:6.1f} s] {text}", flush=True)

    def items(self, number: int, split: str, count: int) -> list[Item]:
        """Return samples at the cut, kept in the cache folder for the next run."""
        task = self.tasks[number]
        samples = task.splits[split][:count]
        mark = f"{task.data_hash[:12]}-{self.backbone.fingerprint}-{self.vision.fingerprint}"
        path = cache_folder("training") / f"{task.name}-{split}-{count}-{self.config.cut}-{mark}.pt"
        if path.is_file():
            texts, seen = torch.load(path, weights_only=True)
        else:
            texts, seen = self.texts(samples), self.pictures(samples)
            torch.save((texts, seen), path)
        self.say(f"{task.name} {split}: {len(samples)} samples")
        return [
            Item(number, s.label, seen[i] if seen else None, texts[i] if texts else None)
            for i, s in enumerate(samples)
        ]

    def texts(self, samples: Sequence[Sample]) -> list[Tensor]:
        """Return the residual streams at the cut; each text once."""
        distinct = {s.text: s for s in samples}
        if set(distinct) == {""}:
            return []
        rows = features_at(self.backbone, list(distinct.values()), self.config.cut).rows
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

    def first_model(self) -> MultiModel:
        """Return the model before any step."""
        single = {name: load_weights("raw-text", name).tensors for name in TASKS[:2]}
        adapters = {}
        for n in range(self.config.cut, self.config.last):
            adapters[f"down.{n}"] = torch.cat([t[f"down.{n}"] for t in single.values()])
            adapters[f"up.{n}"] = 0.5 * torch.cat([t[f"up.{n}"] for t in single.values()], 1)
        hidden = self.backbone.geometry.hidden
        heads = []
        for task in self.tasks:
            if task.name in single:
                t = single[task.name]
                heads.append((t["pool"], t["head.weight"], t["head.bias"]))
            else:
                count = len(task.labels)
                heads.append((torch.zeros(hidden), torch.zeros(count, hidden), torch.zeros(count)))
        text = self.text_projection()
        model = MultiModel(
            self.backbone, self.vision, text=text, seen=self.vision_projection(text),
            adapters=adapters, heads=heads, cut=self.config.cut, last=self.config.last,
        )  # fmt: skip
        return self.with_sensitive_text(model)

    def text_rows(self) -> Tensor:
        """Return token streams of all tasks with text, shape [tokens, hidden]."""
        chosen = [*self.train[0][:300], *self.train[1][:150], *self.train[3][:150]]
        return torch.cat([i.text for i in chosen if i.text is not None]).float()

    def text_projection(self) -> Projection:
        """Return plain principal components: a place to start from."""
        rows = self.text_rows()
        encoder, decoder, mean = principal(rows, torch.cov(rows.T), MAX_DIMENSIONS)
        return Projection(encoder, decoder, mean, mean)

    def with_sensitive_text(self, model: MultiModel) -> MultiModel:
        """Give the text's projection the directions that the text tasks' answers hang on."""
        sensitivity = torch.zeros(())
        for number in (0, 1):
            slopes, items = [], self.train[number][: 120 if number == 0 else 60]
            for first in range(0, len(items), 12):
                batch = items[first : first + 12]
                rows = torch.cat([i.text for i in batch if i.text is not None]).float()
                lengths = [i.units for i in batch]
                rows.requires_grad_()
                positions = torch.cat([torch.arange(1, n + 1) for n in lengths])
                scores = model.answer(rows, positions, lengths, [number] * len(batch))
                best = torch.stack(scores).topk(2, dim=-1).values
                slopes.append(torch.autograd.grad((best[:, 0] - best[:, 1]).sum(), rows)[0])
            slope = torch.cat(slopes)
            mine = torch.cat([i.text for i in items if i.text is not None]).float()
            part = slope.T @ slope
            sensitivity = sensitivity + part / (part * torch.cov(mine.T)).sum()
        encoder, decoder, mean = principal(self.text_rows(), sensitivity, MAX_DIMENSIONS)
        model.text = Projection(encoder, decoder, mean, mean)
        return model

    def vision_projection(self, text: Projection) -> Projection:
        """Start from what linear probes of the labels read, in the place of the text's values."""
        rows, sensitivity = [], torch.zeros(())
        for number, drop in ((2, ()), (3, ("yes", "no"))):
            labels = self.tasks[number].labels
            chosen = [i for i in self.train[number] if labels[i.label] not in drop][:1500]
            seen = torch.stack([i.vision for i in chosen if i.vision is not None])
            features = self.vision.top(seen.float())
            pooled = features.mean(1)
            pooled = pooled - pooled.mean(0)
            known = torch.tensor([i.label for i in chosen])
            wanted = functional.one_hot(known, len(labels)).float()
            gram = pooled.T @ pooled
            gram += 0.03 * gram.diagonal().mean() * torch.eye(len(gram))
            probe = torch.linalg.solve(gram, pooled.T @ (wanted - wanted.mean(0)))
            part = probe @ probe.T
            flat = features[:400].flatten(0, 1)
            rows.append(flat)
            sensitivity = sensitivity + part / (part * torch.cov(flat.T)).sum()
        encoder, _, mean = principal(torch.cat(rows), sensitivity, MAX_DIMENSIONS)
        decoder = (text.decoder * text.deviation).detach()
        return Projection(encoder, decoder, mean, text.offset.detach())

    def groups(self) -> list[dict[str, Any]]:
        """Return the parameters with their learning rates."""
        model, config = self.model, self.config
        heads = [*model.pools, *model.weights, *model.biases]
        return [
            {"params": [*model.down.values(), *model.up.values()], "lr": config.adapter_rate},
            {"params": heads, "lr": config.head_rate},
            {"params": list(model.text.parameters()), "lr": config.text_rate},
            {"params": list(model.seen.parameters()), "lr": config.vision_rate},
        ]

    def run(self, steps: int, groups: list[dict[str, Any]]) -> None:
        """Run AdamW with a short warm-up and a cosine to a tenth."""
        optimiser = torch.optim.AdamW(groups, weight_decay=self.config.weight_decay)
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimiser,
            lambda n: min((n + 1) / 20, 0.1 + 0.45 * (1 + math.cos(math.pi * n / steps))),
        )
        rungs = [parse_rung(name) for name in RUNG_CHANCES]
        chances = torch.tensor(list(RUNG_CHANCES.values()))
        total = torch.zeros(len(TASKS))
        for step in range(1, steps + 1):
            batch = [self.draw(n, size) for n, size in enumerate(self.config.batch)]
            items = [item for part in batch for item in part]
            rung = rungs[int(torch.multinomial(chances, 1, generator=self.generator))]
            scores = self.model(items, self.survivors(items), rung)
            losses, first = [], 0
            for part in batch:
                mine = torch.stack(scores[first : first + len(part)])
                first += len(part)
                losses.append(functional.cross_entropy(mine, torch.tensor([i.label for i in part])))
            optimiser.zero_grad()
            torch.stack(losses).sum().backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_([p for g in groups for p in g["params"]], 1.0)
            optimiser.step()
            schedule.step()
            total += torch.stack(losses).detach()
            if step % 50 == 0:
                mean = " ".join(
                    f"{n} {float(v) / 50:.3f}" for n, v in zip(TASKS, total, strict=True)
                )
                self.say(f"step {step}: {mean}")
                total = torch.zeros(len(TASKS))

    def draw(self, number: int, size: int) -> list[Item]:
        """Return random samples of a task."""
        pool = self.train[number]
        return [
            pool[i] for i in torch.randint(len(pool), (size,), generator=self.generator).tolist()
        ]

    def random(self) -> float:
        """Return a number in [0, 1)."""
        return float(torch.rand((), generator=self.generator))

    def started_model(self, path: Path) -> MultiModel:
        """Return the model of a weight file, and take over its importance."""
        tensors = {name: value.float() for name, value in load_file(path).items()}
        self.importance = {
            name.removeprefix("importance."): value
            for name, value in tensors.items()
            if name.startswith("importance.")
        }
        return MultiModel(
            self.backbone,
            self.vision,
            text=Projection(*(tensors[f"text.{n}"] for n in PARTS)),
            seen=Projection(*(tensors[f"vision.{n}"] for n in PARTS)),
            adapters=tensors,
            heads=[
                (tensors[f"pool.{t}"], tensors[f"head.{t}.weight"], tensors[f"head.{t}.bias"])
                for t in TASKS
            ],
            cut=self.config.cut,
            last=self.config.last,
        )

    def survivors(self, items: Sequence[Item]) -> list[Tensor]:
        """Return the units that each sample of a step keeps: all, the top, or some by chance."""
        drawn, share = self.random(), MAX_LOSS * self.random()
        if drawn < LOSS_FREE_CHANCE:
            return [torch.arange(item.units) for item in items]
        top = bool(self.importance) and drawn < LOSS_FREE_CHANCE + TOP_CHANCE
        return [self.top(i, share) if top else self.keep(i.units, share) for i in items]

    def keep(self, units: int, share: float) -> Tensor:
        """Return the units that survive independent loss, at least one."""
        kept = torch.rand(units, generator=self.generator) >= share
        if not kept.any():
            kept[int(torch.randint(units, (), generator=self.generator))] = True
        return kept.nonzero()[:, 0]

    @torch.no_grad()
    def top(self, item: Item, share: float) -> Tensor:
        """Return an item's units without its `share` least important ones, ascending."""
        scores = torch.cat(
            [
                self.deviations(item, kind) @ self.importance[f"{TASKS[item.task]}.{kind}"][:-1]
                + self.importance[f"{TASKS[item.task]}.{kind}"][-1]
                for kind in KINDS
                if f"{TASKS[item.task]}.{kind}" in self.importance
            ]
        )
        return scores.topk(max(1, round(item.units * (1 - share)))).indices.sort().values

    def deviations(self, item: Item, kind: str) -> Tensor:
        """Return an item's units of a kind as deviations from the projection's mean."""
        if kind == "vision":
            assert item.vision is not None
            return self.vision.top(item.vision.float()) - self.model.seen.mean
        assert item.text is not None
        return item.text.float() - self.model.text.mean

    def fit_importance(self, count: int = 60) -> None:
        """Fit each task's linear scores to a unit's rank by |gradient · deviation| of the margin.

        The deviation is that of the unit's stream from its projection's offset: to first order the
        margin changes by so much if an average unit takes its place.
        """
        for number, task in enumerate(TASKS):
            features: dict[str, list[Tensor]] = {kind: [] for kind in KINDS}
            wanted: dict[str, list[Tensor]] = {kind: [] for kind in KINDS}
            items = self.train[number][:count]
            for first in range(0, len(items), 12):
                batch = items[first : first + 12]
                with torch.no_grad():
                    hidden, positions, lengths = self.model.arrive(
                        batch, [torch.arange(i.units) for i in batch], None
                    )
                hidden.requires_grad_()
                scores = self.model.answer(hidden, positions, lengths, [number] * len(batch))
                best = torch.stack(scores).topk(2, dim=-1).values
                (slope,) = torch.autograd.grad((best[:, 0] - best[:, 1]).sum(), hidden)
                for item, grad, stream in zip(
                    batch,
                    torch.split(slope, lengths),
                    torch.split(hidden.detach(), lengths),
                    strict=True,
                ):
                    seen = 0 if item.vision is None else POSITIONS
                    offsets = torch.cat(
                        [
                            self.model.seen.offset.expand(seen, -1),
                            self.model.text.offset.expand(item.units - seen, -1),
                        ]
                    ).detach()
                    hanging = (grad * (stream - offsets)).sum(-1).abs()
                    ranks = (hanging.argsort().argsort().float() + 0.5) / len(hanging)
                    for kind, part in (("vision", ranks[:seen]), ("text", ranks[seen:])):
                        if len(part):
                            features[kind].append(self.deviations(item, kind))
                            wanted[kind].append(part)
            for kind in KINDS:
                if features[kind]:
                    self.importance[f"{task}.{kind}"] = self._regress(
                        torch.cat(features[kind]), torch.cat(wanted[kind]), f"{task} {kind}"
                    )

    def _regress(self, rows: Tensor, wanted: Tensor, name: str) -> Tensor:
        """Return ridge weights and, last, the intercept."""
        mean = rows.mean(0)
        centred = rows - mean
        gram = centred.T @ centred
        # few samples, many features: a strong ridge
        gram += 1.0 * float(gram.diagonal().mean()) * torch.eye(len(gram))
        weights = torch.linalg.solve(gram, centred.T @ (wanted - wanted.mean()))
        offset = wanted.mean() - mean @ weights
        match = torch.corrcoef(torch.stack([rows @ weights + offset, wanted]))[0, 1]
        self.say(f"importance of {name}: correlation with its target {float(match):.3f}")
        return torch.cat([weights, offset[None]])

    @torch.no_grad()
    def scores(self, number: int, rung: Rung | None, share: float) -> Tensor:
        """Return validation scores of a task with a share of the units lost."""
        out = []
        items = self.valid[number]
        for first in range(0, len(items), 50):
            batch = items[first : first + 50]
            kept = [self.keep(i.units, share) for i in batch]
            out += self.model(batch, kept, rung)
        return torch.stack(out)

    def report(self, *, shares: Sequence[float] = (0.0,)) -> dict[str, float]:
        """Return validation accuracies by task, rung and share lost."""
        self.backbone.forget("training")
        table = {}
        for number, task in enumerate(TASKS):
            labels = torch.tensor([i.label for i in self.valid[number]])
            for rung in ("d16-int4", "d8-int4")[: 2 if len(shares) == 1 else 1]:
                for share in shares:
                    got = self.scores(number, parse_rung(rung), share).argmax(-1)
                    accuracy = float((got == labels).float().mean())
                    table[f"{task} {rung} loss {share}"] = round(accuracy, 4)
        self.say(f"validation {table}")
        return table

    def save(self, path: Path, meta: dict[str, Any]) -> None:
        """Write the weight file; matrices in bfloat16, what is small in float32."""
        tensors = self.model.tensors(TASKS)
        tensors |= {f"importance.{k}": v for k, v in self.importance.items()}
        packed = {
            name: value.to(torch.bfloat16 if value.ndim == 2 else torch.float32).contiguous()
            for name, value in tensors.items()
        }
        save_file(packed, path, metadata={"semcosim": json.dumps(meta, sort_keys=True)})

    def calibration(self) -> dict[str, dict[str, Any]]:
        """Return prior, temperature and threshold of each task, set on validation data."""
        self.backbone.forget("training")
        out: dict[str, dict[str, Any]] = {}
        rung = parse_rung("d16-int4")
        for number, task in enumerate(self.tasks):
            labels = torch.tensor([i.label for i in self.valid[number]])
            scores = torch.cat([self.scores(number, rung, share) for share in (0.0, 0.5)])
            temperature, threshold = calibrate_scores(
                scores, labels.repeat(2), self.config.accept_accuracy
            )
            out[task.name] = {
                "data_hash": task.data_hash,
                "prior_label": task.prior_label,
                "prior_probability": task.prior_probability,
                "temperature": temperature,
                "threshold": threshold,
            }
        return out


def _origin(path: Path | None) -> Any:
    """Return how the weights that a run started from were made."""
    if path is None:
        return None
    with safe_open(path, framework="pt") as file:
        made = json.loads(file.metadata()["semcosim"])
    return {"command": made["command"], "started_from": made.get("started_from")}


def main(arguments: Sequence[str] | None = None) -> None:
    """Train and write models/weights/llm-multi.safetensors."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, default=SHIPPED)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--go-on", type=Path, help="a weight file of this codec: train on, without the first phase"
    )
    for name, value in asdict(MultiConfig()).items():
        kind = type(value)
        if kind is tuple:
            parser.add_argument(f"--{name}", type=int, nargs=len(TASKS), default=value)
        else:
            parser.add_argument(f"--{name.replace('_', '-')}", type=kind, default=value)
    options = parser.parse_args(arguments)
    chosen: dict[str, Any] = {n: getattr(options, n) for n in asdict(MultiConfig())}
    values: dict[str, Any] = {n: tuple(v) if isinstance(v, list) else v for n, v in chosen.items()}
    config = MultiConfig(**values)
    torch.set_num_threads(options.threads)
    torch.manual_seed(config.seed)
    trainer = MultiTrainer(config, options.go_on)
    if not options.go_on:
        trainer.run(config.blind_steps, trainer.groups())
        trainer.report()
        trainer.fit_importance()
    trainer.run(config.steps, trainer.groups())
    trainer.fit_importance()
    changed = [
        f"--{n.replace('_', '-')} {' '.join(map(str, v)) if isinstance(v, tuple) else v}"
        for n, v in asdict(config).items()
        if v != getattr(MultiConfig(), n)
    ]
    meta = {
        "command": " ".join(["python", "-m", "models.training.train_multi", *changed]),
        "started_from": _origin(options.go_on),
        "config": asdict(config),
        "codec": "llm-multi",
        "task": ", ".join(TASKS),
        "backbone": trainer.backbone.name,
        "backbone_fingerprint": trainer.backbone.fingerprint,
        "vision_fingerprint": trainer.vision.fingerprint,
        "cut": config.cut,
        "last": config.last,
        "tasks": trainer.calibration(),
        "validation_accuracy": trainer.report(shares=(0.0, 0.5)),
    }
    trainer.save(options.out / "llm-multi.safetensors", meta)
    trainer.say("done")


if __name__ == "__main__":
    main()
