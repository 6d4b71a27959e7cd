# SPDX-License-Identifier: MIT
"""Codecs "jpeg", "webp" and "avif": the baselines. A file travels, the edge does everything.

The file is cut into units which only make sense together. The question of a task about pictures
travels in front of it, compressed by Zstandard with a dictionary from the training split. What was
decoded is answered by the same vision encoder and language model as codec "llm-multi", with all
values and no quantisation: the codec's own loss is the only one.
"""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import zstandard

from models.codecs.base import (
    CodecError,
    Decoded,
    EncodedMessage,
    ReceivedMessage,
    cut_to_budget,
)
from models.codecs.dictionary import compressor, get_dictionary
from models.codecs.llm_token import MAX_TOKENS
from models.codecs.model_codec import ModelCodec
from models.codecs.multi_edge import MultiEdge
from models.codecs.registry import codec_rungs
from models.codecs.store import content_key
from models.codecs.weights import SHIPPED
from models.tasks import Picture, Sample, get_task
from models.vision.efficientnet import POSITIONS

UNIT_BYTES = 200
_MAX_PIXELS = 1 << 20
_DEFAULT_QUALITY = 50
_OPTIONS: dict[str, dict[str, Any]] = {
    "jpeg": {"optimize": True},
    "webp": {"method": 6},
    "avif": {"speed": 6, "max_threads": 1},
}
OPERATIONS_PER_PIXEL = {"jpeg": 300.0, "webp": 3000.0, "avif": 30_000.0}
"""Assumptions, of the order of known encoder speeds: 7, 0.7 and 0.07 Mpixel/s on a 2 GHz core."""


