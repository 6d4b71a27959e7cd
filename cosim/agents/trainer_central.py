# SPDX-License-Identifier: MIT
"""Centralised training: the samples come over the air once, everything else is at the edge."""

import json

import zstandard

from cosim.agents.trainer_setup import TrainingSetup
from models.federated.reference import choose_samples
from models.federated.sides import DeviceSide, EdgeSide
from models.federated.split import Corpus
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

    def train_round(self, number: int) -> tuple[float, float]:
        """Do as many steps as all clients together would; return mean loss and seconds."""
        setup = self._setup
        assert self._corpus is not None and self._sides is not None
        device, edge = self._sides
        spec = setup.model.spec
        rng = setup.rng("batches", "central", number)
        losses, latency_s = [], 0.0
        for _ in self.clients:
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

    def result(self) -> FitResult:
        """Return the values trained so far."""
        assert self._sides is not None
        device, edge = self._sides
        return FitResult(0, {**device.state(), **edge.state()}, 1)
