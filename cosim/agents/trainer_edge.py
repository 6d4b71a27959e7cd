# SPDX-License-Identifier: MIT
"""What the edge server computes for its clients, by design."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Protocol

import torch

from cosim.agents.trainer_setup import TrainingSetup
from models.federated.lowrank import cut_rank
from models.federated.sides import EdgeSide
from models.federated.split import Smashed, Tensors
from models.federated.strategy import FitResult
from models.federated.wire import Kind, Message, MessageError, RowMessage, encode_rows

if TYPE_CHECKING:
    from cosim.agents.trainer_session import Session


class Replier(Protocol):
    """What sends the edge's answers; `TrainerServer`."""

    now_s: float

    def reply(
        self, client: int, number: int, data: Callable[[], RowMessage], delay_s: float
    ) -> None:
        """Send rows to a client when `delay_s` has passed; only then are they asked for."""


class EdgeWork:
    """The edge's layers: a copy a client (V1), one for all in turn (V2), or one joint step.

    The edge computes for one client at a time, in the order in which activations come. Where
    clients have cuts of their own, one server model has the layers above the lowest cut, and a
    client uses those above its own; see `shares`. What is computed goes on in `edge_worker` while
    ns-3 runs towards the time at which it is done; only there the layers' values change.
    """

    def __init__(self, replier: Replier, setup: TrainingSetup) -> None:
        self._replier, self._setup = replier, setup
        self._random = setup.rng("edge")
        self._free_s = 0.0
        self._shared: EdgeSide | None = None
        if setup.design in ("splitfed-v2", "splitlora"):
            model = setup.model.cut_at(setup.lowest_cut)
            values = model.spec.edge_part(setup.strategy.current())
            self._shared = EdgeSide(model, values, setup.work.learning_rate)
        self._active: set[int] = set()
        self._barrier: dict[int, tuple[Session, Message, bool]] = {}
        self._last: dict[int, tuple[Message, bool]] = {}

    def begin_round(self, clients: list[int]) -> None:
        """Note who takes part: a joint step waits for all of them."""
        self._active = set(clients)
        self._barrier.clear()
        if self._shared is not None:
            self._setup.edge_worker.begin(self._shared.drop)

    def leave(self, client: int, *, closed: bool) -> None:
        """Do not wait for a client any longer; `closed`: nor for anybody, the round is over."""
        self._active.discard(client)
        if closed:
            self._barrier.pop(client, None)
        elif self._setup.design == "splitlora":
            self._joint_step()

    def has_sent(self, client: int) -> bool:
        """Return whether a client waits for a joint step, so that nothing of it is due."""
        return client in self._barrier

    def take(self, session: "Session", message: Message, *, selected: bool) -> None:
        """Take activations, or the gradients of pooled rows.

        Raises:
            MessageError: nothing can be made of them.
        """
        edge = session.edge if session.edge is not None else self._shared
        if edge is None:
            raise MessageError("activations, but nothing of the model is at the edge")
        if message.kind is Kind.POOLED_GRADIENT:
            self._take_pooled_gradient(session, message, edge)
        elif self._setup.model.spec.head_at_device:
            self._answer_pooled(session, message, edge, selected=selected)
        elif message.labels is None:
            raise MessageError("labels did not go along")
        elif self._setup.design == "splitlora":
            if session.client in self._active:
                self._barrier[session.client] = (session, message, selected)
                self._joint_step()
        else:
            step = self._setup.edge_worker.begin(
                partial(self._step, edge, session, message, selected=selected)
            )
            session.losses.append(lambda: step.result()[0])
            delay_s = self._busy([(len(_positions(message)), session.model.spec.cut)])
            self._replier.reply(session.client, message.round, lambda: step.result()[1], delay_s)

    def _step(
        self, edge: EdgeSide, session: "Session", message: Message, *, selected: bool
    ) -> tuple[float, RowMessage]:
        """Return loss and gradients of one client's step; in the edge's worker."""
        self._forward(edge, session, message)
        assert message.labels is not None
        loss, down = edge.label_loss(message.labels, client=session.client)
        edge.step()
        return loss, self._gradient(message, down, selected=selected)

    def _answer_pooled(
        self, session: "Session", message: Message, edge: EdgeSide, *, selected: bool
    ) -> None:
        """U-shape: send the pooled rows, since labels and head are at the device."""

        def compute() -> RowMessage:
            pooled = self._forward(edge, session, message)
            empty = pooled.new_zeros(0, pooled.shape[1])
            return self._encode(message, Kind.POOLED, Smashed(empty, pooled), (1,) * len(pooled))

        self._last[session.client] = (message, selected)
        computed = self._setup.edge_worker.begin(compute)
        delay_s = self._busy([(len(_positions(message)), session.model.spec.cut)])
        self._replier.reply(session.client, message.round, computed.result, delay_s)

    def _take_pooled_gradient(self, session: "Session", message: Message, edge: EdgeSide) -> None:
        known = self._last.pop(session.client, None)
        if known is None or known[0].step != message.step or message.smashed is None:
            raise MessageError("gradients of pooled rows that were never sent")
        forward, selected = known
        rows = message.smashed.rows
        if len(rows) != len(forward.lengths):
            raise MessageError(f"gradients of {len(rows)} of {len(forward.lengths)} pooled rows")

        def compute() -> RowMessage:
            down = edge.backward(rows, client=session.client)
            edge.step()
            return self._gradient(forward, down, selected=selected)

        computed = self._setup.edge_worker.begin(compute)
        delay_s = self._busy([(len(_positions(forward)), session.model.spec.cut)])
        self._replier.reply(session.client, forward.round, computed.result, delay_s)

    def _joint_step(self) -> None:
        """One step with everybody who is still in the round, once all activations are there."""
        if not self._barrier or not self._active <= self._barrier.keys():
            return
        waiting = [self._barrier[client] for client in sorted(self._barrier)]
        self._barrier.clear()
        computed = self._setup.edge_worker.begin(partial(self._compute_jointly, waiting))
        tokens: dict[int, int] = {}
        for session, message, _ in waiting:
            cut = session.model.spec.cut
            tokens[cut] = tokens.get(cut, 0) + sum(message.lengths)
        delay_s = self._busy([(count, cut) for cut, count in tokens.items()])
        for number, (session, message, _) in enumerate(waiting):
            session.losses.append(lambda n=number: computed.result()[n][0])  # type: ignore[misc]
            self._replier.reply(
                session.client,
                message.round,
                lambda n=number: computed.result()[n][1],  # type: ignore[misc]
                delay_s,
            )

    def _compute_jointly(
        self, waiting: Sequence[tuple["Session", Message, bool]]
    ) -> list[tuple[float, RowMessage]]:
        """Return each client's loss and gradients of a joint step; in the edge's worker."""
        assert self._shared is not None
        found = []
        for session, message, _ in waiting:
            self._forward(self._shared, session, message)
            assert message.labels is not None
            found.append(
                self._shared.label_loss(
                    message.labels, client=session.client, weight=1 / len(waiting)
                )
            )
        self._shared.step()
        return [
            (loss, self._gradient(message, down, selected=selected))
            for (_, message, selected), (loss, down) in zip(waiting, found, strict=True)
        ]

    def _forward(self, edge: EdgeSide, session: "Session", message: Message) -> torch.Tensor:
        """Run the edge's layers over activations and return the pooled rows."""
        assert message.smashed is not None
        return edge.forward(
            message.smashed,
            _positions(message),
            message.lengths,
            client=session.client,
            model=session.model,
        )

    def _gradient(self, message: Message, down: Smashed, *, selected: bool) -> RowMessage:
        """Return the gradients that answer activations; positions travel if rows were left out."""
        sparse = selected or self._setup.keep_tokens < 1
        positions = message.positions if sparse else None
        return self._encode(message, Kind.GRADIENT, down, message.lengths, positions)

    def _encode(
        self,
        message: Message,
        kind: Kind,
        smashed: Smashed,
        lengths: tuple[int, ...],
        positions: torch.Tensor | None = None,
    ) -> RowMessage:
        return encode_rows(
            kind,
            smashed,
            lengths,
            codec=self._setup.codec,
            rng=self._random,
            round_number=message.round,
            step=message.step,
            version=message.version,
            positions=positions,
        )

    def _busy(self, parts: Sequence[tuple[int, int]]) -> float:
        """Let the edge compute and return when it is done, in seconds from now.

        Args:
            parts: (tokens, cut) of what is computed at once.
        """
        model, profile = self._setup.model, self._setup.edge_profile
        costs = [model.cost(n, cut, model.spec.last, backward=True) for n, cut in parts]
        latency_s = profile.latency_s(sum(c[0] for c in costs), sum(c[1] for c in costs))
        now_s = self._replier.now_s
        self._free_s = max(now_s, self._free_s) + latency_s
        return self._free_s - now_s

    # One server model

    def shares(self, taken: Sequence["Session"]) -> list[FitResult]:
        """Return what the server model adds to the average of layers that devices trained too.

        A layer between two clients' cuts has been trained at the device of the one and at the
        server for the other. The server's copy counts with the samples of those it was trained for.

        Args:
            taken: sessions whose results are averaged.
        """
        if self._shared is None or not taken:
            return []
        values, out = self._setup.edge_worker.call(self._shared.state), []
        cuts = [session.model.spec.cut for session in taken]
        for number in range(min(cuts), max(cuts)):
            weight = sum(
                session.result.num_examples
                for session in taken
                if session.result is not None and session.model.spec.cut <= number
            )
            names = (f"down.{number}", f"up.{number}")
            out.append(FitResult(-1, {name: values[name] for name in names}, weight))
        return out

    def merge(self, taken: Sequence["Session"]) -> None:
        """Put what only the server model has into the global values, and take over the rest."""
        setup = self._setup
        if self._shared is None:
            return
        deepest = max(session.model.spec.cut for session in taken)
        trained = setup.edge_worker.call(self._shared.state)
        above = setup.model.cut_at(deepest).spec.edge_part(trained)
        setup.strategy.tensors = {**setup.strategy.tensors, **above}
        below: Tensors = {
            name: value
            for name, value in cut_rank(setup.strategy.tensors, setup.model.spec.rank).items()
            if name in self._shared.tensors and name not in above
        }
        setup.edge_worker.begin(partial(self._shared.load, below))


def _positions(message: Message) -> torch.Tensor:
    assert message.positions is not None
    return message.positions