class ImageFileCodec(ModelCodec):
    """A picture as a file of a common format.

    Args:
        form: "jpeg", "webp" or "avif".
        cut: not used; the device runs no layer.
        folder: where the weight file is.
        options: of `ModelCodec`.

    Raises:
        CodecError: Pillow was built without the format.
    """

    modality = "image"

    def __init__(
        self,
        form: str,
        *,
        cut: int | None = None,
        folder: Path = SHIPPED,
        **options: Any,
    ) -> None:
        from PIL import features

        del cut  # the device runs no layer
        if form != "jpeg" and not features.check(form):
            raise CodecError(f"this Pillow was built without {form}: install pillow from PyPI")
        super().__init__(**options)
        self.name = form
        self._ends = MultiEdge(self._model, folder)

    @property
    def rungs(self) -> tuple[str, ...]:
        """Return some qualities; any q1 to q100 works."""
        return codec_rungs(self.name)

    @property
    def fingerprint(self) -> str:
        """Return the codec, the model and its number type, and the weights."""
        return f"{self.name}-1/{self._model.fingerprint}/{self._ends.weights.fingerprint}"

    def forget(self) -> None:
        """Drop results kept in memory."""
        super().forget()
        self._ends.forget()

    def encode(
        self, samples: Sequence[Sample], *, task: str, rung: str, budget_bytes: int | None = None
    ) -> list[EncodedMessage]:
        """Return one message a sample; see `Codec.encode`.

        A budget below the file's size leaves the last units out, and with them every chance to
        decode.
        """
        quality = self._quality(rung)
        self._check(task)
        out = []
        for sample in samples:
            picture = sample.picture
            if picture is None:
                raise CodecError(f"sample {sample.id} of task {task} has no picture")
            question = self._question(sample.text, task)
            data = bytes([len(question)]) + question + write_picture(picture, self.name, quality)
            units = [
                bytes([number & 255]) + data[start : start + UNIT_BYTES - 1]
                for number, start in enumerate(range(0, len(data), UNIT_BYTES - 1))
            ]
            kept, importance = cut_to_budget(units, [1.0] * len(units), budget_bytes)
            pixels = picture.width * picture.height
            operations = OPERATIONS_PER_PIXEL[self.name] * pixels
            out.append(
                EncodedMessage(
                    sample.id, self.name, task, rung, kept, importance, operations, 8.0 * pixels
                )
            )
        return out

    def _question(self, text: str, task: str) -> bytes:
        if not text:
            return b""
        dictionary = zstandard.ZstdCompressionDict(get_dictionary(task))
        text = self._model.tokenizer.truncate(text, MAX_TOKENS)
        frame = compressor(dictionary).compress(text.encode())
        if len(frame) > 255:
            raise CodecError(f"a question of {len(frame)} compressed bytes is longer than 255")
        return frame

    def decode(self, received: Sequence[ReceivedMessage], *, task: str, rung: str) -> list[Decoded]:
        """Return one answer a message; see `Codec.decode`."""
        self._quality(rung)
        self._check(task)
        contents = [self._read(message, task) for message in received]
        keys = [
            content_key(self.fingerprint, "decode", task, text, picture.width, picture.pixels)
            if picture
            else ""
            for text, picture in contents
        ]
        seen = [Sample("", text, 0, picture) if picture else None for text, picture in contents]
        nothing = self._ends.nothing(task)
        return self._answers(keys, seen, lambda todo: self._answer(todo, task), nothing)

    def _answer(self, samples: Sequence[Sample | None], task: str) -> list[Decoded]:
        known = [sample for sample in samples if sample is not None]
        if not known:
            return []
        rows = self._ends.analyse(known, task)
        return self._ends.classify(rows.positions, rows.values, rows.lengths, task)

    def _read(self, message: ReceivedMessage, task: str) -> tuple[str, Picture | None]:
        """Return question and picture of a complete message, no picture of any other."""
        parts = [message.units.get(number, b"") for number in range(message.unit_count)]
        if not parts or any(part[:1] != bytes([n & 255]) for n, part in enumerate(parts)):
            return "", None
        data = b"".join(part[1:] for part in parts)
        if not data:
            return "", None
        size = data[0]
        text = ""
        if size:
            if get_task(task).modality == "image":
                return "", None  # pictures alone come without a question
            decompressor = zstandard.ZstdDecompressor(
                dict_data=zstandard.ZstdCompressionDict(get_dictionary(task)),
                format=zstandard.FORMAT_ZSTD1_MAGICLESS,
            )
            try:
                text = decompressor.decompress(data[1 : 1 + size], max_output_size=4096).decode()
            except (zstandard.ZstdError, UnicodeDecodeError, MemoryError):
                return "", None
        return text, read_picture(data[1 + size :], self.name)

    def decode_cost(self, message: EncodedMessage, *, task: str, rung: str) -> tuple[float, float]:
        """Return operations and memory traffic at the edge; see `Codec.decode_cost`."""
        rows = POSITIONS + (MAX_TOKENS if task == "vqa" else 0)
        device, edge = self._ends.device_cost(rows, task), self._ends.edge_cost(rows)
        return device[0] + edge[0], device[1] + edge[1]

    def _check(self, task: str) -> None:
        if not self._ends.sees(task):
            raise CodecError(f"codec {self.name} sends pictures; task {task!r} has none")

    def _quality(self, rung: str) -> int:
        if rung == "default":
            return _DEFAULT_QUALITY
        if (
            rung[:1] == "q"
            and rung[1:].isascii()
            and rung[1:].isdigit()
            and 1 <= int(rung[1:]) <= 100
        ):
            return int(rung[1:])
        raise CodecError(f"codec {self.name} has rungs q1 to q100, not {rung!r}")


def write_picture(picture: Picture, form: str, quality: int) -> bytes:
    """Return a picture as a file of a format."""
    from PIL import Image

    image = Image.frombytes("RGB", (picture.width, picture.height), picture.pixels)
    file = io.BytesIO()
    image.save(file, form, quality=quality, **_OPTIONS[form])
    return file.getvalue()


def read_picture(data: bytes, form: str) -> Picture | None:
    """Return the picture in a file, None where there is none."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data), formats=[form.upper()]) as opened:
            if opened.width * opened.height > _MAX_PIXELS:
                return None
            return Picture(*opened.size, opened.convert("RGB").tobytes())
    except Exception:  # a damaged file may raise nearly anything in Pillow's readers
        return None
