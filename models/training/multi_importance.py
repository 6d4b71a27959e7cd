# SPDX-License-Identifier: MIT
"""How much each unit of a sample matters to codec "llm-multi": linear scores, fitted."""

from collections.abc import Callable

import torch
from torch import Tensor

from models.training.multi_data import TASKS, MultiData
from models.training.multi_model import Item, MultiModel
from models.vision.efficientnet import POSITIONS

KINDS = ("vision", "text")


class MultiImportance:
    """Scores by task and kind of unit.

    Args:
        data: to fit on.
        model: whose answers count.
        say: told how well a fit matches.

    Attributes:
        weights: "task.kind" → ridge weights and, last, the intercept; empty before the first fit.
    """

    def __init__(self, data: MultiData, model: MultiModel, say: Callable[[str], None]) -> None:
        self._data, self._model, self._say = data, model, say
        self.weights: dict[str, Tensor] = {}

    @torch.no_grad()
    def top(self, item: Item, share: float) -> Tensor:
        """Return an item's units without its `share` least important ones, ascending."""
        scores = torch.cat(
            [
                self.deviations(item, kind) @ self.weights[f"{TASKS[item.task]}.{kind}"][:-1]
                + self.weights[f"{TASKS[item.task]}.{kind}"][-1]
                for kind in KINDS
                if f"{TASKS[item.task]}.{kind}" in self.weights
            ]
        )
        return scores.topk(max(1, round(item.units * (1 - share)))).indices.sort().values

    def deviations(self, item: Item, kind: str) -> Tensor:
        """Return an item's units of a kind as deviations from the projection's mean."""
        if kind == "vision":
            assert item.vision is not None
            return self._data.vision.top(item.vision.float()) - self._model.seen.mean
        assert item.text is not None
        return item.text.float() - self._model.text.mean

    def fit(self, count: int = 60) -> None:
        """Fit each task's linear scores to a unit's rank by |gradient · deviation| of the margin.

        The deviation is that of the unit's stream from its projection's offset: to first order the
        margin changes by so much if an average unit takes its place.
        """
        for number, task in enumerate(TASKS):
            features: dict[str, list[Tensor]] = {kind: [] for kind in KINDS}
            wanted: dict[str, list[Tensor]] = {kind: [] for kind in KINDS}
            items = self._data.train[number][:count]
            for first in range(0, len(items), 12):
                batch = items[first : first + 12]
                with torch.no_grad():
                    hidden, positions, lengths = self._model.arrive(
                        batch, [torch.arange(i.units) for i in batch], None
                    )
                hidden.requires_grad_()
                scores = self._model.answer(hidden, positions, lengths, [number] * len(batch))
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
                            self._model.seen.offset.expand(seen, -1),
                            self._model.text.offset.expand(item.units - seen, -1),
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
                    self.weights[f"{task}.{kind}"] = self._regress(
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
        self._say(f"importance of {name}: correlation with its target {float(match):.3f}")
        return torch.cat([weights, offset[None]])
