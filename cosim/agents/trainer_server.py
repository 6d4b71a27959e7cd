# SPDX-License-Identifier: MIT
"""The edge server of a fine-tuning run: rounds, its half of the model, aggregation, service."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass

import zstandard

from cosim.agents.arq import ArqEndpoint, Delivery
from cosim.agents.trainer_client import missing_rows, send_rows
from cosim.agents.trainer_edge import EdgeWork
from cosim.agents.trainer_setup import TrainingSetup, snapshot
from cosim.agents.transport import Peer, TransportAgent
from models.federated.lowrank import cut_rank
from models.federated.split import EdgeSide, Tensors
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
from models.tasks import Sample

MAX_TEXT_BYTES = 16 << 20


@dataclass
class Session:
    """A client's part of a round, from the weights it gets to the result it sends."""

    round: int
    client: int
    rank: int
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


class TrainerServer(TransportAgent):
    """Runs the rounds.

    Args:
        node: the edge server.
        peers: the clients.
        setup: what all agents of the entry share.
        client_ends: client → its end of the link; only its counters are read, for the trace.

    Attributes:
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
        self._rate_bps: dict[int, float] = {}
        self._round_s: dict[int, float] = {}
        self._rounds_of: dict[int, int] = dict.fromkeys(self._clients, 0)
        self._work = EdgeWork(self, setup)
        self._texts: dict[int, list[Sample]] = {}
        self.refused: list[str] = []

    # Rounds

    def started(self) -> None:
        """Begin the first round when it is time; centralised training begins with the data."""
        if self._setup.design != "centralised":
            self.later(self._setup.start_s, self._begin_round)

    def _begin_round(self) -> None:
        setup = self._setup
        self._round += 1
        busy = {c for c, s in self._sessions.items() if setup.use_late and s.result is None}
        free = [c for c in self._clients if c not in busy]
        chosen = setup.choose(free, self._rate_bps, self._round_s) if free else []
        self._waiting = set(chosen)
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
        rank = self._rank_of(client)
        values = setup.strategy.configure_fit(client, rank)
        session = Session(
            number,
            client,
            rank,
            setup.strategy.version,
            self.now_s,
            snapshot(self.endpoints[client].sent),
            snapshot(self._client_ends[client].sent),
            [],
        )
        spec = setup.model.spec
        if setup.design == "splitfed-v1":
            rate = setup.work.learning_rate
            session.edge = EdgeSide(setup.model, spec.edge_part(values), rate)
        self._sessions[client] = session
        self._send_weights(client, Kind.WEIGHTS, values, number)

    def _send_weights(self, client: int, kind: Kind, values: Tensors, number: int) -> None:
        setup = self._setup
        if setup.design != "federated":
            values = setup.model.spec.device_part(values)
        version = setup.strategy.version
        self.send(
            client,
            encode_weights(
                kind, values, round_number=number, version=version, dtype=setup.weight_type
            ),
        )

    def _rank_of(self, client: int) -> int:
        """Return the rank that a client gets: its own, or less if ranks are adapted.

        It is halved for each factor of two by which the measured uplink rate is below the median.
        """
        rank = self._setup.ranks[client]
        rates = sorted(self._rate_bps.values())
        if not self._setup.adapt_rank or client not in self._rate_bps:
            return rank
        slower = rates[len(rates) // 2] / max(self._rate_bps[client], 1.0)
        return max(1, rank >> max(0, math.floor(math.log2(max(slower, 1.0)))))

    def _deadline(self, number: int) -> None:
        if number == self._round:
            self._close_round()

    def _close_round(self) -> None:
        """Aggregate what is there and go on."""
        setup = self._setup
        mine = [s for s in self._sessions.values() if s.round == self._round]
        done = [s for s in mine if s.result is not None]
        taken = [*self._late_results, *done]
        for session in mine:
            if session.result is None:
                session.late, session.end_s = True, self.now_s
                self._work.leave(session.client, closed=True)
        self._late_results = []
        # a late result counts the less the older it is, as with `FedAsync`
        results = [self._weighted(s) for s in taken]
        if results:
            setup.strategy.aggregate_fit(results)
            self._work.merge()
            self._publish()
        for session in taken:
            session.used = True
        accuracy = self._evaluate(self._round)
        for session in mine:
            self._write(session, accuracy)
        self._waiting = set()
        if self._round + 1 < setup.rounds:
            self._begin_round()
        else:
            self._finish()

    def _weighted(self, session: Session) -> FitResult:
        result = session.result
        assert result is not None
        age = self._round - session.round
        if age == 0:
            return result
        examples = max(1, round(result.num_examples * (1 + age) ** -0.5))
        return FitResult(result.client, result.tensors, examples, result.version)

    def _finish(self) -> None:
        """Put the last version into service everywhere."""
        setup = self._setup
        if setup.design.startswith("split"):
            for client in self._clients:
                values = setup.strategy.configure_fit(client, setup.ranks[client])
                self._send_weights(client, Kind.SERVICE, values, setup.rounds)
        if setup.stop_when_done:
            self.later(1.0, self.stop)

    def _publish(self) -> None:
        setup = self._setup
        if setup.design.startswith("split"):
            values = setup.strategy.current()
            setup.bank.publish(setup.strategy.version, cut_rank(values, setup.model.spec.rank))

    def _evaluate(self, number: int) -> float:
        setup = self._setup
        last = number + 1 >= setup.rounds
        if setup.test is None or not ((number + 1) % setup.evaluate_every == 0 or last):
            return math.nan
        # Clusters have a model each; a client counts with the model of its own.
        values = [setup.strategy.current(c) for c in self._clients]
        distinct = {id(v): v for v in values}
        found = {key: setup.model.evaluate(v, setup.test)[0] for key, v in distinct.items()}
        return sum(found[id(v)] for v in values) / len(values)

    def _write(self, session: Session, accuracy: float) -> None:
        setup = self._setup
        client = session.client
        down = snapshot(self.endpoints[client].sent)
        up = snapshot(self._client_ends[client].sent)
        loss = math.nan
        if session.losses:
            loss = sum(session.losses) / len(session.losses)
        self._setup.book.add(
            "rounds",
            round=session.round,
            client=client,
            cut_layer=_cut_of(setup),
            rank=session.rank,
            bytes_up=up[0] - session.received[0],
            bytes_down=down[0] - session.sent[0],
            t_start_s=session.start_s,
            t_end_s=session.end_s,
            late=session.late,
            loss=loss,
            accuracy=accuracy,
            design=setup.design,
            version=setup.strategy.version,
            payload_up=up[1] - session.received[1],
            payload_down=down[1] - session.sent[1],
            used=session.used,
        )

    # Messages

    def message(self, peer: int, delivery: Delivery) -> None:
        """Take a message of a client."""
        data = delivery.data
        try:
            kind = Kind(data[0]) if data else None
            if kind is Kind.UPDATE:
                self._take_update(peer, decode_weights(data, self._setup.device_shapes()))
            elif kind in (Kind.SMASHED, Kind.POOLED_GRADIENT):
                self._take_rows(peer, delivery)
            elif kind is Kind.TEXTS:
                self._take_texts(peer, data)
            else:
                raise MessageError("no message for the server")
        except (MessageError, ValueError) as error:
            self.refused.append(f"client {peer}: {error}")

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
        self._work.take(session, message, selected=bool(delivery.missing))

    def reply(self, client: int, number: int, data: RowMessage, delay_s: float) -> None:
        """Send rows to a client when the edge has computed them."""

        def now() -> None:
            session = self._sessions.get(client)
            if session is not None and session.round == number:
                send_rows(self, client, data, lossy=self._setup.lossy)

        self.later(delay_s, now)

    def _take_update(self, client: int, message: Message) -> None:
        session = self._sessions.get(client)
        if session is None or session.round != message.round or session.result is not None:
            return
        setup = self._setup
        assert message.tensors is not None
        if session.late and not setup.use_late:
            return
        tensors = dict(message.tensors)
        if session.edge is not None:
            tensors |= session.edge.state()
        if not math.isnan(message.loss):
            session.losses = [message.loss]
        session.result = FitResult(client, tensors, message.samples, message.version)
        session.end_s = self.now_s
        self._round_s[client] = self.now_s - session.start_s
        self._rate_bps[client] = _rate(self._client_ends[client], session, self.now_s)
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
        total = sum(self._rounds_of.values())
        every = len(self._clients)
        accuracy = self._evaluate(total // every - 1) if total % every == 0 else math.nan
        self._write(session, accuracy)
        if self._rounds_of[client] < setup.rounds:
            self._begin_session(client, self._rounds_of[client])
        elif all(n >= setup.rounds for n in self._rounds_of.values()):
            self._finish()

    # Centralised training

    def _take_texts(self, client: int, data: bytes) -> None:
        try:
            text = zstandard.ZstdDecompressor().decompress(
                data[HEADER.size :], max_output_size=MAX_TEXT_BYTES
            )
            rows = json.loads(text)
            labels = self._setup.model.spec.labels
            samples = [
                Sample(f"{client}-{n}", str(text), int(label))
                for n, (text, label) in enumerate(rows)
                if 0 <= int(label) < labels
            ]
        except (zstandard.ZstdError, ValueError, TypeError) as error:
            raise MessageError(f"texts that cannot be read: {error}") from None
        self._texts[client] = samples
        if len(self._texts) == len(self._clients):
            everything = [s for c in sorted(self._texts) for s in self._texts[c]]
            self._work.load(everything)
            self._train_centrally()

    def _train_centrally(self) -> None:
        self._round += 1
        number, start_s = self._round, self.now_s
        loss, latency_s = self._work.train_round(number, len(self._clients))

        def done() -> None:
            setup = self._setup
            setup.strategy.aggregate_fit([self._work.central_result()])
            accuracy = self._evaluate(number)
            for client in self._clients:
                up = self._client_ends[client].sent if number == 0 else None
                down = self.endpoints[client].sent if number == 0 else None
                rank = setup.ranks[client]
                session = Session(number, client, rank, 0, start_s, (0, 0), (0, 0), [loss])
                if up is None or down is None:
                    session.sent = snapshot(self.endpoints[client].sent)
                    session.received = snapshot(self._client_ends[client].sent)
                session.end_s, session.used = self.now_s, True
                self._write(session, accuracy)
            if number + 1 < setup.rounds:
                self._train_centrally()
            elif setup.stop_when_done:
                self.later(1.0, self.stop)

        self.later(latency_s, done)


def _cut_of(setup: TrainingSetup) -> int:
    spec = setup.model.spec
    return {"federated": spec.last, "centralised": 0}.get(setup.design, spec.cut)


def _rate(end: ArqEndpoint, session: Session, now_s: float) -> float:
    """Return the uplink rate that a client reached, bit/s, the whole round if nothing better."""
    if not math.isnan(end.rate_bps):
        return end.rate_bps
    return 8 * (end.sent.total - session.received[0]) / max(now_s - session.start_s, 1e-9)
