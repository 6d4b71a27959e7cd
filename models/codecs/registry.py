# SPDX-License-Identifier: MIT
"""Codecs by name. Importing this imports no torch: codecs are imported when they are asked for."""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.codecs.base import Codec, CodecError
from models.fingerprint import task_weights


def _llm_token(**options: Any) -> Codec:
    from models.codecs.llm_token import LlmTokenCodec

    return LlmTokenCodec(**options)


def _raw_text(**options: Any) -> Codec:
    from models.codecs.raw_text import RawTextCodec

    return RawTextCodec(**options)


def _llm_multi(**options: Any) -> Codec:
    from models.codecs.llm_multi import LlmMultiCodec

    return LlmMultiCodec(**options)


def _llm_multi_symbols(**options: Any) -> Codec:
    from models.codecs.llm_multi import LlmMultiCodec

    return LlmMultiCodec(weights="llm-multi-symbols", **options)


def _small_multi(**options: Any) -> Codec:
    from models.codecs.small_multi import SmallMultiCodec

    return SmallMultiCodec(**options)


def _image_file(form: str) -> Callable[..., Codec]:
    def make(**options: Any) -> Codec:
        from models.codecs.image_file import ImageFileCodec

        return ImageFileCodec(form, **options)

    return make


def _picture_file(form: str) -> Callable[..., Codec]:
    def make(**options: Any) -> Codec:
        from models.codecs.whole_file import PictureFileCodec

        return PictureFileCodec(form, **options)

    return make


def _text_file(**options: Any) -> Codec:
    from models.codecs.whole_file import TextFileCodec

    return TextFileCodec(**options)


def _picture_units(**options: Any) -> Codec:
    from models.codecs.picture_units import PictureUnitsCodec

    return PictureUnitsCodec(**options)


def _word_units(**options: Any) -> Codec:
    from models.codecs.word_units import WordUnitsCodec

    return WordUnitsCodec(**options)


def _token_values(**options: Any) -> Codec:
    from models.codecs.token_values import TokenValuesCodec

    return TokenValuesCodec(**options)


@dataclass(frozen=True)
class _Entry:
    make: Callable[..., Codec]
    rungs: tuple[str, ...]
    rung_pattern: str | None
    largest_unit_bytes: int
    tasks: Callable[[], Collection[str]] | None
    values: bool = False
    own_weights: bool = False


def _shipped(codec: str) -> Callable[[], tuple[str, ...]]:
    """Return a function that gives the tasks for which single weight files ship."""

    def tasks() -> tuple[str, ...]:
        files = (Path(__file__).parent.parent / "weights").glob(f"{codec}-*.safetensors")
        return tuple(sorted(path.stem.removeprefix(f"{codec}-") for path in files))

    return tasks


def _with(weights: str, *names: str) -> Callable[[], tuple[str, ...]]:
    """Return a function that gives `names` if a shared weight file is there."""

    def tasks() -> tuple[str, ...]:
        path = Path(__file__).parent.parent / "weights" / f"{weights}.safetensors"
        return names if path.is_file() else ()

    return tasks


_DIMENSIONS = r"d([1-9]|[12]\d|3[0-2])-int[248](-top[1-9]\d{0,2})?(-flat)?"
_CODEBOOKS = r"d(4|8|12|16|20|24|28|32)-vq(-top[1-9]\d{0,2})?(-flat)?"
_DEVICES = r"(-(student|drop|w8|litert))?"
_QUALITY = r"q([1-9]|[1-9]\d|100)"
_QUALITIES = ("default", "q10", "q25", "q50", "q75", "q90")

_ENTRIES: dict[str, _Entry] = {
    "llm-token": _Entry(
        _llm_token,
        ("default", "d32-int8", "d16-int4", "d8-int4", "d8-int4-top16", "d8-int4-top8", "d4-int4",
         "d16-int4-student", "d8-int4-student", "d8-int4-top8-student"),
        _DIMENSIONS + _DEVICES,
        33,  # a position and 32 values of 8 bits
        _shipped("llm-token"),
        own_weights=True,
    ),
    "raw-text": _Entry(
        _raw_text, ("default",), None, 200, _shipped("raw-text"), own_weights=True
    ),
    "llm-multi": _Entry(
        _llm_multi,
        ("default", "d32-int8", "d16-int4", "d8-int4", "d8-int4-top16", "d8-int4-top8", "d4-int4",
         "d16-vq", "d32-vq", "d32-int8-flat", "d16-int4-ans", "d32-int8-ans"),
        f"({_DIMENSIONS}|{_CODEBOOKS})(-ans)?",
        58,  # entropy-coded, were the position and all 32 levels of the rarest: 10 + 32 x 14 bits
        _with("llm-multi", "sentiment", "topic", "image", "vqa"),
        values=True,
    ),
    "llm-multi-symbols": _Entry(
        _llm_multi_symbols,
        ("default", "d32-int8", "d16-int4", "d8-int4", "d8-int4-top16", "d8-int4-top8", "d4-int4"),
        _DIMENSIONS,
        33,
        _with("llm-multi-symbols", "sentiment", "topic", "image", "vqa"),
        values=True,
    ),
    "small-multi": _Entry(
        _small_multi,
        ("default", "d32-int8", "d16-int4", "d8-int4", "d4-int4"),
        _DIMENSIONS,
        33,
        _with("small-multi", "sentiment", "topic", "image", "vqa"),
    ),
    **{
        form: _Entry(
            _image_file(form), _QUALITIES, _QUALITY, 200, _with("llm-multi", "image", "vqa")
        )
        for form in ("jpeg", "webp", "avif")
    },
    **{
        f"{form}-file": _Entry(
            _picture_file(form), _QUALITIES, _QUALITY, 200,
            lambda: ("picture-reconstruction", "image-reconstruction"),
        )
        for form in ("jpeg", "webp", "avif")
    },
    "zstd-file": _Entry(_text_file, ("default",), None, 200, lambda: ("text-reconstruction",)),
    "picture-units": _Entry(
        _picture_units,
        ("default", "u2", "u4", "u8", "u12", "u16", "u16-fixed"),
        r"u([1-9]|1[0-6])(-fixed)?",
        114,  # 64 levels of 14 bits, were they all of the rarest
        _shipped("picture-units"),
    ),
    "token-values": _Entry(
        _token_values,
        ("default", "d32-int8", "d16-int4", "d8-int4", "d8-int2"),
        _DIMENSIONS,
        33,
        _shipped("token-values"),
        values=True,
    ),
    "word-units": _Entry(
        _word_units,
        ("default", "w1", "w2", "w4", "w8", "w2-flat", "w2-fixed"),
        r"w[1-8](-flat)?(-fixed)?",
        165,  # 8 words of 8 tokens of 18 bits, were they all of the rarest
        _shipped("word-units"),
    ),
}  # fmt: skip


