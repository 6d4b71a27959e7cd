# SPDX-License-Identifier: MIT
"""Train codec "small-multi" from scratch: the unified model without a large one.

python -m models.training.train_small
"""

import argparse
import json
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
from models.codecs.small_multi import DEFAULT_RUNG
from models.codecs.small_net import PATCHES, VOCABULARY, SmallNet, pixels_for
from models.codecs.weights import SHIPPED
from models.tasks import Sample, get_task
from models.tasks.image import more_photos
from models.training.config import LOSS_FREE_CHANCE, MAX_LOSS, changed_options
from models.training.text_trainer import calibrate_scores

TASKS = ("sentiment", "topic", "image", "vqa")
RUNG_CHANCES = {"d32-int8": 0.15, "d16-int4": 0.25, "d8-int4": 0.5, "d4-int4": 0.1}
QUESTIONS = 4
"""Of one picture in a batch: its stem runs once for all of them."""
FALL = 0.4
"""Of all steps, at the end, in which the rates fall."""


@dataclass(frozen=True)
class SmallConfig:
    """A training run; all of it goes into the weight file.

    Attributes:
        samples: training samples of a task used at most.
        validation_samples: validation samples used at most.
        texts: of each text task, photos, questions: samples a step.
        warm_up: steps until the rates are reached; in the last 40 % of all steps they fall to 0.
        embedding_rate: a word is in few batches, so it must learn faster than what all share.
        hidden_words: share of a text's words that the device does not see either.
        shift: of a picture at most, in pixels.
        smoothing: of labels.
        accept_accuracy: of accepted answers on validation data; sets the threshold.
    """

    seed: int = 1
    samples: int = 50_000
    validation_samples: int = 1000
    steps: int = 2600
    texts: int = 16
    photos: int = 64
    questions: int = 24
    warm_up: int = 100
    rate: float = 2e-3
    embedding_rate: float = 6e-3
    weight_decay: float = 0.05
    hidden_words: float = 0.1
    shift: int = 4
    smoothing: float = 0.05
    accept_accuracy: float = 0.9

    def batch(self, task: int) -> int:
        """Return the samples of a task in a step."""
        return (self.texts, self.texts, self.photos, self.questions)[task]


@dataclass(frozen=True)
class Data:
    """Samples of a task as tensors.

    Attributes:
        pictures: -1 to 1, float16 of shape [pictures, 3, 32, 32], or None.
        shown: number of each sample's picture, or None.
        tokens: shape [samples, tokens], padded with 0, or None.
        lengths: tokens of each sample.
        labels: shape [samples].
    """

    pictures: Tensor | None
    shown: Tensor | None
    tokens: Tensor | None
    lengths: Tensor
    labels: Tensor

    def take(self, chosen: Tensor) -> "Data":
        """Return some of the samples with their pictures, the padding cut to the longest."""
        lengths = self.lengths[chosen]
        tokens = None if self.tokens is None else self.tokens[chosen][:, : int(lengths.max())]
        pictures = shown = None
        if self.pictures is not None and self.shown is not None:
            numbers, shown = torch.unique(self.shown[chosen], return_inverse=True)
            pictures = self.pictures[numbers].float()
        return Data(pictures, shown, tokens, lengths, self.labels[chosen])

    @property
    def there(self) -> Tensor:
        """Return which units exist, shape [samples, units]."""
        parts = []
        if self.pictures is not None:
            parts.append(torch.ones(len(self.labels), PATCHES, dtype=torch.bool))
        if self.tokens is not None:
            parts.append(torch.arange(self.tokens.shape[1])[None] < self.lengths[:, None])
        return torch.cat(parts, 1)


def read(samples: Sequence[Sample], tokenizer: TextTokenizer) -> Data:
    """Return samples as tensors."""
    pictures = shown = tokens = None
    lengths = torch.zeros(len(samples), dtype=torch.long)
    if samples[0].picture is not None:
        numbers: dict[int, int] = {}
        unique: list[Tensor] = []
        for s in samples:
            p = s.picture
            assert p is not None
            if id(p) not in numbers:
                numbers[id(p)] = len(unique)
                unique.append(pixels_for(p.width, p.height, p.pixels).half())
        pictures = torch.stack(unique)
        shown = torch.tensor([numbers[id(s.picture)] for s in samples])
    if samples[0].text:
        rows = [torch.tensor(tokenizer.encode(s.text, MAX_TOKENS) or [0]) for s in samples]
        lengths = torch.tensor([len(row) for row in rows])
        tokens = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True) % VOCABULARY
    return Data(pictures, shown, tokens, lengths, torch.tensor([s.label for s in samples]))


def augmented(pictures: Tensor, shift: int, generator: torch.Generator) -> Tensor:
    """Return pictures moved by up to `shift` pixels each way, half of them mirrored."""
    count, _, side, _ = pictures.shape
    padded = functional.pad(pictures, (shift,) * 4, mode="replicate").permute(0, 2, 3, 1)
    down, right = torch.randint(2 * shift + 1, (2, count, 1), generator=generator)
    rows, columns = down + torch.arange(side), right + torch.arange(side)
    mirrored = torch.rand(count, 1, generator=generator) < 0.5
    columns = torch.where(mirrored, columns.flip(1), columns)
    moved = padded[torch.arange(count)[:, None, None], rows[:, :, None], columns[:, None]]
    return moved.permute(0, 3, 1, 2)


