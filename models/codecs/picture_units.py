# SPDX-License-Identifier: MIT
"""Codec "picture-units": a picture as up to 16 units of a small autoencoder, entropy-coded.

A unit is one map of the encoder: its number and h/8 · w/8 whole levels. Each is coded by itself
(`models.codecs.ans`) with the map's static level frequencies over training pictures, which ship
with the weights: a lost unit costs its own map only. The decoder was trained with units lost.
Rung "u<n>" sends the first n maps; "-fixed" gives all levels the same code length instead.
"""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from models.codecs import ans
from models.codecs.base import (
    Codec,
    CodecError,
    Decoded,
    EncodedMessage,
    ReceivedMessage,
    cut_to_budget,
)
from models.codecs.picture_net import LARGEST, MAPS, SHRINK, PictureDecoder, PictureEncoder
from models.codecs.rebuilt import answer, check_task
from models.codecs.registry import codec_rungs
from models.codecs.weights import SHIPPED, CodecWeights, load_weights
from models.tasks import Picture, Sample

_RUNG = re.compile(r"u([1-9]|1[0-6])(-fixed)?")
_ENCODER_OPERATIONS_PER_PIXEL = 5_900.0
_DECODER_OPERATIONS_PER_PIXEL = 9_000.0
"""Twice the products of the convolutions, divided by the pixels."""


def load_ends(weights: CodecWeights, encoder: PictureEncoder, decoder: PictureDecoder) -> None:
    """Put a weight file's tensors into both networks."""
    for prefix, part in (("encoder.", encoder), ("decoder.", decoder)):
        part.load_state_dict(
            {
                key.removeprefix(prefix): value
                for key, value in weights.tensors.items()
                if key.startswith(prefix)
            }
        )


class _Ends:
    """Networks and tables of one task."""

    def __init__(self, weights: CodecWeights) -> None:
        self.encoder, self.decoder = PictureEncoder().eval(), PictureDecoder().eval()
        load_ends(weights, self.encoder, self.decoder)
        self.width, self.height = int(weights.meta["width"]), int(weights.meta["height"])
        counts = weights.tensors["counts"].long().tolist()
        self.tables = [ans.Table(row, 14) for row in counts]
        self.values = self.width // SHRINK * (self.height // SHRINK)


_NUMBER = ans.Table([1] * MAPS, 4)
_FIXED = ans.Table([1] * (2 * LARGEST + 1), 14)


