# SPDX-License-Identifier: MIT
"""What codecs with a language model have in common: its set-up, and answers kept by content."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch

from models.backbone import DEFAULT_BACKBONE, Backbone, load_backbone
from models.backbone.loading import Precision
from models.codecs.base import Codec, Decoded
from models.codecs.store import ResultStore

Content = TypeVar("Content")


class ModelCodec(Codec):
    """A codec whose edge server, and perhaps device, runs a language model.

    Args:
        threads: CPU threads of torch in this process.
        backbone: name of the language model; the weights must have been trained with it.
        precision: number type of matrix products.
        on_disk: whether results are kept on disk for the next run.
        model: in place of the one that `backbone` names, e.g. a compressed version of it.
    """

    def __init__(
        self,
        *,
        threads: int = 1,
        backbone: str = DEFAULT_BACKBONE,
        precision: Precision = "auto",
        on_disk: bool = True,
        model: Backbone | None = None,
    ) -> None:
        torch.set_num_threads(threads)
        self._model: Backbone = model or load_backbone(backbone, precision=precision)
        self._store = ResultStore(on_disk=on_disk)

    def forget(self) -> None:
        """Drop results kept in memory."""
        self._store.forget()

    def _answers(
        self,
        keys: Sequence[str],
        contents: Sequence[Content],
        decode: Callable[[list[Content]], list[Decoded]],
        nothing: Decoded,
    ) -> list[Decoded]:
        """Return an answer a message; those of equal content are computed once and kept.

        Args:
            keys: what an answer depends on, hashed, one a message.
            contents: what `decode` takes of each message; empty or None where nothing is usable.
            decode: returns one answer each, of any number of contents.
            nothing: the answer to a message without usable content.
        """

        def values(todo: list[Content]) -> list[list[object]]:
            return [[a.prediction, a.score, a.confidence, a.accepted] for a in decode(todo)]

        there = [number for number, content in enumerate(contents) if content]
        found = self._store.fill(
            [keys[number] for number in there], [contents[number] for number in there], values
        )
        out = [nothing] * len(contents)
        for number, value in zip(there, found, strict=True):
            out[number] = Decoded(*value)
        return out
