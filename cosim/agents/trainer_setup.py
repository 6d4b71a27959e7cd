# SPDX-License-Identifier: MIT
"""What all agents of one fine-tuning entry have in common."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from cosim.agents.arq import ArqEndpoint, Counters
from cosim.agents.book import Book
from cosim.agents.trainer_worker import Worker
from cosim.seeding import generator
from models.compression import DeviceProfile
from models.federated.placement import Placement
from models.federated.reference import LocalWork
from models.federated.service import ServiceBank
from models.federated.smashed import SmashedCodec
from models.federated.split import Corpus, SplitModel
from models.federated.strategy import Strategy
from models.federated.wire import MessageError
from models.tasks import Sample


@dataclass(frozen=True, kw_only=True)
class TrainingSetup:
    """One fine-tuning entry, resolved.

    Attributes:
        entry: number of the [[traffic]] entry.
        design: see `models.federated.reference.DESIGNS`.
        model: cut where most clients cut it.
        samples: client → its training samples.
        max_tokens: of a sample.
        ranks: client → rank of its low-rank changes.
        cuts: client → layers at its device, in the first round if they are adapted.
        placement: chooses later ones, None if they are fixed.
        deepest: client → layers that fit into its memory.
        off_s: client → when it is switched off.
        codec: compression of activations and gradients.
        choose: (candidates, uplink rates, round durations) → clients of a round.
        strategy: holds the global values.
        bank: what is in service.
        book: where `rounds` rows go.
        test: for the accuracy in the trace, None for no evaluation.
        adapt_rank: clients with a slow uplink get a lower rank.
        fitting: (client, layers) → the highest rank that fits into its memory; None without
            adapt_rank.
        weight_type: number type of weights on the air.
        worker: where devices compute.
        edge_worker: where the edge server's steps are computed.
        evaluator: where accuracies are measured.
        absent_s: a client that sent nothing for so long while it was waited for is given up.
    """

    entry: int
    design: str
    model: SplitModel
    samples: Mapping[int, Sequence[Sample]]
    max_tokens: int
    ranks: Mapping[int, int]
    cuts: Mapping[int, int]
    placement: Placement | None
    deepest: Mapping[int, int]
    off_s: Mapping[int, float]
    codec: SmashedCodec
    work: LocalWork
    rounds: int
    choose: Callable[[Sequence[int], Mapping[int, float], Mapping[int, float]], list[int]]
    strategy: Strategy
    bank: ServiceBank
    book: Book
    test: Corpus | None
    evaluate_every: int
    adapt_rank: bool
    fitting: Callable[[int, int], int] | None
    keep_tokens: float
    error_feedback: bool
    lossy: bool
    weight_type: torch.dtype
    round_deadline_s: float
    absent_s: float
    use_late: bool
    start_s: float
    stop_when_done: bool
    device_profile: DeviceProfile
    edge_profile: DeviceProfile
    seed: int
    endpoint: Callable[[], ArqEndpoint]
    worker: Worker = field(default_factory=Worker)
    edge_worker: Worker = field(default_factory=Worker)
    evaluator: Worker = field(default_factory=Worker)

    def rng(self, *names: str | int) -> np.random.Generator:
        """Return a generator for one purpose."""
        return generator(self.seed, *names)

    @property
    def lowest_cut(self) -> int:
        """Return the fewest layers that any client may have."""
        return self.model.spec.first + 1 if self.placement else min(self.cuts.values())

    def device_shapes(self, cut: int) -> dict[str, tuple[int, ...]]:
        """Return what a client's weights must look like; the rank is the client's own.

        Args:
            cut: layers at the device, of no matter if the whole model is there.

        Raises:
            MessageError: there are not so many layers, or none to train below.
        """
        values = self.strategy.current()
        if self.design != "federated":
            spec = self.model.spec
            if not spec.first < cut <= spec.last:
                raise MessageError(
                    f"{cut} layers at the device, {spec.first + 1} to {spec.last} fit"
                )
            values = self.model.cut_at(cut).spec.device_part(values)
        out: dict[str, tuple[int, ...]] = {}
        for name, value in values.items():
            shape = tuple(value.shape)
            if name.startswith("down."):
                shape = (0, shape[1])
            elif name.startswith("up."):
                shape = (shape[0], 0)
            out[name] = shape
        return out

    def step_cost(self, tokens: int, first: int, last: int, *, backward: bool) -> float:
        """Return the seconds that layers take at a device."""
        return self.device_profile.latency_s(
            *self.model.cost(tokens, first, last, backward=backward)
        )


def snapshot(counters: Counters) -> tuple[int, int]:
    """Return (all bytes, message bytes) sent so far."""
    return counters.total, counters.payload
