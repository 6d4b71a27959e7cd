# SPDX-License-Identifier: MIT
"""Aggregation, behind one small interface shaped like a Flower strategy.

D. J. Beutel et al., "Flower", arXiv 2007.14390: `configure_fit` says what each client starts from,
`aggregate_fit` makes the next global values from what came back. A strategy sees only names and
values; whether they crossed a network is no concern of its.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from models.federated.lowrank import Tensors, cut_rank, layers_of, stack, truncate_svd


@dataclass(frozen=True)
class FitResult:
    """What a client trained.

    Attributes:
        client: its number.
        tensors: trained values by name; low-rank changes may have any rank.
        num_examples: samples that it trained on: its weight.
        version: of the global values that it started from.
    """

    client: int
    tensors: Tensors
    num_examples: int
    version: int = 0


class Strategy(ABC):
    """Global values and how they change.

    Args:
        tensors: the initial global values.
        rank: of the low-rank changes that the global values are kept at.

    Attributes:
        version: counts the changes of the global values from 0.
        asynchronous: whether a result is taken over when it comes, without waiting for others.
    """

    asynchronous = False

    def __init__(self, tensors: Mapping[str, Tensor], rank: int) -> None:
        self.tensors: Tensors = dict(tensors)
        self.rank = rank
        self.version = 0

    def configure_fit(self, client: int, rank: int) -> Tensors:
        """Return what a client starts from, its low-rank changes of the client's own rank."""
        return cut_rank(self.current(client), rank)

    def current(self, client: int | None = None) -> Tensors:
        """Return the global values for a client, or for everybody."""
        return self.tensors

    def aggregate_fit(self, results: Sequence[FitResult]) -> Tensors:
        """Take over the results of a round and return the new global values.

        A value is averaged over the results that have it: with cuts of their own, clients bring
        different layers. Names that no result has keep their values, so a strategy may be given a
        part of a model.
        """
        if results:
            self.tensors = {**self.tensors, **self._aggregate(results)}
            self.version += 1
        return self.tensors

    @abstractmethod
    def _aggregate(self, results: Sequence[FitResult]) -> Tensors: ...


class FedAvg(Strategy):
    """Weighted mean of every value, A and B apart (McMahan et al., AISTATS 2017).

    The product of two averages is not the average of the products: see `ExactProduct`. Clients of
    lower rank count as padded with zeros (HetLoRA: Cho et al., EMNLP 2024), and get the first rows
    and columns back.
    """

    def configure_fit(self, client: int, rank: int) -> Tensors:
        """Return the global values, cut to the first `rank` rows and columns."""
        return cut_rank(self.current(client), rank, by="truncate")

    def _aggregate(self, results: Sequence[FitResult]) -> Tensors:
        return average(results, self.rank)


class ExactProduct(Strategy):
    """The mean of the products B·A, kept at `rank` by its best approximation.

    With `rank` at least the sum of the clients' ranks it is exact (as FLoRA, Wang et al., NeurIPS
    2024, gets by stacking, and FedEx-LoRA, Singhal et al., 2024, by a residual).
    """

    def _aggregate(self, results: Sequence[FitResult]) -> Tensors:
        out = _plain_average(results)
        for number, (down, up) in _stacked(results).items():
            new = truncate_svd(down, up, self.rank)
            out[f"down.{number}"], out[f"up.{number}"] = new
        return out


class Stack(Strategy):
    """The mean of the products with nothing cut away: its rank is the sum of the clients' ranks.

    The global values are exact; a client starts from their best approximation of its own rank.
    """

    def _aggregate(self, results: Sequence[FitResult]) -> Tensors:
        out = _plain_average(results)
        for number, (down, up) in _stacked(results).items():
            most = min(down.shape[1], up.shape[0])
            if down.shape[0] > most:
                down, up = truncate_svd(down, up, most)  # a matrix has no higher rank: exact
            out[f"down.{number}"], out[f"up.{number}"] = down, up
        return out


class FedAsync(Strategy):
    """Each result is mixed in when it comes, the less the staler (Xie et al., arXiv 1903.03934).

    The new values are (1 − α)·old + α·result, α = `mixing` · (1 + staleness)^(−`exponent`), with
    staleness the number of changes since the client got its start.
    """

    asynchronous = True

    def __init__(
        self,
        tensors: Mapping[str, Tensor],
        rank: int,
        *,
        mixing: float = 0.6,
        exponent: float = 0.5,
    ) -> None:
        super().__init__(tensors, rank)
        self.mixing, self.exponent = mixing, exponent

    def weight(self, version: int) -> float:
        """Return α of a result that started from `version`."""
        return float(self.mixing * (1 + max(0, self.version - version)) ** -self.exponent)

    def _aggregate(self, results: Sequence[FitResult]) -> Tensors:
        out = dict(self.tensors)
        for result in results:
            share = self.weight(result.version)
            mine = cut_rank(result.tensors, self.rank, by="truncate")
            for name, value in mine.items():
                out[name] = (1 - share) * out[name] + share * value
        return out


