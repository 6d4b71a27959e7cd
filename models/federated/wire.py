# SPDX-License-Identifier: MIT
"""The bytes of every fine-tuning message, and the checks on what comes in.

Weights travel as safetensors with their hash and version in the metadata; activations and
gradients in a compact layout. All little endian::

    offset  size  field
    0       1     kind (`Kind`)
    1       1     flags: 1 positions follow, 2 labels follow
    2       2     round
    4       2     step in the round
    6       2     sequences; kinds WEIGHTS, UPDATE and SERVICE: layers at the device
    8       4     version of the global values that the sender works with
    12      4     seed of dropped places
    16      …     kinds WEIGHTS, UPDATE and SERVICE: samples trained on (4), mean loss (4), both
                  of use in an UPDATE only, and safetensors;
                  other kinds: tokens of each sequence (1 each), positions (1 a token, flag 1),
                  labels (1 a sequence, flag 2), prefix row (4 a value), rows (`SmashedCodec`)
"""

import hashlib
import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import IntEnum

import numpy as np
import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from models.federated.scheme import SmashedError
from models.federated.smashed import SmashedCodec
from models.federated.split import Smashed, Tensors

HEADER = struct.Struct("<BBHHHII")
_FIT = struct.Struct("<If")
MAX_WEIGHT_BYTES = 64 << 20
MAX_TOKENS = 255
_POSITIONS, _LABELS = 1, 2


class MessageError(ValueError):
    """Bytes that are no message, or weights that are not the ones expected; refused."""


class Kind(IntEnum):
    """What a message is."""

    WEIGHTS = 1
    """Global values, to a client: the start of a round."""
    UPDATE = 2
    """Trained values, to the server."""
    SMASHED = 3
    """Activations at the cut."""
    GRADIENT = 4
    """Gradients at the cut."""
    POOLED = 5
    """U-shape: pooled rows, to the head."""
    POOLED_GRADIENT = 6
    """U-shape: their gradients, to the edge."""
    TEXTS = 7
    """Centralised: compressed samples."""
    SERVICE = 8
    """Values that go into service at a device, outside of a round."""
    PING = 9
    """A header, to a client that was given up: its acknowledgement tells that it is there again."""


@dataclass(frozen=True)
class Message:
    """A decoded message; what its kind has not is empty.

    Attributes:
        kind: what it is.
        round: number of the round.
        step: number of the step in it.
        version: of the global values.
        samples: trained on.
        loss: mean training loss in nats.
        tensors: weights by name.
        smashed: activations or gradients.
        positions: of the tokens, shape [tokens].
        lengths: tokens of each sequence.
        labels: shape [sequences], None if they did not go along.
        cut: with weights, layers at the device.
    """

    kind: Kind
    round: int = 0
    step: int = 0
    version: int = 0
    samples: int = 0
    loss: float = float("nan")
    tensors: Tensors | None = None
    smashed: Smashed | None = None
    positions: Tensor | None = None
    lengths: tuple[int, ...] = ()
    labels: Tensor | None = None
    cut: int = 0


def encode_weights(
    kind: Kind,
    tensors: Mapping[str, Tensor],
    *,
    round_number: int,
    version: int,
    cut: int = 0,
    samples: int = 0,
    loss: float = float("nan"),
    dtype: torch.dtype = torch.float32,
) -> bytes:
    """Return a message with weights, those of a device with `cut` layers."""
    values = {name: value.detach().to(dtype).contiguous() for name, value in tensors.items()}
    # One entry only: with several, their order in the file is not fixed.
    meta = {"semcosim": json.dumps({"sha256": tensor_hash(values), "version": version})}
    body = safetensors.torch.save(values, meta)
    head = HEADER.pack(kind, 0, round_number, 0, cut, version, 0)
    return head + _FIT.pack(samples, loss) + body


def cut_in(data: bytes) -> int:
    """Return how many layers at the device a message with weights is for.

    Raises:
        MessageError: truncated.
    """
    if len(data) < HEADER.size:
        raise MessageError(f"{len(data)} bytes are fewer than a header")
    return int(HEADER.unpack_from(data)[4])