class PictureUnitsCodec(Codec):
    """A small learned picture codec.

    Args:
        threads: CPU threads of torch in this process.
        cut: not used; the device runs the whole encoder.
        on_disk: not used; a picture takes a few milliseconds.
        folder: where the weight files are.
    """

    name = "picture-units"
    modality = "image"

    def __init__(
        self,
        *,
        threads: int = 1,
        cut: int | None = None,
        on_disk: bool = True,
        folder: Path = SHIPPED,
    ) -> None:
        del cut, on_disk
        torch.set_num_threads(threads)
        self._folder = folder
        self._ends: dict[str, _Ends] = {}

    @property
    def rungs(self) -> tuple[str, ...]:
        """Return the ladder."""
        return codec_rungs(self.name)

    @property
    def fingerprint(self) -> str:
        """Return the codec and the weights used so far."""
        prints = [load_weights(self.name, t, self._folder).fingerprint for t in sorted(self._ends)]
        return "/".join([f"{self.name}-1", *prints])

    def encode(
        self, samples: Sequence[Sample], *, task: str, rung: str, budget_bytes: int | None = None
    ) -> list[EncodedMessage]:
        """Return one message a sample; see `Codec.encode`."""
        kept, fixed = _parse(rung)
        ends = self._of(task)
        out = []
        for sample in samples:  # one by one: no level depends on its batch
            levels = self._levels(ends, sample)[:kept]
            units = [
                ans.encode(
                    [
                        (_NUMBER, number),
                        *((_FIXED if fixed else ends.tables[number], v + LARGEST) for v in row),
                    ]
                )
                for number, row in enumerate(levels.reshape(len(levels), -1).tolist())
            ]
            scores = [1.0 - number / MAPS for number in range(len(units))]
            sent, importance = cut_to_budget(units, scores, budget_bytes)
            pixels = ends.width * ends.height
            out.append(
                EncodedMessage(
                    sample.id, self.name, task, rung, sent, importance,
                    _ENCODER_OPERATIONS_PER_PIXEL * pixels, 16.0 * pixels,
                )
            )  # fmt: skip
        return out

    @torch.inference_mode()
    def _levels(self, ends: _Ends, sample: Sample) -> Tensor:
        """Return whole levels, shape [MAPS, h/8, w/8]."""
        picture = sample.picture
        if picture is None or (picture.width, picture.height) != (ends.width, ends.height):
            raise CodecError(
                f"sample {sample.id}: the weights are for pictures of {ends.width} x {ends.height} "
                "pixels: train others with models/training/train_pictures.py"
            )
        pixels = np.frombuffer(picture.pixels, np.uint8).reshape(picture.height, picture.width, 3)
        row = torch.from_numpy(pixels.astype(np.float32) / 255).permute(2, 0, 1)[None]
        levels: Tensor = ends.encoder(row.contiguous())[0].round().int()
        return levels

    def decode(self, received: Sequence[ReceivedMessage], *, task: str, rung: str) -> list[Decoded]:
        """Return one answer a message; see `Codec.decode`."""
        _, fixed = _parse(rung)
        ends = self._of(task)
        out = []
        for message in received:
            levels = torch.zeros(1, MAPS, ends.values)
            there = torch.zeros(1, MAPS)
            for place in range(message.unit_count):
                unit = _read(message.units.get(place, b""), ends, fixed)
                if unit is not None and unit[0] == place:
                    levels[0, place] = torch.tensor(unit[1], dtype=torch.float32)
                    there[0, place] = 1
            arrived = int(there.sum())
            content = self._picture(ends, levels, there) if arrived else None
            out.append(answer(content, arrived, message.unit_count))
        return out

    @torch.inference_mode()
    def _picture(self, ends: _Ends, levels: Tensor, there: Tensor) -> Picture:
        shape = (1, MAPS, ends.height // SHRINK, ends.width // SHRINK)
        row = ends.decoder(levels.view(shape), there)[0].clamp(0, 1) * 255
        pixels = row.round().byte().permute(1, 2, 0).contiguous().numpy()
        return Picture(ends.width, ends.height, pixels.tobytes())

    def decode_cost(self, message: EncodedMessage, *, task: str, rung: str) -> tuple[float, float]:
        """Return operations and memory traffic at the edge; see `Codec.decode_cost`."""
        ends = self._of(task)
        pixels = ends.width * ends.height
        return _DECODER_OPERATIONS_PER_PIXEL * pixels, 16.0 * pixels

    def _of(self, task: str) -> _Ends:
        if task not in self._ends:
            check_task(self.name, task, self.modality)
            self._ends[task] = _Ends(load_weights(self.name, task, self._folder))
        return self._ends[task]


def _read(data: bytes, ends: _Ends, fixed: bool) -> tuple[int, list[int]] | None:
    """Return a unit's number and levels, None if its bytes make no sense."""
    try:
        reader = ans.Reader(data)
        number = reader.take(_NUMBER)
        table = _FIXED if fixed else ends.tables[number]
        levels = [reader.take(table) - LARGEST for _ in range(ends.values)]
        reader.finish()
    except ans.AnsError:
        return None
    return number, levels


def _parse(rung: str) -> tuple[int, bool]:
    """Return how many maps a rung sends, and whether with code words of one length."""
    match = _RUNG.fullmatch("u16" if rung == "default" else rung)
    if match is None:
        raise CodecError(f"codec picture-units has rungs u1 to u16, or u<n>-fixed, not {rung!r}")
    return int(match[1]), bool(match[2])
