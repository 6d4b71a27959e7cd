# SPDX-License-Identifier: MIT
"""What the edge server computes for its clients, by design."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import torch

from cosim.agents.trainer_setup import TrainingSetup
from models.federated.lowrank import cut_rank
from models.federated.sides import EdgeSide
from models.federated.smashed import SmashedCodec
from models.federated.split import Smashed, Tensors
from models.federated.strategy import FitResult
from models.federated.wire import Kind, Message, MessageError, RowMessage, encode_rows

if TYPE_CHECKING:
    from cosim.agents.trainer_session import Session


class Replier(Protocol):
    """What sends the edge's answers; `TrainerServer`."""

    now_s: float

    def reply(self, client: int, number: int, data: RowMessage, delay_s: float) -> None:
        """Send rows to a client when `delay_s` has passed."""


class EdgeWork:
    """The edge's layers: a copy a client (V1), one for all in turn (V2), or one joint step.

    The edge computes for one client at a time, in the order in which activations come. Where
    clients have cuts of their own, one server model has the layers above the lowest cut, and a
    client uses those above its own; see `shares`.
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
            self._shared.drop()

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
        """Take activations, or the gradients of pooled rows."""
        if self._setup.design == "splitlora":
            if message.labels is None:
                raise MessageError("labels did not go along")
            if session.client in self._active:
                self._barrier[session.client] = (session, message, selected)
                self._joint_step()
            return
        edge = session.edge if session.edge is not None else self._shared
        if edge is None:
            raise MessageError("activations, but nothing of the model is at the edge")
        if message.kind is Kind.POOLED_GRADIENT:
            self._take_pooled_gradient(session, message, edge)
            return
        assert message.smashed is not None and message.positions is not None
        pooled = edge.forward(
            message.smashed,
            message.positions,
            message.lengths,
            client=session.client,
            model=session.model,
        )
        self._last[session.client] = (message, selected)
        tokens = len(message.positions)
        if self._setup.model.spec.head_at_device:
            empty = pooled.new_zeros(0, pooled.shape[1])
            self._reply(
                session, message, Kind.POOLED, Smashed(empty, pooled), tokens, (1,) * len(pooled)
            )
            return
        if message.labels is None:
            edge.drop()
            raise MessageError("labels did not go along")
        loss, down = edge.label_loss(message.labels, client=session.client)
        edge.step()
        session.losses.append(loss)
        self._send_gradient(session, message, down, selected=selected, tokens=tokens)

    def _take_pooled_gradient(self, session: "Session", message: Message, edge: EdgeSide) -> None:
        known = self._last.pop(session.client, None)
        if known is None or known[0].step != message.step or message.smashed is None:
            raise MessageError("gradients of pooled rows that were never sent")
        forward, selected = known
        assert forward.positions is not None
        down = edge.backward(message.smashed.rows, client=session.client)
        edge.step()
        self._send_gradient(
            session, forward, down, selected=selected, tokens=len(forward.positions)
        )

    def _joint_step(self) -> None:
        """One step with everybody who is still in the round, once all activations are there."""
        if not self._barrier or not self._active <= self._barrier.keys():
            return
        assert self._shared is not None
        waiting = [self._barrier[client] for client in sorted(self._barrier)]
        self._barrier.clear()
        replies = []
        for session, message, selected in waiting:
            assert message.smashed is not None and message.positions is not None
            assert message.labels is not None
            self._shared.forward(
                message.smashed,
                message.positions,
                message.lengths,
                client=session.client,
                model=session.model,
            )
            loss, down = self._shared.label_loss(
                message.labels, client=session.client, weight=1 / len(waiting)
            )
            session.losses.append(loss)
            replies.append((session, message, down, selected))
        self._shared.step()
        tokens: dict[int, int] = {}
        for session, message, _ in waiting:
            cut = session.model.spec.cut
            tokens[cut] = tokens.get(cut, 0) + sum(message.lengths)
        self._busy([(count, cut) for cut, count in tokens.items()])
        for session, message, down, selected in replies:
            self._send_gradient(session, message, down, selected=selected, tokens=0)

    def _send_gradient(
        self, session: "Session", message: Message, down: Smashed, *, selected: bool, tokens: int
    ) -> None:
        sparse = selected or self._setup.keep_tokens < 1
        self._reply(
            session,
            message,
            Kind.GRADIENT,
            down,
            tokens,
            message.lengths,
            message.positions if sparse else None,
        )

    def _reply(
        self,
        session: "Session",
        message: Message,
        kind: Kind,
        smashed: Smashed,
        tokens: int,
        lengths: tuple[int, ...],
        positions: torch.Tensor | None = None,
    ) -> None:
        codec: SmashedCodec = self._setup.codec
        data: RowMessage = encode_rows(
            kind,
            smashed,
            lengths,
            codec=codec,
            rng=self._random,
            round_number=message.round,
            step=message.step,
            version=message.version,
            positions=positions,
        )
        delay_s = max(self._free_s - self._replier.now_s, 0.0)
        if tokens:
            delay_s = self._busy([(tokens, session.model.spec.cut)])
        self._replier.reply(session.client, message.round, data, delay_s)

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
        values, out = self._shared.state(), []
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
        above = setup.model.cut_at(deepest).spec.edge_part(self._shared.state())
        setup.strategy.tensors = {**setup.strategy.tensors, **above}
        below: Tensors = {
            name: value
            for name, value in cut_rank(setup.strategy.tensors, setup.model.spec.rank).items()
            if name in self._shared.tensors and name not in above
        }
        self._shared.load(below)