def tensor_hash(tensors: Mapping[str, Tensor]) -> str:
    """Return a SHA-256 over names, types, shapes and values."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        value = tensors[name].detach().contiguous()
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}\n".encode())
        digest.update(value.view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def decode_weights(data: bytes, shapes: Mapping[str, tuple[int, ...]]) -> Message:
    """Return a message with weights, float32.

    Args:
        data: as it came from the network.
        shapes: name → shape that it must have; a dimension of 0 may have any size up to 576
            (a rank that the receiver does not prescribe).

    Raises:
        MessageError: too large, damaged, of other names or shapes, not finite, or its hash or
        version does not match.
    """
    if len(data) > MAX_WEIGHT_BYTES:
        raise MessageError(f"{len(data)} bytes of weights: at most {MAX_WEIGHT_BYTES}")
    if len(data) < HEADER.size + _FIT.size:
        raise MessageError(f"{len(data)} bytes are no weight message")
    kind, _, number, _, cut, version, _ = HEADER.unpack_from(data)
    samples, loss = _FIT.unpack_from(data, HEADER.size)
    body = data[HEADER.size + _FIT.size :]
    try:
        values = safetensors.torch.load(body)
        meta = _metadata(body)
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise MessageError(f"damaged safetensors: {error}") from None
    if meta.get("version") != version:
        raise MessageError(f"weights of version {meta.get('version')} in a message of {version}")
    if meta.get("sha256") != tensor_hash(values):
        raise MessageError("the weights' hash does not match")
    if values.keys() != shapes.keys():
        odd = sorted(values.keys() ^ shapes.keys())[:3]
        raise MessageError(f"weights of other names than expected: {', '.join(odd)}")
    for name, value in values.items():
        wanted = shapes[name]
        fits = value.ndim == len(wanted) and all(
            have == want or (want == 0 and 0 < have <= 576)
            for have, want in zip(value.shape, wanted, strict=True)
        )
        if not fits:
            raise MessageError(f"{name} has shape {tuple(value.shape)}, expected {wanted}")
        if not value.is_floating_point() or not bool(value.isfinite().all()):
            raise MessageError(f"{name} has values that are not finite numbers")
    return Message(
        Kind(kind),
        number,
        version=version,
        samples=samples,
        loss=loss,
        tensors={name: value.float() for name, value in values.items()},
        cut=cut,
    )


def _metadata(body: bytes) -> dict[str, object]:
    (size,) = struct.unpack_from("<Q", body)
    found = json.loads(json.loads(body[8 : 8 + size])["__metadata__"]["semcosim"])
    if not isinstance(found, dict):
        raise ValueError("metadata is no table")
    return found


@dataclass(frozen=True)
class RowMessage:
    """Activations or gradients in bytes, `head` apart from `rows` so that rows alone may be lost.

    Attributes:
        head: header, lengths, positions, labels, prefix.
        rows: as `SmashedCodec.encode` gives them.
        row_bytes: of one row, 0 if rows are not independent.
    """

    head: bytes
    rows: bytes
    row_bytes: int

    @property
    def data(self) -> bytes:
        """Return the whole message."""
        return self.head + self.rows


def encode_rows(
    kind: Kind,
    smashed: Smashed,
    lengths: tuple[int, ...],
    *,
    codec: SmashedCodec,
    rng: np.random.Generator,
    round_number: int,
    step: int,
    version: int,
    positions: Tensor | None = None,
    labels: Tensor | None = None,
) -> RowMessage:
    """Return a message with activations or gradients.

    Args:
        kind: one of the kinds with rows.
        smashed: a prefix of no rows is left out.
        lengths: tokens of each sequence.
        codec: compression of the rows; the prefix row stays float32.
        rng: of seeds and stochastic rounding.
        round_number: of the round.
        step: in the round.
        version: of the global values that the round began with.
        positions: only if some tokens were left out; otherwise they count from 1.
        labels: only if they go along.
    """
    seed = int(rng.integers(1 << 32)) if codec.places == "drop" else 0
    flags = (_POSITIONS if positions is not None else 0) | (_LABELS if labels is not None else 0)
    head = HEADER.pack(kind, flags, round_number, step, len(lengths), version, seed)
    head += bytes(lengths)
    if positions is not None:
        head += positions.to(torch.uint8).numpy().tobytes()
    if labels is not None:
        head += labels.to(torch.uint8).numpy().tobytes()
    head += smashed.prefix.detach().numpy().astype("<f4").tobytes()
    width = smashed.rows.shape[1]
    size = 0 if codec.lossless else codec.row_bytes(width)
    return RowMessage(head, codec.encode(smashed.rows, seed, rng), size)


def head_bytes(data: bytes, width: int) -> int:
    """Return how many bytes of a row message come before its rows.

    Raises:
        MessageError: truncated.
    """
    if len(data) < HEADER.size:
        raise MessageError(f"{len(data)} bytes are fewer than a header")
    kind, flags, _, _, sequences, _, _ = HEADER.unpack_from(data)
    at = HEADER.size + sequences
    tokens = sum(data[HEADER.size : at])
    at += tokens if flags & _POSITIONS else 0
    at += sequences if flags & _LABELS else 0
    return int(at) + (4 * width if kind in (Kind.SMASHED, Kind.GRADIENT) else 0)


def decode_rows(
    data: bytes, *, codec: SmashedCodec, width: int, labels: int, missing: set[int] | None = None
) -> Message:
    """Return a message with activations or gradients.

    Args:
        data: as it came from the network, rows that were lost filled with any bytes.
        codec: that the sender uses.
        width: values of a row.
        labels: number of classes.
        missing: numbers of the rows that were lost. Lost activations are left out, as if the
            token had not been there; lost gradients are zero.

    Raises:
        MessageError: damaged or inconsistent.
    """
    start = head_bytes(data, width)
    if len(data) < start:
        raise MessageError("truncated before the rows")
    kind, flags, number, step, sequences, version, seed = HEADER.unpack_from(data)
    lengths = tuple(data[HEADER.size : HEADER.size + sequences])
    if not sequences or not all(lengths):
        raise MessageError("a message without sequences or with an empty one")
    tokens, at = sum(lengths), HEADER.size + sequences
    if flags & _POSITIONS:
        positions = torch.tensor(list(data[at : at + tokens]))
        at += tokens
    else:
        positions = torch.cat([torch.arange(1, length + 1) for length in lengths])
    found = None
    if flags & _LABELS:
        found = torch.tensor(list(data[at : at + sequences]))
        at += sequences
        if int(found.max()) >= labels:
            raise MessageError(f"label {int(found.max())} of only {labels}")
    prefix = torch.from_numpy(np.frombuffer(data, "<f4", (start - at) // 4, at).copy())
    if not bool(prefix.isfinite().all()):
        raise MessageError("the prefix row is not finite")
    try:
        rows = codec.decode(data[start:], tokens, width, seed)
    except SmashedError as error:
        raise MessageError(str(error)) from None
    message = Message(
        Kind(kind),
        number,
        step,
        version,
        smashed=Smashed(prefix.reshape(-1, width), rows),
        positions=positions,
        lengths=lengths,
        labels=found,
    )
    return _without(message, missing) if missing else message


def _without(message: Message, missing: set[int]) -> Message:
    assert message.smashed is not None and message.positions is not None
    rows = message.smashed.rows
    lost = torch.tensor(sorted(missing))
    if message.kind is not Kind.SMASHED:
        rows = rows.clone()
        rows[lost] = 0.0
        return replace(message, smashed=Smashed(message.smashed.prefix, rows))
    kept = torch.ones(len(rows), dtype=torch.bool)
    kept[lost] = False
    # A sequence that lost everything keeps its first row as an average token: zeros.
    start, lengths = 0, []
    rows = rows.clone()
    for length in message.lengths:
        if not kept[start : start + length].any():
            kept[start] = True
            rows[start] = 0.0
        lengths.append(int(kept[start : start + length].sum()))
        start += length
    return replace(
        message,
        smashed=Smashed(message.smashed.prefix, rows[kept]),
        positions=message.positions[kept],
        lengths=tuple(lengths),
    )
