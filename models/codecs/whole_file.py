# SPDX-License-Identifier: MIT
"""Codecs "zstd-file", "jpeg-file", "webp-file", "avif-file": separation, for reconstruction tasks.

The compressed file is cut into units which only make sense together: with one missing nothing is
reconstructed. Text is compressed by Zstandard with a dictionary from the training split.
"""

from abc import abstractmethod
from collections.abc import Sequence

import zstandard

from models.codecs.base import (
    Codec,
    CodecError,
    Decoded,
    EncodedMessage,
    ReceivedMessage,
    cut_to_budget,
)
from models.codecs.dictionary import compressor, get_dictionary
from models.codecs.image_file import OPERATIONS_PER_PIXEL, UNIT_BYTES, read_picture, write_picture
from models.codecs.raw_text import OPERATIONS_PER_BYTE
from models.codecs.rebuilt import answer, check_task
from models.codecs.registry import codec_rungs
from models.tasks import Content, Sample

_MAX_TEXT_BYTES = 1 << 16
_DEFAULT_QUALITY = 50


class WholeFileCodec(Codec):
    """A sample as one file."""

    @property
    def rungs(self) -> tuple[str, ...]:
        """Return some operating points."""
        return codec_rungs(self.name)

    @property
    def fingerprint(self) -> str:
        """Return the codec's name and version."""
        return f"{self.name}-1"

    def encode(
        self, samples: Sequence[Sample], *, task: str, rung: str, budget_bytes: int | None = None
    ) -> list[EncodedMessage]:
        """Return one message a sample; see `Codec.encode`.

        A budget below the file's size leaves the last units out, and with them every chance to
        decode.
        """
        check_task(self.name, task, self.modality)
        self._check_rung(rung)
        out = []
        for sample in samples:
            data = self._write(sample, task, rung)
            units = [
                bytes([number & 255]) + data[start : start + UNIT_BYTES - 1]
                for number, start in enumerate(range(0, len(data), UNIT_BYTES - 1))
            ]
            kept, importance = cut_to_budget(units, [1.0] * len(units), budget_bytes)
            cost = self._cost(sample)
            out.append(
                EncodedMessage(sample.id, self.name, task, rung, kept, importance, cost, 8e3)
            )
        return out

    def decode(self, received: Sequence[ReceivedMessage], *, task: str, rung: str) -> list[Decoded]:
        """Return one answer a message; see `Codec.decode`."""
        check_task(self.name, task, self.modality)
        self._check_rung(rung)
        out = []
        for message in received:
            data = _joined(message)
            content = self._read(data, task) if data else None
            out.append(answer(content, message.unit_count, message.unit_count))
        return out

    @abstractmethod
    def _check_rung(self, rung: str) -> None: ...

    @abstractmethod
    def _write(self, sample: Sample, task: str, rung: str) -> bytes: ...

    @abstractmethod
    def _read(self, data: bytes, task: str) -> Content | None: ...

    @abstractmethod
    def _cost(self, sample: Sample) -> float: ...


class PictureFileCodec(WholeFileCodec):
    """A picture as a file of a common format.

    Args:
        form: "jpeg", "webp" or "avif".
        threads: not used; the format's library works on one.
        cut: not used; no model takes part.
        on_disk: not used; a file is made in less than a millisecond.

    Raises:
        CodecError: Pillow was built without the format.
    """

    modality = "image"

    def __init__(
        self, form: str, *, threads: int = 1, cut: int | None = None, on_disk: bool = True
    ) -> None:
        from PIL import features

        del threads, cut, on_disk
        if form != "jpeg" and not features.check(form):
            raise CodecError(f"this Pillow was built without {form}: install pillow from PyPI")
        self._form = form
        self.name = f"{form}-file"

    def decode_cost(self, message: EncodedMessage, *, task: str, rung: str) -> tuple[float, float]:
        """Return operations and memory traffic at the edge, taken as those of encoding."""
        return message.operations, message.memory_bytes

    def _check_rung(self, rung: str) -> None:
        digits = rung[1:]
        named = rung[:1] == "q" and digits.isascii() and digits.isdigit()
        if rung != "default" and not (named and 1 <= int(digits) <= 100):
            raise CodecError(f"codec {self.name} has rungs q1 to q100, not {rung!r}")

    def _write(self, sample: Sample, task: str, rung: str) -> bytes:
        assert sample.picture is not None  # the task's modality says so
        quality = _DEFAULT_QUALITY if rung == "default" else int(rung[1:])
        return write_picture(sample.picture, self._form, quality)

    def _read(self, data: bytes, task: str) -> Content | None:
        picture = read_picture(data, self._form)
        wanted = get_size(task)
        return picture if picture and (picture.width, picture.height) == wanted else None

    def _cost(self, sample: Sample) -> float:
        assert sample.picture is not None
        return OPERATIONS_PER_PIXEL[self._form] * sample.picture.width * sample.picture.height


class TextFileCodec(WholeFileCodec):
    """A text as one Zstandard frame.

    Args:
        threads: not used; the compressor works on one.
        cut: not used; no model takes part.
        on_disk: not used; the dictionary is always kept.
    """

    name = "zstd-file"
    modality = "text"

    def __init__(self, *, threads: int = 1, cut: int | None = None, on_disk: bool = True) -> None:
        del threads, cut, on_disk

    def decode_cost(self, message: EncodedMessage, *, task: str, rung: str) -> tuple[float, float]:
        """Return operations and memory traffic at the edge, taken as those of encoding."""
        return message.operations, message.memory_bytes

    def _check_rung(self, rung: str) -> None:
        if rung != "default":
            raise CodecError(f'codec {self.name} has one rung, "default", not {rung!r}')

    def _write(self, sample: Sample, task: str, rung: str) -> bytes:
        zstd = compressor(zstandard.ZstdCompressionDict(get_dictionary(task)))
        return zstd.compress(sample.text.encode()[:_MAX_TEXT_BYTES])

    def _read(self, data: bytes, task: str) -> Content | None:
        decompressor = zstandard.ZstdDecompressor(
            dict_data=zstandard.ZstdCompressionDict(get_dictionary(task)),
            format=zstandard.FORMAT_ZSTD1_MAGICLESS,
        )
        try:
            return decompressor.decompress(data, max_output_size=_MAX_TEXT_BYTES).decode()
        except (zstandard.ZstdError, UnicodeDecodeError, MemoryError):
            return None

    def _cost(self, sample: Sample) -> float:
        return OPERATIONS_PER_BYTE * max(1, len(sample.text))


def get_size(task: str) -> tuple[int, int]:
    """Return width and height of a task's pictures, which both sides know."""
    from models.tasks import get_task

    picture = get_task(task).train[0].picture
    assert picture is not None
    return picture.width, picture.height


def _joined(message: ReceivedMessage) -> bytes:
    """Return the file of a complete message, nothing of any other."""
    parts = [message.units.get(number, b"") for number in range(message.unit_count)]
    if any(part[:1] != bytes([number & 255]) for number, part in enumerate(parts)):
        return b""
    return b"".join(part[1:] for part in parts)
