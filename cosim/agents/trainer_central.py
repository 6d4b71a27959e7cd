# SPDX-License-Identifier: MIT
"""Centralised training: the samples come over the air once, everything else is at the edge."""

import json
from collections.abc import Sequence
from concurrent.futures import Future

import zstandard

from cosim.agents.trainer_setup import TrainingSetup
from models.federated.reference import choose_samples
from models.federated.sides import DeviceSide, EdgeSide
from models.federated.split import Batch, Corpus
from models.federated.strategy import FitResult
from models.federated.wire import HEADER, MessageError
from models.tasks import Sample

MAX_TEXT_BYTES = 16 << 20


class CentralWork:
    """Takes the clients' samples and trains on all of them.

    Args:
        setup: of the entry.
    """

    def __init__(self, setup: TrainingSetup) -> None:
        self._setup = setup
        self._texts: dict[int, list[Sample]] = {}
        self._corpus: Corpus | None = None
        self._sides: tuple[DeviceSide, EdgeSide] | None = None

    @property
    def clients(self) -> list[int]:
        """Return the clients whose samples have come."""
        return sorted(self._texts)

    def take_texts(self, client: int, data: bytes) -> None:
        """Take a client's samples.

        Raises:
            MessageError: damaged, too long, or training has begun without them.
        """
        if self._corpus is not None:
            raise MessageError("texts that come after training has begun")
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

    def load(self) -> None:
        """Begin with the samples that came; later ones are refused."""
        setup = self._setup
        samples = [s for client in self.clients for s in self._texts[client]]
        spec, values = setup.model.spec, setup.strategy.current()
        self._corpus = setup.model.corpus(samples, setup.max_tokens)
        rate = setup.work.learning_rate
        self._sides = (
            DeviceSide(setup.model, spec.device_part(values), rate),
            EdgeSide(setup.model, spec.edge_part(values), rate),
        )

    def train_round(self, number: int) -> tuple["Future[tuple[float, FitResult]]", float]:
        """Begin as many steps as all clients together would do.

        Returns:
            Mean loss and the values trained so far, once they are computed; and the seconds that
            the edge server takes.
        """
        setup = self._setup
        assert self._corpus is not None
        spec = setup.model.spec
        rng = setup.rng("batches", "central", number)
        batches = [
            self._corpus.batch(numbers)
            for _ in self.clients
            for numbers in choose_samples(rng, len(self._corpus), setup.work)
        ]
        latency_s = 0.0
        for batch in batches:
            for first, last, back in ((0, spec.first, False), (spec.first, spec.last, True)):
                cost = setup.model.cost(len(batch.rows), first, last, backward=back)
                latency_s += setup.edge_profile.latency_s(*cost)
        return setup.edge_worker.begin(lambda: self._train(batches)), latency_s

    def _train(self, batches: Sequence[Batch]) -> tuple[float, FitResult]:
        assert self._sides is not None
        device, edge = self._sides
        losses = []
        for batch in batches:
            smashed = device.forward(batch)
            edge.forward(smashed, batch.positions, batch.lengths)
            loss, down = edge.label_loss(batch.labels)
            edge.step()
            device.backward(down)
            losses.append(loss)
        return sum(losses) / len(losses), FitResult(0, {**device.state(), **edge.state()}, 1)
