# SPDX-License-Identifier: MIT
"""The two halves of a training step: what the device does, and what the edge does."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from models.federated.split import Batch, Smashed, SplitModel, Tensors


class DeviceSide:
    """The device's half of training: forward, wait for gradients, backward, step.

    Args:
        model: cut where this device's spec says.
        tensors: the device's trainable values (`SplitSpec.device_part`).
        learning_rate: of Adam; its state begins anew with each object.
    """

    def __init__(
        self, model: SplitModel, tensors: Mapping[str, Tensor], learning_rate: float
    ) -> None:
        self.model = model
        self.tensors = _leaves(tensors)
        self._optimiser = _optimiser(self.tensors, learning_rate)
        self._pending: Smashed | None = None

    @property
    def trains_below_the_cut(self) -> bool:
        """Return whether gradients of the smashed activations are of any use to the device."""
        return any(name.startswith("down.") for name in self.tensors)

    def forward(self, batch: Batch) -> Smashed:
        """Run the device's layers and return values without a graph."""
        self._pending = self.model.device(self.tensors, batch)
        return Smashed(self._pending.prefix.detach(), self._pending.rows.detach())

    def head_step(self, pooled: Tensor, labels: Tensor) -> tuple[float, Tensor]:
        """U-shape: return loss and its gradient for the pooled rows; keeps the head's own."""
        leaf = pooled.detach().requires_grad_()
        loss = functional.cross_entropy(self.model.scores(self.tensors, leaf), labels)
        loss.backward()  # type: ignore[no-untyped-call]
        assert leaf.grad is not None
        return float(loss.detach()), leaf.grad

    def backward(self, gradient: Smashed | None) -> None:
        """Finish a step with the gradients of what `forward` returned, None if there are none."""
        if gradient is not None and self._pending is not None and self.trains_below_the_cut:
            torch.autograd.backward(
                [self._pending.prefix, self._pending.rows], [gradient.prefix, gradient.rows]
            )
        self._pending = None
        if self._optimiser is not None:
            self._optimiser.step()
            self._optimiser.zero_grad()

    def state(self) -> Tensors:
        """Return copies of the trained values."""
        return {name: value.detach().clone() for name, value in self.tensors.items()}


class EdgeSide:
    """The edge's half of training, for one copy of the edge's values.

    Args:
        model: the model; a client with a cut of its own brings another one to `forward`.
        tensors: the edge's trainable values, of the lowest cut of all clients.
        learning_rate: of Adam.
    """

    def __init__(
        self, model: SplitModel, tensors: Mapping[str, Tensor], learning_rate: float
    ) -> None:
        self.model = model
        self.tensors = _leaves(tensors)
        self._optimiser = _optimiser(self.tensors, learning_rate)
        self._pending: dict[int, tuple[Smashed, Tensor]] = {}

    def forward(
        self,
        smashed: Smashed,
        positions: Tensor,
        lengths: Sequence[int],
        *,
        client: int = 0,
        model: SplitModel | None = None,
    ) -> Tensor:
        """Run the edge's layers over received values; return the pooled rows without a graph.

        Args:
            smashed: what came.
            positions: of the tokens, from 1, shape [tokens].
            lengths: tokens of each sequence.
            client: whose they are.
            model: with the client's cut, if that is not the one of all.
        """
        leaf = Smashed(
            smashed.prefix.detach().requires_grad_(), smashed.rows.detach().requires_grad_()
        )
        pooled = (model or self.model).edge(self.tensors, leaf, positions, lengths)
        self._pending[client] = (leaf, pooled)
        return pooled.detach()

    def label_loss(
        self, labels: Tensor, *, client: int = 0, weight: float = 1.0
    ) -> tuple[float, Smashed]:
        """Labels went along: return the loss and the gradients to send down; see `backward`."""
        leaf, pooled = self._pending.pop(client)
        loss = functional.cross_entropy(self.model.scores(self.tensors, pooled), labels)
        (weight * loss).backward()  # type: ignore[no-untyped-call]
        return float(loss.detach()), _gradients(leaf, weight)

    def backward(self, gradient: Tensor, *, client: int = 0, weight: float = 1.0) -> Smashed:
        """U-shape: take the gradient of the pooled rows, return those of the smashed values.

        Args:
            gradient: shape [sequences, hidden].
            client: whose forward pass it belongs to.
            weight: of this client in a joint step; what goes down is not weighted.
        """
        leaf, pooled = self._pending.pop(client)
        pooled.backward(weight * gradient)  # type: ignore[no-untyped-call]
        return _gradients(leaf, weight)

    def step(self) -> None:
        """Apply the gradients gathered since the last step."""
        if self._optimiser is not None:
            self._optimiser.step()
            self._optimiser.zero_grad()

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Take over values; Adam keeps what it knows of them."""
        with torch.no_grad():
            for name, value in tensors.items():
                self.tensors[name].copy_(value)

    def drop(self) -> None:
        """Forget forward passes whose gradients will never come."""
        self._pending.clear()

    def state(self) -> Tensors:
        """Return copies of the trained values."""
        return {name: value.detach().clone() for name, value in self.tensors.items()}


def whole_step(
    model: SplitModel, tensors: Mapping[str, Tensor], batch: Batch
) -> tuple[float, Tensors]:
    """Return loss and gradients of one step of the uncut model: the oracle of the split step."""
    leaves = _leaves(tensors)
    pooled = model.edge(leaves, model.device(leaves, batch), batch.positions, batch.lengths)
    loss = functional.cross_entropy(model.scores(leaves, pooled), batch.labels)
    loss.backward()  # type: ignore[no-untyped-call]
    return float(loss.detach()), {
        name: torch.zeros_like(value) if value.grad is None else value.grad
        for name, value in leaves.items()
    }


def _gradients(leaf: Smashed, weight: float) -> Smashed:
    def of(value: Tensor) -> Tensor:
        if value.grad is None:  # with the cut after the last layer nobody looks at the prefix
            return torch.zeros_like(value)
        return value.grad / weight

    return Smashed(of(leaf.prefix), of(leaf.rows))


def _leaves(tensors: Mapping[str, Tensor]) -> Tensors:
    return {name: value.detach().clone().requires_grad_() for name, value in tensors.items()}


def _optimiser(tensors: Tensors, learning_rate: float) -> torch.optim.Adam | None:
    return torch.optim.Adam(list(tensors.values()), lr=learning_rate) if tensors else None