class Clustered(Strategy):
    """One set of values a group of clients that change the model alike.

    After the first round, clients are split into `clusters` by the cosine between their changes
    (Sattler et al., arXiv 1910.01991, use the same likeness): farthest-first centres, then each
    client to the most alike. A client that was not there joins the first group.
    """

    def __init__(self, tensors: Mapping[str, Tensor], rank: int, *, clusters: int = 2) -> None:
        super().__init__(tensors, rank)
        self._count = clusters
        self.members: dict[int, int] = {}
        self._groups: list[Tensors] = []

    def current(self, client: int | None = None) -> Tensors:
        """Return the values of the client's group, or the mean of all groups."""
        if client is None or not self._groups:
            return self.tensors
        return self._groups[self.members.get(client, 0)]

    def _aggregate(self, results: Sequence[FitResult]) -> Tensors:
        if not self._groups:
            self._form(results)
        for number in range(len(self._groups)):
            mine = [r for r in results if self.members.setdefault(r.client, 0) == number]
            if mine:
                self._groups[number] = {**self._groups[number], **average(mine, self.rank)}
        sizes = [sum(g == n for g in self.members.values()) for n in range(len(self._groups))]
        return average(
            [
                FitResult(n, values, size)
                for n, (values, size) in enumerate(zip(self._groups, sizes, strict=True))
                if size
            ],
            self.rank,
        )

    def _form(self, results: Sequence[FitResult]) -> None:
        changes = []
        for result in results:
            mine = cut_rank(result.tensors, self.rank, by="truncate")
            flat = [(mine[name] - self.tensors[name]).flatten() for name in sorted(mine)]
            vector = torch.cat(flat)
            changes.append(vector / vector.norm().clamp_min(1e-12))
        likeness = torch.stack(changes) @ torch.stack(changes).T
        centres = [0]
        while len(centres) < min(self._count, len(results)):
            centres.append(int(likeness[:, centres].max(1).values.argmin()))
        nearest = likeness[:, centres].argmax(1).tolist()
        self.members = {r.client: int(g) for r, g in zip(results, nearest, strict=True)}
        self._groups = [dict(self.tensors) for _ in centres]


def average(results: Sequence[FitResult], rank: int) -> Tensors:
    """Return the mean of every value, weighted by samples; low-rank changes padded to `rank`."""
    padded = [
        FitResult(r.client, cut_rank(r.tensors, rank, by="truncate"), r.num_examples)
        for r in results
    ]
    return _mean(padded, _names(padded))


def _plain_average(results: Sequence[FitResult]) -> Tensors:
    """Average what is no low-rank change: pooling and head."""
    names = [n for n in _names(results) if not n.startswith(("down.", "up."))]
    return _mean(results, names)


def _names(results: Sequence[FitResult]) -> list[str]:
    """Return the names that any result has, in a fixed order."""
    return list(dict.fromkeys(name for result in results for name in result.tensors))


def _mean(results: Sequence[FitResult], names: Sequence[str]) -> Tensors:
    out: Tensors = {}
    for name in names:
        have = [r for r in results if name in r.tensors]
        total = sum(r.num_examples for r in have)
        out[name] = torch.stack([r.num_examples / total * r.tensors[name] for r in have]).sum(0)
    return out


def _stacked(results: Sequence[FitResult]) -> dict[int, tuple[Tensor, Tensor]]:
    out = {}
    for number in sorted({n for r in results for n in layers_of(r.tensors)}):
        down, up = f"down.{number}", f"up.{number}"
        have = [r for r in results if down in r.tensors]
        total = sum(r.num_examples for r in have)
        out[number] = stack(
            [(r.num_examples / total, r.tensors[down], r.tensors[up]) for r in have]
        )
    return out


_STRATEGIES: dict[str, Callable[..., Strategy]] = {
    "fedavg": FedAvg,
    "exact": ExactProduct,
    "stack": Stack,
    "async": FedAsync,
    "clustered": Clustered,
}


def strategy_names() -> tuple[str, ...]:
    """Return the names of all strategies."""
    return tuple(_STRATEGIES)


def register_strategy(name: str, make: Callable[..., Strategy]) -> None:
    """Enter a strategy; it is called with the initial values and the rank."""
    _STRATEGIES[name] = make


def get_strategy(name: str, tensors: Mapping[str, Tensor], rank: int) -> Strategy:
    """Return a strategy by name.

    Raises:
        ValueError: no strategy has this name.
    """
    if name not in _STRATEGIES:
        raise ValueError(f"no strategy is named {name!r}; known: {', '.join(_STRATEGIES)}")
    return _STRATEGIES[name](tensors, rank)
