# SPDX-License-Identifier: MIT
"""A client's part of a round, and the row that the trace gets of it."""

import math
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from cosim.agents.arq import ArqEndpoint
from cosim.agents.trainer_setup import TrainingSetup, snapshot
from models.federated.sides import EdgeSide
from models.federated.split import SplitModel, Tensors
from models.federated.strategy import FitResult


@dataclass
class Session:
    """A client's part of a round, from the weights it gets to the result it sends.

    Attributes:
        model: with the client's cut.
        sent: (all bytes, message bytes) sent to the client before it.
        received: the same of what the client had sent.
        losses: of the steps so far; they are asked for when the row is written, since a step may
            still be computed.
        edge: the client's own copy of the server model, if it has one.
        late: the round was over, or the client given up, before the result came.
        given_up: nobody waits for the result any more.
    """

    round: int
    client: int
    rank: int
    model: SplitModel
    version: int
    start_s: float
    sent: tuple[int, int]
    received: tuple[int, int]
    losses: list[Callable[[], float]]
    edge: EdgeSide | None = None
    result: FitResult | None = None
    end_s: float = math.nan
    late: bool = False
    used: bool = False
    given_up: bool = False

    def weighted(self, now: int) -> FitResult:
        """Return the result, which counts the less the older it is, as with `FedAsync`.

        Args:
            now: round that takes it.
        """
        result = self.result
        assert result is not None
        age = now - self.round
        if age == 0:
            return result
        examples = max(1, round(result.num_examples * (1 + age) ** -0.5))
        return FitResult(result.client, result.tensors, examples, result.version)

    def rate_bps(self, end: ArqEndpoint, now_s: float) -> float:
        """Return the uplink rate that the client reached, the whole round's if nothing better.

        Args:
            end: the client's end of the link.
            now_s: simulated time.
        """
        if not math.isnan(end.rate_bps):
            return end.rate_bps
        return 8 * (end.sent.total - self.received[0]) / max(now_s - self.start_s, 1e-9)


def row_of(
    setup: TrainingSetup, session: Session, down: ArqEndpoint, up: ArqEndpoint
) -> dict[str, Any]:
    """Return the row of a session that is over, but for its accuracy.

    Args:
        setup: of the entry.
        session: that is over.
        down: the server's end of the link.
        up: the client's end.
    """
    sent, received = snapshot(down.sent), snapshot(up.sent)
    losses = [loss() for loss in session.losses]
    spec = session.model.spec
    return dict(
        round=session.round,
        client=session.client,
        cut_layer={"federated": spec.last, "centralised": 0}.get(setup.design, spec.cut),
        rank=session.rank,
        bytes_up=received[0] - session.received[0],
        bytes_down=sent[0] - session.sent[0],
        t_start_s=session.start_s,
        t_end_s=session.end_s,
        late=session.late,
        loss=sum(losses) / len(losses) if losses else math.nan,
        design=setup.design,
        version=setup.strategy.version,
        payload_up=received[1] - session.received[1],
        payload_down=sent[1] - session.sent[1],
        used=session.used,
    )


class Rows:
    """Rows of `rounds`, written when their accuracy has been measured.

    Measuring goes on beside ns-3. Rows wait for it until the next ones come or the run is over:
    both are the same in every run, whatever the time it takes.

    Args:
        setup: of the entry.
    """

    def __init__(self, setup: TrainingSetup) -> None:
        self._setup = setup
        self._waiting: list[dict[str, Any]] = []
        self._accuracy: Future[float] | None = None
        setup.book.at_end(self._write)

    def enter(self, rows: Sequence[dict[str, Any]], values: Sequence[Tensors] = ()) -> None:
        """Write what waits, and take rows.

        Args:
            rows: of sessions that are over.
            values: of each client, if the accuracy is to be measured: the rows have their mean.
        """
        self._write()
        self._waiting = list(rows)
        if values:
            self._accuracy = self._setup.evaluator.begin(lambda: self._measure(values))

    def _measure(self, values: Sequence[Tensors]) -> float:
        setup = self._setup
        assert setup.test is not None
        # Clusters have a model each; a client counts with the model of its own.
        distinct = {id(v): v for v in values}
        found = {key: setup.model.evaluate(v, setup.test)[0] for key, v in distinct.items()}
        return sum(found[id(v)] for v in values) / len(values)

    def _write(self) -> None:
        accuracy = math.nan if self._accuracy is None else self._accuracy.result()
        for row in self._waiting:
            self._setup.book.add("rounds", **row, accuracy=accuracy)
        self._waiting, self._accuracy = [], None
