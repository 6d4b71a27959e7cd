# SPDX-License-Identifier: MIT
"""Bottleneck vectors to bytes and back: a uniform mid-rise quantiser and the bytes of a unit.

A unit is one token::

    offset  size            field
    0       1               position of the token in its text, from 1
    1       ceil(d * b / 8) d values of b bits, the first in the highest bits of its byte

No scale travels: after the encoder every dimension has about unit variance, and the range is a
constant of the bit width (uniform quantisation of a Gaussian at its best range, J. Max, IRE
Trans. Information Theory 6(1), 1960: 0.996 σ steps for 2 bits, 0.335 σ for 4, 0.031 σ for 8).
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.codecs.base import CodecError

STEPS = {2: 0.9957, 4: 0.3352, 8: 0.0308}
"""Bits of a value → step in standard deviations, from the paper's table for Gaussian signals."""

MAX_DIMENSIONS = 32
MAX_POSITION = 255
GROUP = 4
"""Values that one number of a codebook stands for."""

_NAME = re.compile(
    r"d(\d{1,3})-(?:int(\d{1,2})|(vq))(?:-top(\d{1,3}))?(-flat)?(-ans)?(?:-([a-z]\w*))?"
)


@dataclass(frozen=True, slots=True)
class Rung:
    """An operating point.

    Attributes:
        dimensions: values of a token that are sent: the first of the encoder's.
        bits: of each value.
        max_units: tokens sent at most, the most important ones; None: all.
        flat: units stay in the order of the message and matter equally: importance is switched off.
        vector: learned codebooks quantise `GROUP` values together, 8 bits each.
        coded: units are entropy-coded, see `models.codecs.unit_coder`.
        device: version of the device's layers, "" for the language model's own.
    """

    dimensions: int
    bits: int
    max_units: int | None = None
    flat: bool = False
    vector: bool = False
    coded: bool = False
    device: str = ""

    @property
    def levels(self) -> int:
        """Return the level numbers of a unit."""
        return self.dimensions // GROUP if self.vector else self.dimensions

    @property
    def unit_bytes(self) -> int:
        """Return the bytes of a unit: its position and its level numbers."""
        return 1 + -(-self.levels * self.bits // 8)


def parse_rung(name: str, devices: Collection[str] = (), *, coder: bool = False) -> Rung:
    """Return the rung of a name such as "d16-int4" or "d8-int4-top16-student".

    Args:
        name: of the rung.
        devices: versions of the device's layers that the codec has.
        coder: whether the codec has an entropy coder, for rungs with "-ans".

    Raises:
        CodecError: the name is none, or its numbers are out of range.
    """
    match = _NAME.fullmatch(name)
    device = match[7] or "" if match else ""
    if match is None or (device and device not in devices) or (match[6] and not coder):
        own = f"; -{', -'.join(devices)} after it: a smaller model at the device" if devices else ""
        own += "; -ans after it: entropy-coded" if coder else ""
        raise CodecError(
            f"rung {name!r} is unknown: write d<dimensions>-int<bits>, or "
            "d<dimensions>-int<bits>-top<tokens>, e.g. d16-int4 or d8-int4-top16; -flat at the end "
            f"switches importance off{own}"
        )
    vector = match[3] is not None
    dimensions, bits = int(match[1]), 8 if vector else int(match[2])
    top = int(match[4]) if match[4] else None
    if vector and dimensions % GROUP:
        raise CodecError(f"rung {name!r}: a codebook takes {GROUP} values at a time")
    if not 1 <= dimensions <= MAX_DIMENSIONS or bits not in STEPS or top == 0:
        raise CodecError(
            f"rung {name!r}: dimensions go from 1 to {MAX_DIMENSIONS}, bits are one of "
            f"{', '.join(map(str, STEPS))}, and at least one token is sent"
        )
    return Rung(dimensions, bits, top, bool(match[5]), vector, bool(match[6]), device)


def quantise(values: Tensor, bits: int) -> Tensor:
    """Return level numbers 0 to 2**bits - 1, int64, of the shape of `values`."""
    half = 1 << (bits - 1)
    return torch.clamp(torch.floor(values / STEPS[bits]) + half, 0, 2 * half - 1).long()


def dequantise(levels: Tensor, bits: int) -> Tensor:
    """Return the middle of each level, float32."""
    half = 1 << (bits - 1)
    return (levels.float() - half + 0.5) * STEPS[bits]


def nearest(values: Tensor, books: Tensor) -> Tensor:
    """Return the number of each group's nearest codebook entry, int64.

    Row by row, so that no result depends on what else is in a batch.

    Args:
        values: shape [rows, groups · GROUP].
        books: shape [groups or more, entries, GROUP].
    """
    groups = values.shape[1] // GROUP
    parts = values.view(-1, groups, 1, GROUP)
    return (parts - books[None, :groups]).square().sum(-1).argmin(-1)


def entries(levels: Tensor, books: Tensor) -> Tensor:
    """Return the values of codebook entries, shape [rows, groups · GROUP]."""
    groups = levels.shape[1]
    return books[torch.arange(groups), levels.long()].flatten(1)


def straight_through(values: Tensor, bits: int) -> Tensor:
    """Return quantised values whose gradient is that of the unquantised ones."""
    moved: Tensor = values + (dequantise(quantise(values, bits), bits) - values).detach()
    return moved


def ordered(
    units: Sequence[bytes], importance: Sequence[float], rung: Rung
) -> tuple[list[bytes], list[float]]:
    """Return a message's units and importances in the order in which they are sent.

    The most important comes first, of equals the earlier; without importance all keep their places
    and matter equally.
    """
    count = range(len(units))
    order = list(count) if rung.flat else sorted(count, key=lambda i: (-importance[i], i))
    order = order[: rung.max_units]
    return [units[i] for i in order], [1.0 if rung.flat else importance[i] for i in order]


def pack_units(positions: NDArray[np.int64], levels: Tensor, rung: Rung) -> list[bytes]:
    """Return the unit of each token.

    Args:
        positions: of the tokens in their texts, from 1, shape [tokens].
        levels: of `quantise` or `nearest`, shape [tokens, rung.levels].
        rung: the operating point.
    """
    numbers = levels.numpy().astype(np.uint8)
    bits = np.unpackbits(numbers[:, :, None], axis=2)[:, :, 8 - rung.bits :]
    payload = np.packbits(bits.reshape(len(numbers), -1), axis=1)
    return [
        bytes([int(position)]) + row.tobytes()
        for position, row in zip(positions, payload, strict=True)
    ]


def unpack_unit(unit: bytes, rung: Rung) -> tuple[int, NDArray[np.uint8]] | None:
    """Return a unit's position and level numbers, or None where the bytes are no unit."""
    if len(unit) != rung.unit_bytes or unit[0] == 0:
        return None
    bits = np.unpackbits(np.frombuffer(unit, np.uint8, offset=1))
    used = bits[: rung.levels * rung.bits].reshape(rung.levels, rung.bits)
    weights = (1 << np.arange(rung.bits - 1, -1, -1)).astype(np.uint8)
    return unit[0], (used * weights).sum(axis=1, dtype=np.uint8)
