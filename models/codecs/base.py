# SPDX-License-Identifier: MIT
"""The contract of a codec, and what passes through it."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from models.tasks import Content, Sample


class CodecError(ValueError):
    """An unknown codec, rung or task, or weights that do not fit; the text says a remedy."""


@dataclass(frozen=True, slots=True)
class EncodedMessage:
    """What a device sends of one sample.

    Attributes:
        sample_id: of the sample.
        codec: name of the codec.
        task: name of the task.
        rung: operating point, as asked for.
        units: bytes, the most important unit first; each can be used without the others, or the
            decoder knows that it cannot.
        importance: one number in [0, 1] a unit, descending.
        operations: floating-point operations of the device.
        memory_bytes: memory traffic of the device.
    """

    sample_id: str
    codec: str
    task: str
    rung: str
    units: tuple[bytes, ...]
    importance: tuple[float, ...]
    operations: float
    memory_bytes: float


@dataclass(frozen=True, slots=True)
class ReceivedMessage:
    """What arrived in time.

    Attributes:
        unit_count: units that were sent.
        units: number of a unit → its bytes.
    """

    unit_count: int
    units: Mapping[int, bytes]


@dataclass(frozen=True, slots=True)
class Decoded:
    """What the receiver makes of a message.

    Attributes:
        prediction: label; the prior's where nothing could be decoded.
        score: log-odds margin of the prediction over the runner-up, 0 where nothing was decoded.
        confidence: calibrated probability of the prediction; the prior's where nothing was decoded.
        accepted: the receiver would act on it: something was decoded, and the confidence reaches
            the threshold that was fixed on validation data.
        content: of a reconstruction task what was reconstructed, None if nothing was. There the
            confidence is the share of the units that arrived, and score and prediction are for
            `judge` to fill in: a receiver does not know what was sent.
    """

    prediction: int
    score: float
    confidence: float
    accepted: bool
    content: Content | None = None


class Codec(ABC):
    """A pair of encoder (device) and decoder (edge server) for some tasks.

    Results never depend on what else is in a batch, nor on earlier calls.

    Attributes:
        name: of the codec.
        modality: of the samples, e.g. "text".
    """

    name: str
    modality: str

    @property
    def rungs(self) -> tuple[str, ...]:
        """Return the named operating points, the default first."""
        return ("default",)

    @property
    def fingerprint(self) -> str:
        """Return a text that changes whenever results might: part of every cache key."""
        return self.name

    def version_of(self, message: EncodedMessage) -> int | None:
        """Return the version of fine-tuned weights that a message was encoded with, if any."""
        return None

    def forget(self) -> None:  # noqa: B027 - a codec that keeps nothing has nothing to do
        """Drop results kept in memory."""

    @abstractmethod
    def encode(
        self, samples: Sequence[Sample], *, task: str, rung: str, budget_bytes: int | None = None
    ) -> list[EncodedMessage]:
        """Return one message a sample, in their order.

        Args:
            samples: what the device has.
            task: name of the task that the receiver does.
            rung: operating point, one of `rungs`.
            budget_bytes: bytes that the units of a message may take at most; the least important
                units are left out, the first always stays.

        Raises:
            CodecError: unknown task or rung.
        """

    @abstractmethod
    def decode(self, received: Sequence[ReceivedMessage], *, task: str, rung: str) -> list[Decoded]:
        """Return one answer a message, in their order, from the units that arrived.

        A unit whose bytes make no sense counts as lost.

        Raises:
            CodecError: unknown task or rung.
        """

    @abstractmethod
    def decode_cost(self, message: EncodedMessage, *, task: str, rung: str) -> tuple[float, float]:
        """Return (floating-point operations, bytes of memory traffic) of decoding a message.

        All units are assumed to have arrived: a bound, known before the message's fate is.
        """


def cut_to_budget(
    units: Sequence[bytes], importance: Sequence[float], budget_bytes: int | None
) -> tuple[tuple[bytes, ...], tuple[float, ...]]:
    """Keep the leading units that fit into a budget, at least one."""
    if budget_bytes is None:
        return tuple(units), tuple(importance)
    kept, used = 0, 0
    for unit in units:
        used += len(unit)
        if used > budget_bytes:
            break
        kept += 1
    kept = max(kept, 1)
    return tuple(units[:kept]), tuple(importance[:kept])
