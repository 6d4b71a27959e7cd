# SPDX-License-Identifier: MIT
"""The model of codec "llm-multi" before a run's first step: from the text codecs, or a file."""

from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional

from models.codecs.quantiser import MAX_DIMENSIONS
from models.codecs.weights import load_weights
from models.training.multi_data import TASKS, MultiData
from models.training.multi_model import MultiModel, Projection, principal

PARTS = ("encoder", "decoder", "mean", "offset")


def first_model(data: MultiData) -> MultiModel:
    """Return the model before any step."""
    single = {name: load_weights("raw-text", name).tensors for name in TASKS[:2]}
    adapters = {}
    for n in range(data.cut, data.last):
        adapters[f"down.{n}"] = torch.cat([t[f"down.{n}"] for t in single.values()])
        adapters[f"up.{n}"] = 0.5 * torch.cat([t[f"up.{n}"] for t in single.values()], 1)
    hidden = data.backbone.geometry.hidden
    heads = []
    for task in data.tasks:
        if task.name in single:
            t = single[task.name]
            heads.append((t["pool"], t["head.weight"], t["head.bias"]))
        else:
            count = len(task.labels)
            heads.append((torch.zeros(hidden), torch.zeros(count, hidden), torch.zeros(count)))
    text = text_projection(data)
    model = MultiModel(
        data.backbone, data.vision, text=text, seen=vision_projection(data, text),
        adapters=adapters, heads=heads, cut=data.cut, last=data.last,
    )  # fmt: skip
    return with_sensitive_text(data, model)


def text_rows(data: MultiData) -> Tensor:
    """Return token streams of all tasks with text, shape [tokens, hidden]."""
    chosen = [*data.train[0][:300], *data.train[1][:150], *data.train[3][:150]]
    return torch.cat([i.text for i in chosen if i.text is not None]).float()


def text_projection(data: MultiData) -> Projection:
    """Return plain principal components: a place to start from."""
    rows = text_rows(data)
    encoder, decoder, mean = principal(rows, torch.cov(rows.T), MAX_DIMENSIONS)
    return Projection(encoder, decoder, mean, mean)


def with_sensitive_text(data: MultiData, model: MultiModel) -> MultiModel:
    """Give the text's projection the directions that the text tasks' answers hang on."""
    sensitivity = torch.zeros(())
    for number in (0, 1):
        slopes, items = [], data.train[number][: 120 if number == 0 else 60]
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
    encoder, decoder, mean = principal(text_rows(data), sensitivity, MAX_DIMENSIONS)
    model.text = Projection(encoder, decoder, mean, mean)
    return model


def vision_projection(data: MultiData, text: Projection) -> Projection:
    """Start from what linear probes of the labels read, in the place of the text's values."""
    rows, sensitivity = [], torch.zeros(())
    for number, drop in ((2, ()), (3, ("yes", "no"))):
        labels = data.tasks[number].labels
        chosen = [i for i in data.train[number] if labels[i.label] not in drop][:1500]
        seen = torch.stack([i.vision for i in chosen if i.vision is not None])
        features = data.vision.top(seen.float())
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


def started_model(data: MultiData, path: Path) -> tuple[MultiModel, dict[str, Tensor]]:
    """Return the model of a weight file, and take over its importance."""
    tensors = {name: value.float() for name, value in load_file(path).items()}
    importance = {
        name.removeprefix("importance."): value
        for name, value in tensors.items()
        if name.startswith("importance.")
    }
    model = MultiModel(
        data.backbone,
        data.vision,
        text=Projection(*(tensors[f"text.{n}"] for n in PARTS)),
        seen=Projection(*(tensors[f"vision.{n}"] for n in PARTS)),
        adapters=tensors,
        heads=[
            (tensors[f"pool.{t}"], tensors[f"head.{t}.weight"], tensors[f"head.{t}.bias"])
            for t in TASKS
        ],
        cut=data.cut,
        last=data.last,
    )
    return model, importance