def register_codec(
    name: str,
    make: Callable[..., Codec],
    rungs: tuple[str, ...] = ("default",),
    *,
    rung_pattern: str | None = None,
    largest_unit_bytes: int = 0,
    tasks: Callable[[], Collection[str]] | None = None,
    values: bool = False,
    own_weights: bool = False,
) -> None:
    """Enter a codec.

    Args:
        name: what scenarios call it.
        make: called with `threads`, `cut` and `on_disk` by keyword.
        rungs: named operating points, the default first.
        rung_pattern: regular expression of further ones.
        largest_unit_bytes: that a packet must hold; 0: not known.
        tasks: gives the names of the tasks that it can do; None: not known.
        values: it has `values` and `decode_values`, so that its units can travel as symbols.
        own_weights: it reads NAME-TASK.safetensors, and `make` takes the `folder` of such files,
            and `backbone` and `allow_hub` for the language model that they name.
    """
    _ENTRIES[name] = _Entry(
        make, rungs, rung_pattern, largest_unit_bytes, tasks, values, own_weights
    )


def codec_names() -> tuple[str, ...]:
    """Return the names of all registered codecs."""
    return tuple(_ENTRIES)


def codec_rungs(name: str) -> tuple[str, ...]:
    """Return a codec's named operating points, the default first.

    Raises:
        CodecError: no codec has this name.
    """
    return _entry(name).rungs


def is_rung(name: str, rung: str) -> bool:
    """Return whether a codec has an operating point of this name."""
    entry = _entry(name)
    pattern = entry.rung_pattern
    return rung in entry.rungs or bool(pattern and re.fullmatch(pattern, rung))


def largest_unit_bytes(name: str) -> int:
    """Return the bytes of a codec's largest unit, 0 if they are not known."""
    return _entry(name).largest_unit_bytes


def codec_tasks(name: str) -> tuple[str, ...] | None:
    """Return the names of the tasks that a codec can do, None if they are not known."""
    tasks = _entry(name).tasks
    return None if tasks is None else tuple(tasks())


def own_weights(name: str, folder: Path) -> dict[str, Path]:
    """Return the weight files of a codec in a folder of the user's, task → file.

    A codec that takes no such folder has none there.
    """
    return task_weights(name, folder) if _entry(name).own_weights else {}


def sends_values(name: str) -> bool:
    """Return whether a codec's units can travel as symbols."""
    return _entry(name).values


def _entry(name: str) -> _Entry:
    if name not in _ENTRIES:
        raise CodecError(f"no codec is named {name!r}; known: {', '.join(_ENTRIES)}")
    return _ENTRIES[name]


def get_codec(
    name: str,
    *,
    threads: int = 1,
    cut: int | None = None,
    on_disk: bool = True,
    folder: Path | None = None,
    backbone: str | None = None,
    allow_hub: bool = False,
) -> Codec:
    """Return a codec ready to work.

    Args:
        name: of the codec.
        threads: CPU threads of its model; results are the same bit by bit only for one number.
        cut: layers at the device; None: those that its weights were trained for.
        on_disk: whether results are kept in the cache folder for the next run.
        folder: with weights of the user's own; None: those that ship.
        backbone: where the language model that these weights name is now, if it has moved.
        allow_hub: whether it may be fetched from the Hugging Face hub.

    Raises:
        CodecError: no codec has this name, or it has no weights in the folder.
        BackboneError: its language model is not prepared, or cannot be loaded.
    """
    if folder is None:
        if backbone or allow_hub:
            raise CodecError(
                "another language model needs weights that were trained with it: give folder too"
            )
        return _entry(name).make(threads=threads, cut=cut, on_disk=on_disk)
    if not own_weights(name, folder):
        raise CodecError(
            f"codec {name} has no weights in {folder}: python -m models.training.train_llm_token "
            f"--task TASK --out {folder} trains some for llm-token and raw-text"
        )
    return _entry(name).make(
        threads=threads,
        cut=cut,
        on_disk=on_disk,
        folder=folder,
        backbone=backbone,
        allow_hub=allow_hub,
    )