class Batches:
    """Draws samples of a task in rounds: all of them once, then all again.

    Args:
        data: of the task.
        size: samples of a batch.
        generator: of the order.
    """

    def __init__(self, data: Data, size: int, generator: torch.Generator) -> None:
        self._data, self._generator = data, generator
        self._order = torch.zeros(0, dtype=torch.long)
        self._size = min(size, len(data.labels))
        self._groups = 1
        if data.shown is not None and int(data.shown.max()) + 1 < len(data.labels):
            self._groups = QUESTIONS
            order = torch.argsort(data.shown, stable=True)
            self._by_picture = order[: len(order) // QUESTIONS * QUESTIONS]

    def next(self) -> Data:
        """Return a batch."""
        while len(self._order) < self._size:
            self._order = torch.cat([self._order, self._round()])
        chosen, self._order = self._order[: self._size], self._order[self._size :]
        return self._data.take(chosen)

    def _round(self) -> Tensor:
        if self._groups == 1:
            return torch.randperm(len(self._data.labels), generator=self._generator)
        groups = self._by_picture.view(-1, self._groups)
        return groups[torch.randperm(len(groups), generator=self._generator)].flatten()


def scores_of(
    net: SmallNet,
    task: int,
    data: Data,
    looks: Tensor | None,
    rung_name: str,
    there: Tensor,
    kept: Tensor,
) -> Tensor:
    """Return class scores when the units in `kept` arrive.

    Args:
        net: to ask.
        task: number.
        data: samples.
        looks: of the stem for `data.pictures`, or None where there are none.
        rung_name: to send at.
        there: True for units that the device has, shape [samples, units].
        kept: True for those that arrive, of the same shape.
    """
    rung = parse_rung(rung_name)
    seen_at = None if looks is None else looks[data.shown]
    values = straight_through(net.send(seen_at, data.tokens, there), rung.bits)
    values = functional.pad(values[..., : rung.dimensions], (0, values.shape[-1] - rung.dimensions))
    places = torch.arange(1, values.shape[1] + 1).expand(values.shape[:2])
    seen = places <= (PATCHES if looks is not None else 0)
    return net.answer(values, places, there & kept, seen, task)


def seen_by(
    net: SmallNet, drawn: Sequence[Data], shift: int, generator: torch.Generator
) -> list[Tensor | None]:
    """Return what the stem makes of each batch's pictures, moved and mirrored.

    Pictures of all tasks pass the stem together: its statistics are then those of all, as later.
    """
    pictures = [batch.pictures for batch in drawn if batch.pictures is not None]
    looks = net.look(augmented(torch.cat(pictures), shift, generator))
    parts = iter(torch.split(looks, [len(each) for each in pictures]))
    return [None if batch.pictures is None else next(parts) for batch in drawn]


def arriving(batch: Data, hidden_words: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return which units the device has and which arrive, each of shape [samples, units].

    Of a text alone some words are hidden from the device. A quarter of samples comes without loss,
    of the others up to 0.8 of the units are lost.
    """
    there = batch.there
    if batch.pictures is None:
        there = there & (torch.rand(there.shape, generator=generator) >= hidden_words)
        there[:, 0] = True  # a text has one word at least
    share = MAX_LOSS * torch.rand(len(there), 1, generator=generator)
    share[torch.rand(len(there), generator=generator) < LOSS_FREE_CHANCE] = 0.0
    return there, torch.rand(there.shape, generator=generator) >= share


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
    sources = [[*t.train, *(more_photos() if t.name == "image" else [])] for t in tasks]
    train = [read(source[: config.samples], tokenizer) for source in sources]
    del sources
    valid = [read(t.validation[: config.validation_samples], tokenizer) for t in tasks]
    net = SmallNet([len(t.labels) for t in tasks])
    others = [p for name, p in net.named_parameters() if name != "embedding.weight"]
    groups = [
        {"params": others, "lr": config.rate},
        {"params": [net.embedding.weight], "lr": config.embedding_rate},
    ]
    optimiser = torch.optim.AdamW(groups, weight_decay=config.weight_decay)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser,
        lambda n: min((n + 1) / config.warm_up, 1.0, (config.steps - n) / (FALL * config.steps)),
    )
    rungs, chances = list(RUNG_CHANCES), torch.tensor(list(RUNG_CHANCES.values()))
    batches = [Batches(data, config.batch(n), generator) for n, data in enumerate(train)]
    total = torch.zeros(len(tasks))
    for step in range(1, config.steps + 1):
        rung = rungs[int(torch.multinomial(chances, 1, generator=generator))]
        drawn = [each.next() for each in batches]
        seen = seen_by(net, drawn, config.shift, generator)
        losses = []
        for number, (batch, looks) in enumerate(zip(drawn, seen, strict=True)):
            there, kept = arriving(batch, config.hidden_words, generator)
            scores = scores_of(net, number, batch, looks, rung, there, kept)
            losses.append(
                functional.cross_entropy(scores, batch.labels, label_smoothing=config.smoothing)
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
        "command": " ".join(
            ["python", "-m", "models.training.train_small", *changed_options(config)]
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
            looks = None if data.pictures is None else net.look(data.pictures.float())
            for share in (0.0, 0.5):
                kept = torch.rand(data.there.shape, generator=generator) >= share
                out.append(scores_of(net, number, data, looks, DEFAULT_RUNG, data.there, kept))
                reached = float((out[-1].argmax(-1) == data.labels).float().mean())
                meta["validation_accuracy"][f"{task.name} {DEFAULT_RUNG} loss {share}"] = round(
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
