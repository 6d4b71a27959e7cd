# SPDX-License-Identifier: MIT
"""Codecs by name. Importing this imports no torch: codecs are imported when they are asked for."""

from collections.abc import Callable
from typing import Any

from models.codecs.base import Codec, CodecError


def _llm_token(**options: Any) -> Codec:
    from models.codecs.llm_token import LlmTokenCodec

    return LlmTokenCodec(**options)


def _raw_text(**options: Any) -> Codec:
    from models.codecs.raw_text import RawTextCodec

    return RawTextCodec(**options)


_MAKERS: dict[str, tuple[Callable[..., Codec], tuple[str, ...]]] = {
    "llm-token": (
        _llm_token,
        ("default", "d32-int8", "d16-int4", "d8-int4", "d8-int4-top16", "d8-int4-top8", "d4-int4"),
    ),
    "raw-text": (_raw_text, ("default",)),
}


def register_codec(
    name: str, make: Callable[..., Codec], rungs: tuple[str, ...] = ("default",)
) -> None:
    """Enter a codec.

    Args:
        name: what scenarios call it.
        make: called with `threads`, `cut` and `on_disk` by keyword.
        rungs: named operating points, the default first.
    """
    _MAKERS[name] = (make, rungs)


def codec_names() -> tuple[str, ...]:
    """Return the names of all registered codecs."""
    return tuple(_MAKERS)


def codec_rungs(name: str) -> tuple[str, ...]:
    """Return a codec's named operating points, the default first.

    Raises:
        CodecError: no codec has this name.
    """
    if name not in _MAKERS:
        raise CodecError(f"no codec is named {name!r}; known: {', '.join(_MAKERS)}")
    return _MAKERS[name][1]


def get_codec(
    name: str, *, threads: int = 1, cut: int | None = None, on_disk: bool = True
) -> Codec:
    """Return a codec ready to work.

    Args:
        name: of the codec.
        threads: CPU threads of its model; results are the same bit by bit only for one number.
        cut: layers at the device; None: those that its weights were trained for.
        on_disk: whether results are kept in the cache folder for the next run.

    Raises:
        CodecError: no codec has this name.
        BackboneError: its language model is not prepared.
    """
    codec_rungs(name)
    return _MAKERS[name][0](threads=threads, cut=cut, on_disk=on_disk)
