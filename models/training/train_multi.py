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
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from models.codecs.quantiser import Rung, parse_rung
from models.codecs.weights import SHIPPED
from models.training.config import LOSS_FREE_CHANCE, MAX_LOSS, TOP_CHANCE, changed_options
from models.training.multi_data import TASKS, MultiData
from models.training.multi_importance import MultiImportance
from models.training.multi_model import Item, Noise
from models.training.multi_start import first_model, started_model
from models.training.text_trainer import calibrate_scores

SYMBOL_SNR_DB = (-9.0, 15.0)
"""Between which the SNR of symbols is drawn, uniformly in dB."""
RUNG_CHANCES = {"d32-int8": 0.15, "d16-int4": 0.4, "d8-int4": 0.35, "d4-int4": 0.1}


@dataclass(frozen=True)
class MultiConfig:
    """A training run; all of it goes into the weight file.

    Attributes:
        samples: training samples of each task, the first by content hash.
        validation_samples: validation samples of each task at most.
        blind_steps: of the first phase.
        steps: of the second phase.
        batch: samples of each task in a step, in the order of the tasks.
        symbols: share of the steps whose values travel as symbols through noise of
            `SYMBOL_SNR_DB`, all units of a sample, in the place of quantised units.
    """

    seed: int = 1
    samples: tuple[int, ...] = (6800, 9000, 9000, 12000)
    validation_samples: int = 300
    blind_steps: int = 200
    steps: int = 1600
    batch: tuple[int, ...] = (3, 5, 4, 6)
    cut: int = 4
    last: int = 12
    adapter_rate: float = 1e-3
    head_rate: float = 2e-3
    text_rate: float = 3e-4
    vision_rate: float = 2e-3
    weight_decay: float = 0.01
    accept_accuracy: float = 0.9
    symbols: float = 0.0


class MultiTrainer:
    """One run."""

    def __init__(self, config: MultiConfig, start: Path | None = None) -> None:
        self.config = config
        self.started = time.monotonic()
        self.generator = torch.Generator().manual_seed(config.seed)
        self.data = MultiData(
            samples=config.samples,
            validation_samples=config.validation_samples,
            cut=config.cut,
            last=config.last,
            say=self.say,
        )
        known: dict[str, Tensor] = {}
        if start is None:
            self.model = first_model(self.data)
        else:
            self.model, known = started_model(self.data, start)
        self.importance = MultiImportance(self.data, self.model, self.say)
        self.importance.weights = known

    def say(self, text: str) -> None:
        """Print a line with the time since the start."""
        print(f"[multi {time.monotonic() - self.started:6.1f} s] {text}", flush=True)

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
            noise = self.noise()
            kept = (
                self.survivors(items) if noise is None else [torch.arange(i.units) for i in items]
            )
            scores = self.model(items, kept, rung, noise)
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
            if step % 100 == 0:
                mean = " ".join(
                    f"{n} {float(v) / 100:.3f}" for n, v in zip(TASKS, total, strict=True)
                )
                self.say(f"step {step}: {mean}")
                total = torch.zeros(len(TASKS))

    def noise(self) -> Noise | None:
        """Return a step's noise on symbols, None if its values travel as bits."""
        share = self.config.symbols
        if share == 0.0 or self.random() >= share:
            return None
        low, high = SYMBOL_SNR_DB
        snr_db = low + (high - low) * self.random()
        return Noise(10.0 ** (-snr_db / 10.0), self.generator)

    def draw(self, number: int, size: int) -> list[Item]:
        """Return random samples of a task."""
        pool = self.data.train[number]
        return [
            pool[i] for i in torch.randint(len(pool), (size,), generator=self.generator).tolist()
        ]

    def random(self) -> float:
        """Return a number in [0, 1)."""
        return float(torch.rand((), generator=self.generator))

    def survivors(self, items: Sequence[Item]) -> list[Tensor]:
        """Return the units that each sample of a step keeps: all, the top, or some by chance."""
        drawn, share = self.random(), MAX_LOSS * self.random()
        if drawn < LOSS_FREE_CHANCE:
            return [torch.arange(item.units) for item in items]
        top = bool(self.importance.weights) and drawn < LOSS_FREE_CHANCE + TOP_CHANCE
        return [self.importance.top(i, share) if top else self.keep(i.units, share) for i in items]

    def keep(self, units: int, share: float) -> Tensor:
        """Return the units that survive independent loss, at least one."""
        kept = torch.rand(units, generator=self.generator) >= share
        if not kept.any():
            kept[int(torch.randint(units, (), generator=self.generator))] = True
        return kept.nonzero()[:, 0]

    @torch.no_grad()
    def scores(self, number: int, rung: Rung | None, share: float) -> Tensor:
        """Return validation scores of a task with a share of the units lost."""
        out = []
        items = self.data.valid[number]
        for first in range(0, len(items), 50):
            batch = items[first : first + 50]
            kept = [self.keep(i.units, share) for i in batch]
            out += self.model(batch, kept, rung)
        return torch.stack(out)

    def report(self, *, shares: Sequence[float] = (0.0,)) -> dict[str, float]:
        """Return validation accuracies by task, rung and share lost."""
        self.data.backbone.forget("training")
        table = {}
        for number, task in enumerate(TASKS):
            labels = torch.tensor([i.label for i in self.data.valid[number]])
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
        tensors |= {f"importance.{k}": v for k, v in self.importance.weights.items()}
        packed = {
            name: value.to(torch.bfloat16 if value.ndim == 2 else torch.float32).contiguous()
            for name, value in tensors.items()
        }
        save_file(packed, path, metadata={"semcosim": json.dumps(meta, sort_keys=True)})

    def calibration(self) -> dict[str, dict[str, Any]]:
        """Return prior, temperature and threshold of each task, set on validation data."""
        self.data.backbone.forget("training")
        out: dict[str, dict[str, Any]] = {}
        rung = parse_rung("d16-int4")
        for number, task in enumerate(self.data.tasks):
            labels = torch.tensor([i.label for i in self.data.valid[number]])
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
    """Train and write models/weights/llm-multi.safetensors, or llm-multi-symbols.safetensors."""
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
        trainer.importance.fit()
    trainer.run(config.steps, trainer.groups())
    trainer.importance.fit()
    codec = "llm-multi-symbols" if config.symbols else "llm-multi"
    meta = {
        "command": " ".join(
            ["python", "-m", "models.training.train_multi", *changed_options(config)]
        ),
        "started_from": _origin(options.go_on),
        "config": asdict(config),
        "codec": codec,
        "task": ", ".join(TASKS),
        "backbone": trainer.data.backbone.name,
        "backbone_fingerprint": trainer.data.backbone.fingerprint,
        "vision_fingerprint": trainer.data.vision.fingerprint,
        "cut": config.cut,
        "last": config.last,
        "tasks": trainer.calibration(),
        "validation_accuracy": trainer.report(shares=(0.0, 0.5)),
    }
    trainer.save(options.out / f"{codec}.safetensors", meta)
    trainer.say("done")


if __name__ == "__main__":
    main()
