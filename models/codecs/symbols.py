# SPDX-License-Identifier: MIT
"""A codec whose units travel as analog symbols (joint source-channel coding).

A unit is a byte a value, and what arrives is bytes again, of values with noise: 8-bit converters at
both ends. The steps are those of whoever delivers it; `scale` says how far apart they are.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol, cast

import numpy as np
import numpy.typing as npt

from models.codecs.base import (
    Codec,
    CodecError,
    Decoded,
    EncodedMessage,
    ReceivedMessage,
    cut_to_budget,
)
from models.tasks import Sample

CLIP = 3.0
"""Standard deviations beyond which values are clipped: large ones would take the others' power."""


class ValueCodec(Protocol):
    """What a codec offers whose units can travel as symbols."""

    def value_count(self, rung: str) -> int:
        """Return how many values a unit has."""
        ...

    def values(
        self, samples: Sequence[Sample], *, task: str, rung: str
    ) -> list[npt.NDArray[np.float64]]:
        """Return each sample's values, about unit variance, shape [units, dimensions]."""
        ...

    def decode_values(
        self,
        values: Sequence[npt.NDArray[np.float64]],
        *,
        task: str,
        numbers: Sequence[Sequence[int]] | None = None,
    ) -> list[Decoded]:
        """Return one answer a message from the values of the units that arrived."""
        ...


def known_units(
    values: Sequence[npt.NDArray[np.float64]],
    numbers: Sequence[Sequence[int]] | None,
    most: int,
) -> tuple[list[npt.NDArray[np.float64]], list[list[int]]]:
    """Return the units of each message that can be its own, and their numbers.

    No message has more than `most`: what claims to stand further behind is none of it.

    Args:
        values: of the units that arrived, shape [units, dimensions] each.
        numbers: of these units in the message, ascending; None: all arrived.
        most: units of the longest message.
    """
    if numbers is None:
        numbers = [range(len(rows)) for rows in values]
    kept = [[at for at, n in enumerate(row) if n < most] for row in numbers]
    there = [[row[at] for at in here] for row, here in zip(numbers, kept, strict=True)]
    return [rows[here] for rows, here in zip(values, kept, strict=True)], there


class SymbolCodec(Codec):
    """Encodes into values, and decodes values with noise.

    The power is normalised over the message: its values have unit mean square. The receiver does
    not undo that: it knows that they have unit variance on average.

    Args:
        codec: with `values` and `decode_values`.
        scale: levels of a byte from 0 to 1.

    Raises:
        CodecError: the codec has no values.
    """

    def __init__(self, codec: Codec, *, scale: float) -> None:
        if not hasattr(codec, "values") or not hasattr(codec, "decode_values"):
            raise CodecError(f"codec {codec.name} sends no values: deliver its packets or bits")
        self._codec = codec
        self._ends = cast(ValueCodec, codec)
        self._scale = scale
        self.name = codec.name
        self.modality = codec.modality

    @property
    def rungs(self) -> tuple[str, ...]:
        """Return the codec's; of one only the number of dimensions counts."""
        return self._codec.rungs

    @property
    def fingerprint(self) -> str:
        """Return the codec's and the scale."""
        return f"{self._codec.fingerprint}/symbols-{self._scale:g}"

    def forget(self) -> None:
        """Drop results kept in memory."""
        self._codec.forget()

    def encode(
        self, samples: Sequence[Sample], *, task: str, rung: str, budget_bytes: int | None = None
    ) -> list[EncodedMessage]:
        """Return one message a sample; see `Codec.encode`. All units are equally important."""
        quantised = self._codec.encode(samples, task=task, rung=rung)
        out = []
        for message, values in zip(
            quantised, self._ends.values(samples, task=task, rung=rung), strict=True
        ):
            clipped = np.clip(values, -CLIP, CLIP)
            power = float(np.mean(clipped**2)) or 1.0
            levels = np.clip(np.round(clipped / np.sqrt(power) * self._scale), -127, 127)
            units = [row.tobytes() for row in levels.astype(np.int8)]
            kept, importance = cut_to_budget(units, [1.0] * len(units), budget_bytes)
            out.append(replace(message, units=kept, importance=importance))
        return out

    def decode(self, received: Sequence[ReceivedMessage], *, task: str, rung: str) -> list[Decoded]:
        """Return one answer a message from the values that arrived; see `Codec.decode`."""
        count = self._ends.value_count(rung)
        values, numbers = [], []
        for message in received:
            there = sorted(
                n
                for n, unit in message.units.items()
                if len(unit) == count and 0 <= n < message.unit_count
            )
            numbers.append(there)
            rows = [np.frombuffer(message.units[n], np.int8) for n in there]
            shape = (len(rows), count)
            values.append(np.array(rows, np.float64).reshape(shape) / self._scale)
        return self._ends.decode_values(values, task=task, numbers=numbers)

    def decode_cost(self, message: EncodedMessage, *, task: str, rung: str) -> tuple[float, float]:
        """Return the codec's cost; see `Codec.decode_cost`."""
        return self._codec.decode_cost(message, task=task, rung=rung)
