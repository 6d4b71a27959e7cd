# SPDX-License-Identifier: MIT
"""What the edge server computes for its clients, by design."""

from typing import TYPE_CHECKING, Protocol

import torch

from cosim.agents.trainer_setup import TrainingSetup
from models.federated.reference import choose_samples
from models.federated.smashed import SmashedCodec
from models.federated.split import Corpus, DeviceSide, EdgeSide, Smashed, SplitModel
from models.federated.strategy import FitResult
from models.federated.wire import Kind, Message, MessageError, RowMessage, encode_rows
from models.tasks import Sample

if TYPE_CHECKING:
    from cosim.agents.trainer_server import Session


class Replier(Protocol):
    """What sends the edge's answers; `TrainerServer`."""

    now_s: float

    def reply(self, client: int, number: int, data: RowMessage, delay_s: float) -> None:
        """Send rows to a client when `delay_s` has passed."""


class EdgeWork:
    """The edge's layers: a copy a client (V1), one for all in turn (V2), or one joint step.

    The edge computes for one client at a time, in the order in which activations come.
    """

    def __init__(self, replier: Replier, setup: TrainingSetup) -> None:
        self._replier, self._setup = replier, setup
        self._random = setup.rng("edge")
        self._free_s = 0.0
        self._shared: EdgeSide | None = None
        if setup.design in ("splitfed-v2", "splitlora"):
            values = setup.model.spec.edge_part(setup.strategy.current())
            self._shared = EdgeSide(setup.model, values, setup.work.learning_rate)
        self._active: set[int] = set()
        self._barrier: dict[int, tuple[Session, Message, bool]] = {}
        self._last: dict[int, tuple[Message, bool]] = {}
        self._corpus: Corpus | None = None
        self._central: tuple[DeviceSide, EdgeSide] | None = None

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
            message.smashed, message.positions, message.lengths, client=session.client
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
        tokens = sum(len(m.positions) for _, m, _ in waiting if m.positions is not None)
        replies = []
        for session, message, selected in waiting:
            assert message.smashed is not None and message.positions is not None
            assert message.labels is not None
            self._shared.forward(
                message.smashed, message.positions, message.lengths, client=session.client
            )
            loss, down = self._shared.label_loss(
                message.labels, client=session.client, weight=1 / len(waiting)
            )
            session.losses.append(loss)
            replies.append((session, message, down, selected))
        self._shared.step()
        self._busy(tokens)
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
        delay_s = self._busy(tokens) if tokens else max(self._free_s - self._replier.now_s, 0.0)
        self._replier.reply(session.client, message.round, data, delay_s)

    def _busy(self, tokens: int) -> float:
        """Let the edge compute and return when it is done, in seconds from now."""
        model: SplitModel = self._setup.model
        cost = model.cost(tokens, model.spec.cut, model.spec.last, backward=True)
        now_s = self._replier.now_s
        self._free_s = max(now_s, self._free_s) + self._setup.edge_profile.latency_s(*cost)
        return self._free_s - now_s

    def merge(self) -> None:
        """Put the one server model into the global values."""
        if self._shared is not None:
            self._setup.strategy.tensors = {
                **self._setup.strategy.tensors,
                **self._shared.state(),
            }

    # Centralised training

    def load(self, samples: list[Sample]) -> None:
        """Take the data that the clients sent."""
        setup = self._setup
        spec, values = setup.model.spec, setup.strategy.current()
        self._corpus = setup.model.corpus(samples, setup.max_tokens)
        rate = setup.work.learning_rate
        self._central = (
            DeviceSide(setup.model, spec.device_part(values), rate),
            EdgeSide(setup.model, spec.edge_part(values), rate),
        )

    def train_round(self, number: int, clients: int) -> tuple[float, float]:
        """Do as many steps as all clients together would; return mean loss and seconds."""
        setup = self._setup
        assert self._corpus is not None and self._central is not None
        device, edge = self._central
        spec = setup.model.spec
        rng = setup.rng("batches", "central", number)
        losses, latency_s = [], 0.0
        for _ in range(clients):
            for numbers in choose_samples(rng, len(self._corpus), setup.work):
                batch = self._corpus.batch(numbers)
                smashed = device.forward(batch)
                edge.forward(smashed, batch.positions, batch.lengths)
                loss, down = edge.label_loss(batch.labels)
                edge.step()
                device.backward(down)
                losses.append(loss)
                for first, last, back in ((0, spec.first, False), (spec.first, spec.last, True)):
                    cost = setup.model.cost(len(batch.rows), first, last, backward=back)
                    latency_s += setup.edge_profile.latency_s(*cost)
        return sum(losses) / len(losses), latency_s

    def central_result(self) -> FitResult:
        """Return the values trained so far."""
        assert self._central is not None
        device, edge = self._central
        return FitResult(0, {**device.state(), **edge.state()}, 1)
