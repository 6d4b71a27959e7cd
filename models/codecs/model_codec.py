# SPDX-License-Identifier: MIT
"""What codecs with a language model have in common: its set-up, and answers kept by content."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import torch

from models.backbone import Backbone
from models.backbone.loading import Precision
from models.codecs.base import Codec, Decoded
from models.codecs.store import ResultStore
from models.codecs.weights import backbone_of

Content = TypeVar("Content")


class ModelCodec(Codec):
    """A codec whose edge server, and perhaps device, runs a language model.

    Args:
        threads: CPU threads of torch in this process.
        backbone: name of the language model, if not the one that the weights name: a folder that
            has moved. It must be the model that they were trained with.
        precision: number type of matrix products.
        on_disk: whether results are kept on disk for the next run.
        model: in place of the one that `backbone` names, e.g. a compressed version of it.
        allow_hub: whether the language model may be fetched from the Hugging Face hub.
        trained: weight files that name the language model.
    """

    def __init__(
        self,
        *,
        threads: int = 1,
        backbone: str | None = None,
        precision: Precision = "auto",
        on_disk: bool = True,
        model: Backbone | None = None,
        allow_hub: bool = False,
        trained: Sequence[Path] = (),
    ) -> None:
        torch.set_num_threads(threads)
        self._model: Backbone = model or backbone_of(
            trained, name=backbone, precision=precision, allow_hub=allow_hub
        )
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
