# SPDX-License-Identifier: MIT
"""Train codec "small-multi" from scratch: the unified model without a large one.

python -m models.training.train_small
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
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional

from models.backbone import TextTokenizer
from models.backbone.smollm2 import folder
from models.codecs.llm_token import MAX_TOKENS
from models.codecs.quantiser import parse_rung, straight_through
from models.codecs.small_net import PATCHES, VOCABULARY, SmallNet, pixels_for
from models.codecs.weights import SHIPPED
from models.tasks import Sample, get_task
from models.training.config import LOSS_FREE_CHANCE, MAX_LOSS
from models.training.text_trainer import calibrate_scores

TASKS = ("sentiment", "topic", "image", "vqa")
RUNG_CHANCES = {"d32-int8": 0.15, "d16-int4": 0.4, "d8-int4": 0.35, "d4-int4": 0.1}


@dataclass(frozen=True)
class SmallConfig:
    """A training run; all of it goes into the weight file."""

    seed: int = 1
    samples: int = 12_000
    validation_samples: int = 500
    steps: int = 450
    batch: int = 32
    rate: float = 2e-3
    embedding_rate: float = 1e-2
    weight_decay: float = 0.05
    accept_accuracy: float = 0.9


@dataclass(frozen=True)
class Data:
    """Samples of a task as tensors.

    Attributes:
        pixels: uint8-like floats in -1 to 1, float16 of shape [samples, 3, 32, 32], or None.
        tokens: shape [samples, tokens], padded with 0, or None.
        lengths: tokens of each sample.
        labels: shape [samples].
    """

    pixels: Tensor | None
    tokens: Tensor | None
    lengths: Tensor
    labels: Tensor

    def take(self, chosen: Tensor) -> "Data":
        """Return some of the samples, their padding cut to the longest."""
        lengths = self.lengths[chosen]
        tokens = None if self.tokens is None else self.tokens[chosen][:, : int(lengths.max())]
        pixels = None if self.pixels is None else self.pixels[chosen].float()
        return Data(pixels, tokens, lengths, self.labels[chosen])

    @property
    def there(self) -> Tensor:
        """Return which units exist, shape [samples, units]."""
        parts = []
        if self.pixels is not None:
            parts.append(torch.ones(len(self.labels), PATCHES, dtype=torch.bool))
        if self.tokens is not None:
            parts.append(torch.arange(self.tokens.shape[1])[None] < self.lengths[:, None])
        return torch.cat(parts, 1)


def read(samples: Sequence[Sample], tokenizer: TextTokenizer) -> Data:
    """Return samples as tensors."""
    pixels = tokens = None
    lengths = torch.zeros(len(samples), dtype=torch.long)
    if samples[0].picture is not None:
        known: dict[int, Tensor] = {}
        for s in samples:
            assert s.picture is not None
            if id(s.picture) not in known:
                p = s.picture
                known[id(p)] = pixels_for(p.width, p.height, p.pixels).half()
        pixels = torch.stack([known[id(s.picture)] for s in samples])
    if samples[0].text:
        rows = [torch.tensor(tokenizer.encode(s.text, MAX_TOKENS) or [0]) for s in samples]
        lengths = torch.tensor([len(row) for row in rows])
        tokens = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True) % VOCABULARY
    return Data(pixels, tokens, lengths, torch.tensor([s.label for s in samples]))


def scores_of(net: SmallNet, task: int, data: Data, rung_name: str, kept: Tensor) -> Tensor:
    """Return class scores when the units in `kept` arrive."""
    rung = parse_rung(rung_name)
    values = straight_through(
        net.send(None if data.pixels is None else data.pixels.float(), data.tokens, data.there),
        rung.bits,
    )
    values = functional.pad(values[..., : rung.dimensions], (0, values.shape[-1] - rung.dimensions))
    places = torch.arange(1, values.shape[1] + 1).expand(values.shape[:2])
    seen = places <= (PATCHES if data.pixels is not None else 0)
    return net.answer(values, places, data.there & kept, seen, task)


def main(arguments: Sequence[str] | None = None) -> None:
    """Train and write models/weights/small-multi.safetensors."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, default=SHIPPED)
    for name, value in asdict(SmallConfig()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value)
    options = parser.parse_args(arguments)
    config = SmallConfig(**{n: getattr(options, n) for n in asdict(SmallConfig())})
    torch.set_num_threads(1)
    torch.manual_seed(config.seed)
    generator = torch.Generator().manual_seed(config.seed)
    started = time.monotonic()
    tokenizer = TextTokenizer(folder() / "tokenizer.json")
    tasks = [get_task(name) for name in TASKS]
    train = [read(t.train[: config.samples], tokenizer) for t in tasks]
    valid = [read(t.validation[: config.validation_samples], tokenizer) for t in tasks]
    net = SmallNet([len(t.labels) for t in tasks])
    others = [p for name, p in net.named_parameters() if name != "embedding.weight"]
    groups = [
        {"params": others, "lr": config.rate},
        # A word is in few batches, so its embedding must learn faster than what all share.
        {"params": [net.embedding.weight], "lr": config.embedding_rate},
    ]
    optimiser = torch.optim.AdamW(groups, weight_decay=config.weight_decay)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser,
        lambda n: min((n + 1) / 50, 0.5 * (1 + math.cos(math.pi * n / config.steps))),
    )
    rungs, chances = list(RUNG_CHANCES), torch.tensor(list(RUNG_CHANCES.values()))
    total = torch.zeros(len(tasks))
    for step in range(1, config.steps + 1):
        rung = rungs[int(torch.multinomial(chances, 1, generator=generator))]
        losses = []
        for number, data in enumerate(train):
            chosen = torch.randint(len(data.labels), (config.batch,), generator=generator)
            batch = data.take(chosen)
            if (
                batch.pixels is not None
                and number == 2
                and torch.rand((), generator=generator) < 0.5
            ):
                batch = Data(batch.pixels.flip(-1), batch.tokens, batch.lengths, batch.labels)
            loss_free = float(torch.rand((), generator=generator)) < LOSS_FREE_CHANCE
            share = 0.0 if loss_free else MAX_LOSS * float(torch.rand((), generator=generator))
            kept = torch.rand(batch.there.shape, generator=generator) >= share
            losses.append(
                functional.cross_entropy(scores_of(net, number, batch, rung, kept), batch.labels)
            )
        optimiser.zero_grad()
        torch.stack(losses).sum().backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        total += torch.stack(losses).detach()
        if step % 50 == 0:
            mean = " ".join(f"{n} {float(v) / 50:.3f}" for n, v in zip(TASKS, total, strict=True))
            print(f"[small {time.monotonic() - started:6.1f} s] step {step}: {mean}", flush=True)
            total = torch.zeros(len(tasks))
    net.eval()
    meta: dict[str, Any] = {
        "command": "python -m models.training.train_small"
        + "".join(
            f" --{n.replace('_', '-')} {v}"
            for n, v in asdict(config).items()
            if v != getattr(SmallConfig(), n)
        ),
        "config": asdict(config),
        "codec": "small-multi",
        "backbone": "none",
        "order": list(TASKS),
        "tasks": {},
        "validation_accuracy": {},
    }
    with torch.no_grad():
        for number, (task, data) in enumerate(zip(tasks, valid, strict=True)):
            out = []
            for share in (0.0, 0.5):
                kept = torch.rand(data.there.shape, generator=generator) >= share
                out.append(scores_of(net, number, data, "d16-int4", kept))
                reached = float((out[-1].argmax(-1) == data.labels).float().mean())
                meta["validation_accuracy"][f"{task.name} d16-int4 loss {share}"] = round(
                    reached, 4
                )
            temperature, threshold = calibrate_scores(
                torch.cat(out), data.labels.repeat(2), config.accept_accuracy
            )
            meta["tasks"][task.name] = {
                "data_hash": task.data_hash,
                "prior_label": task.prior_label,
                "prior_probability": task.prior_probability,
                "temperature": temperature,
                "threshold": threshold,
                "labels": len(task.labels),
            }
    print(meta["validation_accuracy"], flush=True)
    tensors = {
        n: v.to(torch.bfloat16 if v.ndim > 1 else torch.float32).contiguous()
        for n, v in net.state_dict().items()
    }
    save_file(
        tensors,
        options.out / "small-multi.safetensors",
        metadata={"semcosim": json.dumps(meta, sort_keys=True)},
    )


if __name__ == "__main__":
    main()
