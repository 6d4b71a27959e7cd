# SPDX-License-Identifier: MIT
"""A device that takes part in fine-tuning: its half of the model, its data, its end of the link."""

import json
import math
from collections.abc import Mapping
from functools import partial

import torch
import zstandard

from cosim.agents.api import Action, Event
from cosim.agents.arq import Delivery
from cosim.agents.trainer_setup import TrainingSetup
from cosim.agents.transport import Peer, TransportAgent
from models.federated.reference import choose_samples, split_step
from models.federated.sides import DeviceSide, EdgeSide
from models.federated.smashed import ErrorFeedback, select_tokens
from models.federated.split import Batch, Corpus, Smashed, SplitModel, Tensors
from models.federated.wire import (
    HEADER,
    Kind,
    Message,
    MessageError,
    RowMessage,
    cut_in,
    decode_rows,
    decode_weights,
    encode_rows,
    encode_weights,
)


class TrainerClient(TransportAgent):
    """Trains when weights come, until it has sent its result.

    Args:
        node: the UE.
        peer: the edge server.
        setup: what all agents of the entry share.

    Attributes:
        refused: messages that were damaged or not the ones expected, with reasons.
    """

    def __init__(self, *, node: int, peer: Peer, setup: TrainingSetup) -> None:
        super().__init__(node=node, peers=[peer], endpoint=setup.endpoint)
        self._edge, self._setup = peer.node, setup
        self._corpus: Corpus | None = None
        self._model: SplitModel = setup.model
        self._off_s = setup.off_s.get(node, math.inf)
        self._feedback = ErrorFeedback()
        self._random = setup.rng("client", node)
        self._round = -1
        self._epoch = 0  # counts the rounds begun, so that what belongs to an old one is dropped
        self._version = 0
        self._batches: list[list[int]] = []
        self._step = 0
        self._losses: list[float] = []
        self._side: DeviceSide | None = None
        self._sent: tuple[Batch, torch.Tensor | None] | None = None
        self.refused: list[str] = []

    def prepare(self) -> None:
        """Run the frozen lower layers over the samples: they do not depend on simulated time."""
        setup = self._setup
        if setup.design != "centralised":
            self._corpus = self._model.corpus(setup.samples[self.node], setup.max_tokens)

    def handle(self, event: Event) -> list[Action]:
        """Answer an event of this node; once it is switched off nothing is heard or said."""
        return [] if event.t_s >= self._off_s else super().handle(event)

    def started(self) -> None:
        """With centralised training, send the data."""
        if self._setup.design == "centralised":
            rows = [[sample.text, sample.label] for sample in self._setup.samples[self.node]]
            text = json.dumps(rows, ensure_ascii=False, separators=(",", ":")).encode()
            head = HEADER.pack(Kind.TEXTS, 0, 0, 0, 0, 0, 0)
            body = zstandard.ZstdCompressor(level=10).compress(text)
            self.later(self._setup.start_s, lambda: self.send(self._edge, head + body))

    def message(self, peer: int, delivery: Delivery) -> None:
        """Take a message of the server."""
        data = delivery.data
        try:
            kind = Kind(data[0]) if data else None
            if kind in (Kind.WEIGHTS, Kind.SERVICE):
                self._take_weights(decode_weights(data, self._setup.device_shapes(cut_in(data))))
            elif kind is Kind.PING:
                pass  # the transport has acknowledged it, which is all
            elif kind is Kind.GRADIENT:
                self._take_gradient(self._decode(delivery))
            elif kind is Kind.POOLED:
                self._take_pooled(self._decode(delivery))
            else:
                raise MessageError("no message for a client")
        except (MessageError, ValueError) as error:
            self.refused.append(str(error))

    def _decode(self, delivery: Delivery) -> Message:
        setup = self._setup
        return decode_rows(
            delivery.data,
            codec=setup.codec,
            width=self._model.backbone.geometry.hidden,
            labels=self._model.spec.labels,
            missing=missing_rows(delivery, setup, self._model),
        )

    def _take_weights(self, message: Message) -> None:
        assert message.tensors is not None
        setup = self._setup
        if setup.design != "federated":
            setup.bank.install(self.node, message.version, message.tensors)
        if message.kind is Kind.SERVICE:
            return
        if setup.design != "federated":
            self._model = setup.model.cut_at(message.cut)
        self._round, self._version = message.round, message.version
        self._epoch += 1
        self._step, self._losses = 0, []
        assert self._corpus is not None
        rng = setup.rng("batches", self.node, self._round)
        self._batches = choose_samples(rng, len(self._corpus), setup.work)
        if setup.design == "federated":
            self._train_alone(message.tensors)
            return
        self._side = DeviceSide(self._model, message.tensors, setup.work.learning_rate)
        self._forward()

    def _forward(self) -> None:
        """Run the device's layers over the next batch and send what comes out."""
        setup, spec = self._setup, self._model.spec
        assert self._corpus is not None and self._side is not None
        batch, epoch = self._corpus.batch(self._batches[self._step]), self._epoch
        step = (self._round, self._step, self._version)
        compute = partial(self._smash, self._side, batch, step)
        computed = setup.worker.begin(compute)

        def now() -> None:
            message, kept = computed.result()
            if epoch == self._epoch:
                self._sent = (batch, kept)
                send_rows(self, self._edge, message, lossy=setup.lossy)

        self.later(setup.step_cost(len(batch.rows), 0, spec.cut, backward=False), now)

    def _smash(
        self, side: DeviceSide, batch: Batch, step: tuple[int, int, int]
    ) -> tuple[RowMessage, torch.Tensor | None]:
        """Return what is sent of a batch, and which rows of it if not all; beside ns-3.

        Args:
            side: the device's layers.
            batch: samples.
            step: round, step and version in the message.
        """
        setup = self._setup
        smashed = side.forward(batch)
        kept, lengths, positions = None, batch.lengths, batch.positions
        rows = smashed.rows
        if setup.keep_tokens < 1:
            kept = select_tokens(rows, batch.lengths, setup.keep_tokens)
            rows, positions = rows[kept], batch.positions[kept]
            lengths = _lengths(kept, batch.lengths)
        if setup.error_feedback:
            rows = self._feedback.add(rows, lengths, batch.ids, positions)
        message = encode_rows(
            Kind.SMASHED,
            Smashed(smashed.prefix, rows),
            tuple(lengths),
            codec=setup.codec,
            rng=self._random,
            round_number=step[0],
            step=step[1],
            version=step[2],
            positions=None if kept is None else positions,
            labels=None if side.model.spec.head_at_device else batch.labels,
        )
        if setup.error_feedback:
            seed = HEADER.unpack_from(message.head)[-1]
            got = setup.codec.decode(message.rows, len(rows), rows.shape[1], seed)
            self._feedback.keep(rows, got, lengths, batch.ids, positions)
        return message, kept

    def _send_rows(self, message: RowMessage, delay_s: float) -> None:
        epoch = self._epoch

        def now() -> None:
            if epoch == self._epoch:
                send_rows(self, self._edge, message, lossy=self._setup.lossy)

        self.later(delay_s, now)

    def _current(self, message: Message) -> bool:
        return (message.round, message.step) == (self._round, self._step) and self._sent is not None

    def _take_pooled(self, message: Message) -> None:
        """U-shape: the head and the labels are here."""
        if not self._current(message) or self._side is None or self._sent is None:
            return
        assert message.smashed is not None
        batch, _ = self._sent
        pooled = message.smashed.rows
        if len(pooled) != len(batch.labels):
            raise MessageError(f"{len(pooled)} pooled rows for {len(batch.labels)} samples")
        loss, gradient = self._side.head_step(pooled, batch.labels)
        self._losses.append(loss)
        reply = encode_rows(
            Kind.POOLED_GRADIENT,
            Smashed(gradient.new_zeros(0, gradient.shape[1]), gradient),
            (1,) * len(gradient),
            codec=self._setup.codec,
            rng=self._random,
            round_number=self._round,
            step=self._step,
            version=self._version,
        )
        self._send_rows(reply, self._setup.device_profile.overhead_s)

    def _take_gradient(self, message: Message) -> None:
        """Finish the step and begin the next, or send the result."""
        if not self._current(message) or self._side is None or self._sent is None:
            return
        assert message.smashed is not None and message.positions is not None
        batch, _ = self._sent
        rows = _scatter(message, batch)
        self._sent = None
        side = self._side
        gradient = Smashed(message.smashed.prefix, rows)
        computed = self._setup.worker.begin(lambda: side.backward(gradient))
        self._step += 1
        setup, spec, epoch = self._setup, self._model.spec, self._epoch
        latency_s = setup.step_cost(len(batch.rows), spec.first, spec.cut, backward=False)

        def go_on() -> None:
            computed.result()
            if epoch != self._epoch or self._side is None:
                return
            if self._step < len(self._batches):
                self._forward()
            else:
                self._send_result(self._side.state())

        self.later(latency_s, go_on)

    def _train_alone(self, tensors: Tensors) -> None:
        """Federated LoRA: the whole model is at the device."""
        setup, spec = self._setup, self._model.spec
        assert self._corpus is not None
        rate, model = setup.work.learning_rate, self._model
        batches = [self._corpus.batch(numbers) for numbers in self._batches]

        def train() -> tuple[Tensors, list[float]]:
            device = DeviceSide(model, spec.device_part(tensors), rate)
            edge = EdgeSide(model, spec.edge_part(tensors), rate)
            losses = []
            for batch in batches:
                losses.append(split_step(device, edge, batch))
                edge.step()
            return {**device.state(), **edge.state()}, losses

        latency_s = 0.0
        for batch in batches:
            latency_s += setup.step_cost(len(batch.rows), 0, spec.first, backward=False)
            latency_s += setup.step_cost(len(batch.rows), spec.first, spec.last, backward=True)
        computed, epoch = setup.worker.begin(train), self._epoch

        def done() -> None:
            trained, losses = computed.result()
            if epoch == self._epoch:
                self._losses = losses
                self._send_result(trained)

        self.later(latency_s, done)

    def _send_result(self, tensors: Mapping[str, torch.Tensor]) -> None:
        work = self._setup.work
        loss = sum(self._losses) / len(self._losses) if self._losses else float("nan")
        self.send(
            self._edge,
            encode_weights(
                Kind.UPDATE,
                tensors,
                round_number=self._round,
                version=self._version,
                cut=self._model.spec.cut,
                samples=work.steps * work.batch,
                loss=loss,
                dtype=self._setup.weight_type,
            ),
        )


