# SPDX-License-Identifier: MIT
"""What may be done to the activations and gradients that cross the cut, and their bytes.

A name is parts joined by "-", each optional: `top0.1` the largest tenth of each row's values with
their places, `drop0.5` a random half (both ends draw the same places from a seed that travels;
what is kept is scaled so that the mean stays), then the number type `float32`, `bfloat16`,
`float16`, `int8` or `int4` (stochastic rounding, so unbiased, with a scale a row), then `zstd`:
lossless coding of the whole. Rows are independent unless `zstd` joins them, so a lost packet costs
only its own rows.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
import zstandard
from torch import Tensor

from models.federated.scheme import INTEGERS, Scheme, SmashedError, parse_scheme

MAX_DECODED_BYTES = 1 << 28


@dataclass(frozen=True)
class SmashedCodec(Scheme):
    """A compression scheme with its encoder and decoder; see the module."""

    def encode(self, rows: Tensor, seed: int, rng: np.random.Generator) -> bytes:
        """Return the bytes of rows.

        Args:
            rows: float32, shape [tokens, width].
            seed: of dropped places; it travels in the message's header.
            rng: of stochastic rounding; it does not travel.
        """
        values = rows.detach().numpy()
        count, width = values.shape
        kept = self.kept(width)
        parts: list[np.ndarray] = []
        if self.places == "top":
            order = np.argsort(-np.abs(values), axis=1, kind="stable")[:, :kept]
            places = np.sort(order, axis=1)
            values = np.take_along_axis(values, places, 1)
            parts.append(places.astype("<u2").view(np.uint8).reshape(count, -1))
        elif self.places == "drop":
            places = _dropped_places(seed, count, width, kept)
            values = np.take_along_axis(values, places, 1) * np.float32(width / kept)
        parts += _write(np.ascontiguousarray(values, dtype=np.float32), self.numbers, rng)
        body = np.concatenate(parts, axis=1) if count else np.zeros((0, 0), np.uint8)
        if not self.lossless:
            return body.tobytes()
        # Bytes of one place lie together: exponents are alike, and alike compresses.
        return zstandard.ZstdCompressor(level=3).compress(body.T.tobytes())

    def decode(self, data: bytes, count: int, width: int, seed: int) -> Tensor:
        """Return rows, float32 of shape [count, width].

        Raises:
            SmashedError: the bytes are not those of `count` rows.
        """
        size = self.row_bytes(width)
        if count * width * 4 > MAX_DECODED_BYTES:
            raise SmashedError(f"{count} rows of {width} values are too many")
        if self.lossless:
            try:
                data = zstandard.ZstdDecompressor().decompress(
                    data, max_output_size=max(1, count * size)
                )
            except zstandard.ZstdError as error:
                raise SmashedError(f"not zstd: {error}") from None
        if len(data) != count * size:
            raise SmashedError(f"{len(data)} bytes are not {count} rows of {size}")
        if count == 0:
            return torch.zeros(0, width)
        raw = np.frombuffer(data, np.uint8)
        body = np.ascontiguousarray(
            raw.reshape(size, count).T if self.lossless else raw.reshape(count, size)
        )
        kept, places = self.kept(width), None
        if self.places == "top":
            places = np.ascontiguousarray(body[:, : 2 * kept]).view("<u2").astype(np.int64)
            if places.max() >= width or (np.diff(places, axis=1) <= 0).any():
                raise SmashedError("places are not ascending or beyond the row")
            body = np.ascontiguousarray(body[:, 2 * kept :])
        elif self.places == "drop":
            places = _dropped_places(seed, count, width, kept)
        values = _read(body, kept, self.numbers)
        if not np.isfinite(values).all():
            raise SmashedError("values are not finite")
        if places is None:
            return torch.from_numpy(values)
        out = np.zeros((count, width), np.float32)
        np.put_along_axis(out, places, values, 1)
        return torch.from_numpy(out)


@dataclass
class ErrorFeedback:
    """Adds what compression took from a sample's rows last time to the same sample's next ones.

    Activations of one sample change slowly from visit to visit, so that the error made last time
    is of use (J. Wang et al., "AQ-SGD", NeurIPS 2022, compress their differences for this reason).
    With token selection a token's error waits until the token is sent again; tokens that are left
    out altogether leave none, since the receiver takes them for absent and not for zero.

    Attributes:
        memory: sample number → residual of its rows by position, zero where nothing was sent yet.
    """

    memory: dict[int, Tensor] = field(default_factory=dict)

    def add(
        self, rows: Tensor, lengths: Sequence[int], ids: Sequence[int], positions: Tensor
    ) -> Tensor:
        """Return rows with the samples' residuals added.

        Args:
            rows: that are to be sent, shape [tokens, width].
            lengths: rows of each sample.
            ids: sample numbers.
            positions: of the rows in their samples, from 1, shape [tokens].
        """
        out = rows.clone()
        for part, at, number in _samples(out, lengths, ids, positions):
            residual = self.memory.get(number)
            if residual is not None:
                known = at <= len(residual)
                part[known] += residual[at[known] - 1]
        return out

    def keep(
        self,
        wanted: Tensor,
        decoded: Tensor,
        lengths: Sequence[int],
        ids: Sequence[int],
        positions: Tensor,
    ) -> None:
        """Remember what the receiver did not get; arguments as of `add`."""
        missed = (wanted - decoded).detach()
        for part, at, number in _samples(missed, lengths, ids, positions):
            residual = self.memory.get(number, missed.new_zeros(0, missed.shape[1]))
            more = int(at.max()) - len(residual)
            if more > 0:
                residual = torch.cat([residual, residual.new_zeros(more, residual.shape[1])])
            residual[at - 1] = part
            self.memory[number] = residual


def _samples(
    rows: Tensor, lengths: Sequence[int], ids: Sequence[int], positions: Tensor
) -> Iterator[tuple[Tensor, Tensor, int]]:
    """Yield (rows, positions, number) of each sample; the rows are views."""
    return zip(
        torch.split(rows, list(lengths)), torch.split(positions, list(lengths)), ids, strict=True
    )


def parse_smashed(name: str) -> SmashedCodec:
    """Return the scheme of a name; see the module.

    Raises:
        SmashedError: no such scheme.
    """
    scheme = parse_scheme(name)
    return SmashedCodec(scheme.numbers, scheme.keep, scheme.places, scheme.lossless)


def select_tokens(rows: Tensor, lengths: list[int], share: float) -> Tensor:
    """Return the numbers of the packed tokens to keep, ascending.

    In each sequence these are the `share` of its tokens (at least one) that lie farthest from the
    batch's mean token.
    """
    distance = (rows - rows.mean(0)).square().sum(1)
    kept: list[Tensor] = []
    start = 0
    for length in lengths:
        count = max(1, round(share * length))
        best = distance[start : start + length].topk(count).indices
        kept.append(best.sort().values + start)
        start += length
    return torch.cat(kept)


def _dropped_places(seed: int, count: int, width: int, kept: int) -> np.ndarray:
    rng = np.random.Generator(np.random.PCG64(seed))
    order = np.argsort(rng.random((count, width)), axis=1, kind="stable")
    return np.asarray(np.sort(order[:, :kept], axis=1))


def _write(values: np.ndarray, numbers: str, rng: np.random.Generator) -> list[np.ndarray]:
    count = len(values)
    if numbers == "float32":
        return [values.astype("<f4").view(np.uint8).reshape(count, -1)]
    if numbers == "float16":
        limit = np.finfo(np.float16).max
        half = np.clip(values, -limit, limit).astype("<f2")
        return [half.view(np.uint8).reshape(count, -1)]
    if numbers == "bfloat16":
        bits = torch.from_numpy(values).to(torch.bfloat16).view(torch.int16).numpy()
        return [bits.astype("<i2").view(np.uint8).reshape(count, -1)]
    most = INTEGERS[numbers]
    scale = (np.abs(values).max(1, keepdims=True) / most).astype("<f4")
    ratio = np.divide(values, scale, out=np.zeros_like(values), where=scale > 0)
    levels = np.floor(ratio + rng.random(values.shape, dtype=np.float32))
    levels = np.clip(levels, -most, most).astype(np.int8)
    head = scale.view(np.uint8).reshape(count, 4)
    if numbers == "int8":
        return [head, levels.view(np.uint8)]
    if levels.shape[1] % 2:
        levels = np.pad(levels, ((0, 0), (0, 1)))
    nibbles = (levels + 8).astype(np.uint8)
    return [head, nibbles[:, ::2] << 4 | nibbles[:, 1::2]]


def _read(body: np.ndarray, kept: int, numbers: str) -> np.ndarray:
    if numbers == "float32":
        return body.view("<f4").astype(np.float32)
    if numbers == "float16":
        return body.view("<f2").astype(np.float32)
    if numbers == "bfloat16":
        bits = torch.from_numpy(body.view("<i2").astype(np.int16))
        return bits.view(torch.bfloat16).float().numpy()
    scale = np.ascontiguousarray(body[:, :4]).view("<f4")
    packed = np.ascontiguousarray(body[:, 4:])
    if numbers == "int8":
        return np.asarray(packed.view(np.int8).astype(np.float32) * scale)
    levels = np.stack([packed >> 4, packed & 15], axis=2).reshape(len(body), -1)[:, :kept]
    return np.asarray((levels.astype(np.float32) - 8) * scale)
