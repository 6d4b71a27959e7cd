# SPDX-License-Identifier: MIT
"""A client's part of a round, and the row that the trace gets of it."""

import math
from dataclasses import dataclass

from cosim.agents.arq import ArqEndpoint
from cosim.agents.trainer_setup import TrainingSetup, snapshot
from models.federated.sides import EdgeSide
from models.federated.split import SplitModel
from models.federated.strategy import FitResult


@dataclass
class Session:
    """A client's part of a round, from the weights it gets to the result it sends.

    Attributes:
        model: with the client's cut.
        sent: (all bytes, message bytes) sent to the client before it.
        received: the same of what the client had sent.
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
    losses: list[float]
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


def write_row(
    setup: TrainingSetup, session: Session, down: ArqEndpoint, up: ArqEndpoint, accuracy: float
) -> None:
    """Write the row of a session.

    Args:
        setup: of the entry.
        session: that is over.
        down: the server's end of the link.
        up: the client's end.
        accuracy: of the global values after the round, NaN if it was not measured.
    """
    sent, received = snapshot(down.sent), snapshot(up.sent)
    loss = sum(session.losses) / len(session.losses) if session.losses else math.nan
    spec = session.model.spec
    setup.book.add(
        "rounds",
        round=session.round,
        client=session.client,
        cut_layer={"federated": spec.last, "centralised": 0}.get(setup.design, spec.cut),
        rank=session.rank,
        bytes_up=received[0] - session.received[0],
        bytes_down=sent[0] - session.sent[0],
        t_start_s=session.start_s,
        t_end_s=session.end_s,
        late=session.late,
        loss=loss,
        accuracy=accuracy,
        design=setup.design,
        version=setup.strategy.version,
        payload_up=received[1] - session.received[1],
        payload_down=sent[1] - session.sent[1],
        used=session.used,
    )
