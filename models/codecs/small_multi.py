# SPDX-License-Identifier: MIT
"""Codec "small-multi": the baseline without a large model, one small transformer for all tasks.

Units have the wire format of codec "llm-token": one token or one of a picture's 16 positions. The
network was trained from scratch under loss and all rungs; it has no idea which units matter, so
they stay in the order of the message.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from models.backbone import BackboneError, TextTokenizer
from models.backbone.smollm2 import folder as backbone_folder
from models.codecs.base import (
    Codec,
    CodecError,
    Decoded,
    EncodedMessage,
    ReceivedMessage,
    cut_to_budget,
)
from models.codecs.edge import answer_of
from models.codecs.llm_token import MAX_TOKENS, read_units
from models.codecs.quantiser import Rung, dequantise, pack_units, parse_rung, quantise
from models.codecs.registry import codec_rungs
from models.codecs.small_net import DIMENSIONS, PATCHES, VOCABULARY, SmallNet, pixels_for
from models.codecs.store import ResultStore, content_key
from models.codecs.weights import SHIPPED, CodecWeights, load_shared_weights
from models.tasks import Sample, get_task

DEFAULT_RUNG = "d8-int4"


class SmallMultiCodec(Codec):
    """One small transformer, split.

    Args:
        threads: CPU threads of torch in this process.
        cut: must be left out: there is one place where this network is split.
        on_disk: whether results are kept on disk for the next run.
        folder: where the weight file is.
    """

    name = "small-multi"
    modality = "image+text"

    def __init__(
        self,
        *,
        threads: int = 1,
        cut: int | None = None,
        on_disk: bool = True,
        folder: Path = SHIPPED,
    ) -> None:
        del cut
        torch.set_num_threads(threads)
        self._weights: CodecWeights = load_shared_weights(self.name, folder)
        self._tasks = list(self._weights.meta["order"])
        labels = [int(self._weights.meta["tasks"][task]["labels"]) for task in self._tasks]
        self._net = SmallNet(labels)
        self._net.load_state_dict(self._weights.tensors)
        self._net.eval()
        path = backbone_folder() / "tokenizer.json"
        if not path.is_file():
            raise BackboneError(
                f"the tokenizer is not prepared in {path.parent}: run `python -m models.prepare`"
            )
        self._tokenizer = TextTokenizer(path)
        self._store = ResultStore(on_disk=on_disk)

    @property
    def rungs(self) -> tuple[str, ...]:
        """Return the ladder; any d<n>-int<b>[-top<k>] works too."""
        return codec_rungs(self.name)

    @property
    def fingerprint(self) -> str:
        """Return the codec and its weights."""
        return f"{self.name}-1/{self._weights.fingerprint}"

    def forget(self) -> None:
        """Drop results kept in memory."""
        self._store.forget()

    def encode(
        self, samples: Sequence[Sample], *, task: str, rung: str, budget_bytes: int | None = None
    ) -> list[EncodedMessage]:
        """Return one message a sample; see `Codec.encode`."""
        point, sees = _rung(rung), self._sees(task)
        out = []
        for sample in samples:
            picture = b"" if sample.picture is None else sample.picture.pixels
            key = content_key(self.fingerprint, "encode", sees, repr(point), sample.text, picture)
            value = self._store.get(key)
            if value is None:
                value = [unit.hex() for unit in self._encode(sample, sees, point)]
                self._store.put(key, value)
            units = [bytes.fromhex(unit) for unit in value]
            kept, scores = cut_to_budget(units, [1.0] * len(units), budget_bytes)
            operations, _ = self._net.operations(len(units), sees)
            size = 4.0 * self._net.weights(sees)
            out.append(
                EncodedMessage(sample.id, self.name, task, rung, kept, scores, operations, size)
            )
        return out

    @torch.no_grad()
    def _encode(self, sample: Sample, sees: bool, point: Rung) -> list[bytes]:
        """Return a sample's units. Samples are computed one by one: none depends on another."""
        looks = tokens = None
        picture = sample.picture
        if sees:
            if picture is None:
                raise CodecError(f"sample {sample.id} has no picture")
            looks = self._net.look(pixels_for(picture.width, picture.height, picture.pixels)[None])
        numbers = self._tokenizer.encode(sample.text, MAX_TOKENS)
        if numbers or not sees:
            tokens = torch.tensor([numbers or self._tokenizer.encode(" ", 1)]) % VOCABULARY
        count = (PATCHES if sees else 0) + (0 if tokens is None else tokens.shape[1])
        values = self._net.send(looks, tokens, torch.ones(1, count, dtype=torch.bool))[0]
        levels = quantise(values[:, : point.dimensions], point.bits)
        return pack_units(np.arange(1, count + 1), levels, point)[: point.max_units]

    def decode(self, received: Sequence[ReceivedMessage], *, task: str, rung: str) -> list[Decoded]:
        """Return one answer a message; see `Codec.decode`."""
        point, sees = _rung(rung), self._sees(task)
        out = []
        for message in received:
            rows = read_units(message, point, MAX_TOKENS + (PATCHES if sees else 0))
            if not rows:
                out.append(self._nothing(task))
                continue
            content = b"".join(bytes([n]) + levels.tobytes() for n, levels in rows.items())
            key = content_key(self.fingerprint, "decode", task, repr(point), content)
            value = self._store.get(key)
            if value is None:
                answer = self._decode(rows, task, sees, point)
                value = [answer.prediction, answer.score, answer.confidence, answer.accepted]
                self._store.put(key, value)
            out.append(Decoded(*value))
        return out

    @torch.no_grad()
    def _decode(self, rows: dict[int, np.ndarray], task: str, sees: bool, point: Rung) -> Decoded:
        levels = torch.from_numpy(np.stack(list(rows.values())))
        values: Tensor = functional.pad(
            dequantise(levels, point.bits), (0, DIMENSIONS - point.dimensions)
        )[None]
        places = torch.tensor([list(rows)])
        there = torch.ones_like(places, dtype=torch.bool)
        seen = places <= (PATCHES if sees else 0)
        scores = self._net.answer(values, places, there, seen, self._tasks.index(task))[0]
        meta: dict[str, Any] = self._weights.meta["tasks"][task]
        return answer_of(scores, float(meta["temperature"]), float(meta["threshold"]))

    def _nothing(self, task: str) -> Decoded:
        meta = self._weights.meta["tasks"][task]
        return Decoded(int(meta["prior_label"]), 0.0, float(meta["prior_probability"]), False)

    def decode_cost(self, message: EncodedMessage, *, task: str, rung: str) -> tuple[float, float]:
        """Return operations and memory traffic at the edge; see `Codec.decode_cost`."""
        size = 4.0 * sum(p.numel() for p in self._net.edge.parameters())
        return self._net.operations(len(message.units), self._sees(task))[1], size

    def _sees(self, task: str) -> bool:
        if task not in self._tasks:
            raise CodecError(
                f"codec {self.name} was not trained for task {task!r}; it was for: "
                f"{', '.join(self._tasks)}"
            )
        return get_task(task).modality != "text"


def _rung(name: str) -> Rung:
    point = parse_rung(DEFAULT_RUNG if name == "default" else name)
    if point.vector:
        raise CodecError(f"codec small-multi has no codebooks: rung {name!r} is not one of it")
    return point