def send_rows(agent: TransportAgent, peer: int, message: RowMessage, *, lossy: bool) -> None:
    """Send activations or gradients over the transport that the scenario names."""
    if lossy:
        agent.endpoints[peer].send_lossy(message.head, message.rows, message.row_bytes, agent.now_s)
    else:
        agent.send(peer, message.data)


def missing_rows(delivery: Delivery, setup: TrainingSetup, model: SplitModel) -> set[int]:
    """Return which rows a best-effort message lost.

    Raises:
        MessageError: the message has no head.
    """
    from models.federated.wire import head_bytes

    if not delivery.missing:
        return set()
    width = model.backbone.geometry.hidden
    start, size = head_bytes(delivery.data, width), setup.codec.row_bytes(width)
    return {
        row
        for first, last in delivery.missing
        for row in range((first - start) // size, -(-(last - start) // size))
    }


def _lengths(kept: torch.Tensor, lengths: list[int]) -> list[int]:
    out, start = [], 0
    for length in lengths:
        out.append(int(((kept >= start) & (kept < start + length)).sum()))
        start += length
    return out


def _scatter(message: Message, batch: Batch) -> torch.Tensor:
    """Return the gradient of every row of a batch: zero where the edge had no row.

    Raises:
        MessageError: the gradients are not those of this batch.
    """
    assert message.smashed is not None and message.positions is not None
    if len(message.lengths) != len(batch.lengths):
        raise MessageError(f"gradients of {len(message.lengths)} of {len(batch.lengths)} samples")
    if message.lengths == tuple(batch.lengths):
        return message.smashed.rows
    rows = torch.zeros(len(batch.rows), message.smashed.rows.shape[1])
    start, at = 0, 0
    for have, length in zip(message.lengths, batch.lengths, strict=True):
        places = message.positions[at : at + have] - 1
        if int(places.max()) >= length:
            raise MessageError(f"a gradient for token {int(places.max()) + 1} of {length}")
        rows[start + places] = message.smashed.rows[at : at + have]
        start, at = start + length, at + have
    return rows
