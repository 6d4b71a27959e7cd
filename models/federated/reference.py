# SPDX-License-Identifier: MIT
"""Rounds of fine-tuning in memory: what a run over a lossless network must reproduce."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from models.federated.sides import DeviceSide, EdgeSide
from models.federated.smashed import SmashedCodec
from models.federated.split import Batch, Corpus, Smashed, SplitModel, Tensors
from models.federated.strategy import FitResult, Strategy

DESIGNS = ("splitfed-v1", "splitfed-v2", "splitlora", "federated", "centralised")
"""SplitFed with a server copy a client, and with one server model that clients train in turn
(Thapa et al., AAAI 2022); SplitLoRA: one server model that takes one joint step with all clients
(Lin et al., arXiv 2407.00952); LoRA at the device without a cut; and training at the edge on data
that were sent there."""


@dataclass(frozen=True, kw_only=True)
class LocalWork:
    """What a client does in a round.

    Attributes:
        steps: optimiser steps E.
        batch: samples a step B.
        learning_rate: of Adam.
    """

    steps: int
    batch: int
    learning_rate: float


def choose_samples(rng: np.random.Generator, available: int, work: LocalWork) -> list[list[int]]:
    """Return the sample numbers of each step of a round: a random order, begun anew at its end."""
    wanted = work.steps * work.batch
    orders = [rng.permutation(available) for _ in range(-(-wanted // available))]
    flat = [int(n) for n in np.concatenate(orders)[:wanted]]
    return [flat[i : i + work.batch] for i in range(0, wanted, work.batch)]


def traffic_bytes(
    *, tokens: int, width: int, codec: SmashedCodec, lora_values: int, bytes_per_weight: int
) -> int:
    """Return V = 2·E·B·S·d·b_act·ρ/8 + 2·|LoRA|·b_w/8 of a client and round, in bytes.

    Args:
        tokens: Σ of the tokens of all its batches, E·B·S with the real lengths.
        width: d.
        codec: gives b_act·ρ, its scales and places included.
        lora_values: |LoRA|, the values that a device trains and exchanges.
        bytes_per_weight: b_w/8.
    """
    return 2 * tokens * codec.row_bytes(width) + 2 * lora_values * bytes_per_weight


def split_step(device: DeviceSide, edge: EdgeSide, batch: Batch, *, client: int = 0) -> float:
    """Do one step in two parts and return its loss; the edge's step is left to the caller."""
    smashed = device.forward(batch)
    pooled = edge.forward(smashed, batch.positions, batch.lengths, client=client)
    if device.model.spec.head_at_device:
        loss, gradient = device.head_step(pooled, batch.labels)
        down: Smashed = edge.backward(gradient, client=client)
    else:
        loss, down = edge.label_loss(batch.labels, client=client)
    device.backward(down)
    return loss


def run_round(
    design: str,
    strategy: Strategy,
    model: SplitModel,
    data: Mapping[int, Corpus],
    batches: Mapping[int, Sequence[Sequence[int]]],
    work: LocalWork,
    cuts: Mapping[int, int] | None = None,
) -> dict[int, float]:
    """Train one round in memory and let the strategy take over the results.

    Args:
        design: "splitfed-v1" or "federated" (the same values: only who computes differs).
        strategy: holds the global values before and after.
        model: with the cut of every client that `cuts` does not name.
        data: client → its samples.
        batches: client → sample numbers of each step.
        work: steps, batch and learning rate.
        cuts: client → layers at its device.

    Returns:
        Each client's mean loss.
    """
    if design not in ("splitfed-v1", "federated"):
        raise ValueError(f"no reference in memory for design {design!r}")
    results, losses = [], {}
    for client, corpus in data.items():
        start = strategy.configure_fit(client, model.spec.rank)
        mine = model.cut_at((cuts or {}).get(client, model.spec.cut))
        device = DeviceSide(mine, mine.spec.device_part(start), work.learning_rate)
        edge = EdgeSide(mine, mine.spec.edge_part(start), work.learning_rate)
        total = 0.0
        for numbers in batches[client]:
            total += split_step(device, edge, corpus.batch(numbers))
            edge.step()
        losses[client] = total / len(batches[client])
        trained: Tensors = {**device.state(), **edge.state()}
        results.append(FitResult(client, trained, work.steps * work.batch, strategy.version))
    strategy.aggregate_fit(results)
    return losses


def same(first: Mapping[str, Tensor], second: Mapping[str, Tensor]) -> float:
    """Return the largest absolute difference between two sets of values of the same names."""
    if first.keys() != second.keys():
        raise ValueError("not the same names")
    return max(float((first[name] - second[name]).abs().max()) for name in first)
