# SPDX-License-Identifier: MIT
"""The edge server of a fine-tuning run: rounds, its half of the model, aggregation, service."""

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from cosim.agents.arq import ArqEndpoint, Delivery
from cosim.agents.trainer_central import CentralWork
from cosim.agents.trainer_client import missing_rows, send_rows
from cosim.agents.trainer_edge import EdgeWork
from cosim.agents.trainer_fit import ClientFit
from cosim.agents.trainer_session import Rows, Session, row_of
from cosim.agents.trainer_setup import TrainingSetup, snapshot
from cosim.agents.trainer_watch import Watch
from cosim.agents.transport import Peer, TransportAgent
from models.federated.lowrank import cut_rank
from models.federated.peft_format import save_adapter
from models.federated.sides import EdgeSide
from models.federated.split import Tensors
from models.federated.strategy import FitResult
from models.federated.wire import (
    HEADER,
    Kind,
    Message,
    MessageError,
    RowMessage,
    decode_rows,
    decode_weights,
    encode_weights,
)


class TrainerServer(TransportAgent):
    """Runs the rounds.

    Args:
        node: the edge server.
        peers: the clients.
        setup: what all agents of the entry share.
        client_ends: client → its end of the link; only its counters are read, for the trace.

    Attributes:
        fit: which rank and cut each client gets.
        watch: which clients are there.
        refused: messages that were damaged or not the ones expected, with reasons.
    """

    def __init__(
        self,
        *,
        node: int,
        peers: list[Peer],
        setup: TrainingSetup,
        client_ends: Mapping[int, ArqEndpoint],
    ) -> None:
        super().__init__(node=node, peers=peers, endpoint=setup.endpoint)
        self._setup, self._client_ends = setup, client_ends
        self._clients = [peer.node for peer in peers]
        self._round = -1
        self._sessions: dict[int, Session] = {}
        self._waiting: set[int] = set()
        self._late_results: list[Session] = []
        self._rows = Rows(setup)
        self.watch = Watch(self.endpoints, setup.absent_s)
        self._is_over = False
        self.fit = ClientFit(setup)
        self._rounds_of: dict[int, int] = dict.fromkeys(self._clients, 0)
        self._work = EdgeWork(self, setup)
        self._central = CentralWork(setup)
        self.refused: list[str] = []

    # Rounds

    def started(self) -> None:
        """Begin the first round when it is time; centralised training begins with the data."""
        setup = self._setup
        if setup.design == "centralised":
            self._waiting = set(self._clients)
            for client in self._clients:
                self.watch.expect(client, self.now_s)
        else:
            self.later(setup.start_s, self._begin_round)
        self.later(setup.start_s + setup.absent_s, self._look)

    def _look(self) -> None:
        """Give up who was to send something and has not for `absent_s`."""
        if self._is_over:
            return
        self.later(self._setup.absent_s, self._look)
        given_up, back = self.watch.look(self.now_s, self._work.has_sent)
        for client in back:
            self._welcome(client)
        for client in given_up:
            self._give_up(client)
        for client in self.watch.to_ask():
            self.send(client, HEADER.pack(Kind.PING, 0, 0, 0, 0, 0, 0))

    def _give_up(self, client: int) -> None:
        """Go on without a client."""
        self._waiting.discard(client)
        if self._setup.design == "centralised":
            if not self._waiting:
                self._begin_centrally()
        elif self._setup.strategy.asynchronous:
            self._finish_if_all_are_done()
        else:
            session = self._sessions[client]
            session.given_up = True
            if session.round == self._round and not session.late:
                session.late, session.end_s = True, self.now_s
            self._work.leave(client, closed=False)
            if not self._waiting and session.round == self._round:
                self._close_round()

    def _welcome(self, client: int) -> None:
        """Give a client that is there again something to do, where no next round would."""
        if not self._setup.strategy.asynchronous or self._is_over or self.watch.expects(client):
            return
        if self._rounds_of[client] < self._setup.rounds:
            self._begin_session(client, self._rounds_of[client])

    def _begin_round(self) -> None:
        setup = self._setup
        self._round += 1
        busy = {
            client
            for client, session in self._sessions.items()
            if setup.use_late and session.result is None and not session.given_up
        }
        free = [c for c in self._clients if c not in busy and c not in self.watch.absent]
        chosen = setup.choose(free, self.fit.rate_bps, self.fit.round_s) if free else []
        self._waiting = set(chosen)
        for client in free:
            if client not in chosen:
                self.watch.done(client)  # what it was late with is dropped, it may be silent
        self._work.begin_round(chosen)
        for client in chosen:
            self._begin_session(client, self._round)
        if math.isfinite(setup.round_deadline_s):
            number = self._round
            self.later(setup.round_deadline_s, lambda: self._deadline(number))
        elif not chosen:
            self.later(1.0, self._close_round)

    def _begin_session(self, client: int, number: int) -> None:
        setup = self._setup
        model = setup.model.cut_at(self.fit.cut_of(client))
        rank = self.fit.rank_of(client)  # with this cut
        values = setup.strategy.configure_fit(client, rank)
        session = Session(
            number,
            client,
            rank,
            model,
            setup.strategy.version,
            self.now_s,
            snapshot(self.endpoints[client].sent),
            snapshot(self._client_ends[client].sent),
            [],
        )
        if setup.design == "splitfed-v1":
            rate = setup.work.learning_rate
            session.edge = EdgeSide(model, model.spec.edge_part(values), rate)
        self._sessions[client] = session
        self.watch.expect(client, self.now_s)
        self._send_weights(client, Kind.WEIGHTS, values, number, model.spec.cut)

    def _send_weights(
        self, client: int, kind: Kind, values: Tensors, number: int, cut: int
    ) -> None:
        setup = self._setup
        if setup.design != "federated":
            values = setup.model.cut_at(cut).spec.device_part(values)
        version, dtype = setup.strategy.version, setup.weight_type
        data = encode_weights(
            kind, values, round_number=number, version=version, cut=cut, dtype=dtype
        )
        self.send(client, data)

    def _deadline(self, number: int) -> None:
        if number == self._round and not self._is_over:
            self._close_round()

    def _close_round(self) -> None:
        """Aggregate what is there and go on."""
        setup = self._setup
        mine = [s for s in self._sessions.values() if s.round == self._round]
        done = [s for s in mine if s.result is not None]
        taken = [*self._late_results, *done]
        for session in mine:
            if session.result is None:
                end = self._client_ends[session.client]
                self.fit.missed(session.client, rate_bps=session.rate_bps(end, self.now_s))
                if not session.late:
                    session.late, session.end_s = True, self.now_s
                self._work.leave(session.client, closed=True)
        self._late_results = []
        results = [s.weighted(self._round) for s in taken]
        if results:
            setup.strategy.aggregate_fit([*results, *self._work.shares(taken)])
            self._work.merge(taken)
            self._publish()
        for session in taken:
            session.used = True
        self._enter(mine, self._round)
        self._waiting = set()
        if self._round + 1 < setup.rounds:
            self._begin_round()
        else:
            self._finish()

    def _finish(self) -> None:
        """Put the last version into service everywhere."""
        setup, self._is_over = self._setup, True
        if setup.design.startswith("split"):
            for client in self._clients:
                if client not in self.watch.absent:
                    values = setup.strategy.configure_fit(client, setup.ranks[client])
                    cut = self.fit.cuts[client]
                    self._send_weights(client, Kind.SERVICE, values, setup.rounds, cut)
        if setup.stop_when_done:
            self.later(1.0, self.stop)

    def save(self, folder: Path) -> None:
        """Write what was trained, as PEFT reads it."""
        setup, name = self._setup, f"adapter-{self._setup.entry}"
        save_adapter(folder / name, setup.strategy.current(), setup.model.backbone)

    def _publish(self) -> None:
        setup = self._setup
        if setup.design.startswith("split"):
            values = setup.strategy.current()
            setup.bank.publish(setup.strategy.version, cut_rank(values, setup.model.spec.rank))

    def _enter(self, sessions: Sequence[Session], number: int | None) -> None:
        """Enter sessions that are over into `rounds`.

        Args:
            sessions: to be entered.
            number: of the round after which the accuracy may be measured, None for not at all.
        """
        setup, values = self._setup, list[Tensors]()
        due = number is not None and (
            (number + 1) % setup.evaluate_every == 0 or number + 1 >= setup.rounds
        )
        if setup.test is not None and due:
            values = [setup.strategy.current(c) for c in self._clients]
        ends = self.endpoints, self._client_ends
        rows = [row_of(setup, s, ends[0][s.client], ends[1][s.client]) for s in sessions]
        self._rows.enter(rows, values)

    # Messages

    def message(self, peer: int, delivery: Delivery) -> None:
        """Take a message of a client."""
        data = delivery.data
        was_absent = self.watch.absent.pop(peer, None) is not None
        try:
            kind = Kind(data[0]) if data else None
            if kind is Kind.UPDATE:
                self._take_update(peer, data)
            elif kind in (Kind.SMASHED, Kind.POOLED_GRADIENT):
                self._take_rows(peer, delivery)
            elif kind is Kind.TEXTS:
                self._central.take_texts(peer, data)
                self.watch.done(peer)
                self._waiting.discard(peer)
                if not self._waiting:
                    self._begin_centrally()
            else:
                raise MessageError("no message for the server")
        except (MessageError, ValueError) as error:
            self.refused.append(f"client {peer}: {error}")
        if was_absent:
            self._welcome(peer)

    def _take_rows(self, client: int, delivery: Delivery) -> None:
        setup = self._setup
        message = decode_rows(
            delivery.data,
            codec=setup.codec,
            width=setup.model.backbone.geometry.hidden,
            labels=setup.model.spec.labels,
            missing=missing_rows(delivery, setup, setup.model),
        )
        session = self._sessions.get(client)
        if session is None or session.round != message.round or session.result is not None:
            return  # of a round that is over
        if message.version != session.version:
            raise MessageError(f"version {message.version}, expected {session.version}")
        if session.late and not setup.use_late:
            return
        if setup.strategy.asynchronous:
            self.watch.expect(client, self.now_s)  # also one that was given up goes on
        self._work.take(session, message, selected=bool(delivery.missing))

    def reply(
        self, client: int, number: int, data: Callable[[], RowMessage], delay_s: float
    ) -> None:
        """Send rows to a client when the edge has computed them."""

        def now() -> None:
            session = self._sessions.get(client)
            if session is not None and session.round == number:
                send_rows(self, client, data(), lossy=self._setup.lossy)

        self.later(delay_s, now)

    def _take_update(self, client: int, data: bytes) -> None:
        setup, session = self._setup, self._sessions.get(client)
        if session is None:
            raise MessageError("a result without a round")
        message: Message = decode_weights(data, setup.device_shapes(session.model.spec.cut))
        if session.round != message.round or self._is_over:
            return  # of an older round: that of the current one is still due
        self.watch.done(client)
        if session.result is not None:
            return
        assert message.tensors is not None
        if session.late and not setup.use_late:
            return
        tensors = dict(message.tensors)
        if session.edge is not None:
            tensors |= setup.edge_worker.call(session.edge.state)
        if not math.isnan(message.loss):
            session.losses = [lambda: message.loss]
        session.result = FitResult(client, tensors, message.samples, message.version)
        session.end_s = self.now_s
        self.fit.measured(
            client,
            took_s=self.now_s - session.start_s,
            rate_bps=session.rate_bps(self._client_ends[client], self.now_s),
        )
        self._work.leave(client, closed=False)
        if setup.strategy.asynchronous:
            self._take_asynchronous(session)
        elif session.late:
            self._late_results.append(session)
        else:
            self._waiting.discard(client)
            if not self._waiting:
                self._close_round()

    def _take_asynchronous(self, session: Session) -> None:
        setup, client = self._setup, session.client
        assert session.result is not None
        setup.strategy.aggregate_fit([session.result])
        self._publish()
        session.used = True
        self._rounds_of[client] += 1
        total, every = sum(self._rounds_of.values()), len(self._clients)
        self._enter([session], None if total % every else total // every - 1)
        if self._rounds_of[client] < setup.rounds:
            self._begin_session(client, self._rounds_of[client])
        else:
            self._finish_if_all_are_done()

    def _finish_if_all_are_done(self) -> None:
        done = {c for c, n in self._rounds_of.items() if n >= self._setup.rounds}
        if done | self.watch.absent.keys() == set(self._clients):
            self._finish()

    # Centralised training

    def _begin_centrally(self) -> None:
        """Train on what has come, once."""
        if self._round < 0 and self._central.clients:
            self._central.load()
            self._train_centrally()

    def _train_centrally(self) -> None:
        self._round += 1
        number, start_s = self._round, self.now_s
        computed, latency_s = self._central.train_round(number)

        def done() -> None:
            setup = self._setup
            loss, result = computed.result()
            setup.strategy.aggregate_fit([result])
            sessions = []
            for client in self._central.clients:
                # What was sent was sent before the first round.
                sent = received = (0, 0)
                if number:
                    sent = snapshot(self.endpoints[client].sent)
                    received = snapshot(self._client_ends[client].sent)
                rank, model = setup.ranks[client], setup.model
                session = Session(number, client, rank, model, 0, start_s, sent, received, [])
                session.losses.append(lambda: loss)
                session.end_s, session.used = self.now_s, True
                sessions.append(session)
            self._enter(sessions, number)
            if number + 1 < setup.rounds:
                self._train_centrally()
            else:
                self._finish()

        self.later(latency_s, done)
