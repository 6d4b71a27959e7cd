# SPDX-License-Identifier: MIT
"""The Llama decoder (Touvron et al., arXiv 2302.13971) over packed sequences.

Written out because a run needs three things that the usual implementation does not give: results
that do not depend on the batch (see `packing`), layers run in parts with their prefix's keys and
values computed once, and a start without importing a large framework. A test compares it with
transformers.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from models.backbone.api import Adapters, Backbone, BackboneError, Geometry
from models.backbone.packing import spans, tiled_linear
from models.backbone.text import TextTokenizer


@dataclass(frozen=True, slots=True)
class LlamaConfig:
    """Sizes and constants, named as in a model folder's config.json."""

    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    head_dim: int
    rms_norm_eps: float
    rope_theta: float
    prefix_token: int


@dataclass(frozen=True, slots=True)
class Layer:
    """Weights of one decoder layer, those of one input joined: fewer, larger products."""

    attention_norm: Tensor
    qkv: Tensor
    output: Tensor
    mlp_norm: Tensor
    gate_up: Tensor
    down: Tensor

    @staticmethod
    def read(tensors: Mapping[str, Tensor], number: int, dtype: torch.dtype) -> "Layer":
        """Take layer `number` from tensors named as transformers names them."""

        def get(name: str) -> Tensor:
            return tensors[f"model.layers.{number}.{name}.weight"]

        attention = [get(f"self_attn.{part}_proj") for part in "qkv"]
        return Layer(
            attention_norm=get("input_layernorm").float(),
            qkv=torch.cat(attention).to(dtype),
            output=get("self_attn.o_proj").to(dtype),
            mlp_norm=get("post_attention_layernorm").float(),
            gate_up=torch.cat([get("mlp.gate_proj"), get("mlp.up_proj")]).to(dtype),
            down=get("mlp.down_proj").to(dtype),
        )


Prefix = tuple[Tensor, Tensor]
"""Keys and values of the prefix token in one layer, each [key-value heads, 1, head width]."""


class LlamaBackbone(Backbone):
    """A Llama model's first layers in memory.

    Args:
        name: of the model.
        fingerprint: of its files; the number type is added.
        config: sizes.
        embedding: shape [vocabulary, hidden], any float type.
        layers: weights of layers 0, 1, ….
        tokenizer: its tokenizer.

    Attributes:
        files: the fingerprint of its files alone, the same in all number types.
    """

    def __init__(
        self,
        *,
        name: str,
        fingerprint: str,
        config: LlamaConfig,
        embedding: Tensor,
        layers: Sequence[Layer],
        tokenizer: TextTokenizer,
    ) -> None:
        self.name = name
        self.config = config
        self.tokenizer = tokenizer
        self._embedding = embedding
        self._layers = list(layers)
        weight = self._layers[0].qkv
        self.files = fingerprint
        self.fingerprint = f"{fingerprint}-{str(weight.dtype).removeprefix('torch.')}"
        self.joint_rows = weight.shape[0]
        size = sum(w.numel() for w in _matrices(self._layers[0]))
        self.geometry = Geometry(config.hidden_size, len(self._layers), size, weight.element_size())
        self._merged: dict[tuple[str, int], Tensor] = {}
        self._prefixes: dict[tuple[str, int], tuple[Tensor, Prefix]] = {}

    def embed(self, tokens: Sequence[int]) -> Tensor:
        """Return token embeddings, float32 of shape [tokens, hidden]."""
        return self._embedding[torch.tensor(tokens, dtype=torch.long)].float()

    def normalise(self, hidden: Tensor) -> Tensor:
        """Scale rows of the residual stream to root mean square 1, shape [tokens, hidden]."""
        return functional.rms_norm(hidden, (hidden.shape[-1],), None, self.config.rms_norm_eps)

    def run(
        self,
        hidden: Tensor,
        positions: Tensor,
        lengths: Sequence[int],
        first: int,
        last: int,
        adapters: Adapters | None = None,
    ) -> Tensor:
        """Run layers `first` to `last` (exclusive); see `Backbone.run`."""
        if not 0 <= first <= last <= len(self._layers):
            raise BackboneError(
                f"layers {first} to {last} of {self.name}: only {len(self._layers)} are loaded"
            )
        rotation = self._rotation(positions)
        where = spans(lengths)
        if torch.is_grad_enabled():
            return self._run_training(hidden, rotation, where, range(first, last), adapters)
        for number in range(first, last):
            prefix = self._prefix(number, adapters)[1]
            hidden = self._layer(hidden, rotation, where, number, prefix, adapters)[0]
        return hidden

    def run_with_prefix(
        self,
        prefix: Tensor,
        hidden: Tensor,
        positions: Tensor,
        lengths: Sequence[int],
        first: int,
        last: int,
        adapters: Adapters | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Run layers over packed sequences and, beside them, the prefix token they all see.

        Adapters change the prefix token's stream too. Who trains layers in parts hands it from one
        part to the next, like the sequences, and gradients flow back through it.

        Args:
            prefix: the prefix token's stream before layer `first`, shape [1, hidden].
            hidden: as for `run`, like all that follow.
            positions: of the tokens.
            lengths: tokens of each sequence.
            first: number of the first layer.
            last: number after the last layer.
            adapters: low-rank changes to weights.

        Returns:
            Both streams after layer `last` - 1.
        """
        rotation, where = self._rotation(positions), spans(lengths)
        origin = self._rotation(torch.zeros(1))
        for number in range(first, last):
            prefix, seen = self._layer(prefix, origin, [slice(0, 1)], number, None, adapters)
            hidden = self._layer(hidden, rotation, where, number, seen, adapters)[0]
        return prefix, hidden

    @torch.no_grad()
    def prefix_stream(self, number: int) -> Tensor:
        """Return the prefix token's stream before layer `number`, unadapted, shape [1, hidden]."""
        return self._stream(number, None).clone()

    def _run_training(
        self,
        hidden: Tensor,
        rotation: tuple[Tensor, Tensor],
        where: Sequence[slice],
        numbers: range,
        adapters: Adapters | None,
    ) -> Tensor:
        """Run layers with gradients, also through the prefix, which adapters change too."""
        if adapters and min(adapters.down) < numbers.start:
            raise BackboneError("train adapters with the layers from the first adapted one on")
        with torch.no_grad():
            stream = self._stream(numbers.start, None)
        origin = self._rotation(torch.zeros(1))
        for number in numbers:
            stream, prefix = self._layer(stream, origin, [slice(0, 1)], number, None, adapters)
            hidden = self._layer(hidden, rotation, where, number, prefix, adapters)[0]
        return hidden

    def _layer(
        self,
        hidden: Tensor,
        rotation: tuple[Tensor, Tensor],
        where: Sequence[slice],
        number: int,
        prefix: "Prefix | Sequence[Prefix] | None",
        adapters: Adapters | None,
    ) -> tuple[Tensor, Prefix]:
        """Return the stream after one layer, and its keys and values (heads first).

        `prefix` is what every token sees, or what those of each sequence see, one entry a sequence.
        """
        layer, config = self._layers[number], self.config
        heads, shared, width = (
            config.num_attention_heads,
            config.num_key_value_heads,
            config.head_dim,
        )
        joint = self._qkv(self.normalise(hidden) * layer.attention_norm, number, adapters)
        joint = joint.view(-1, heads + 2 * shared, width).transpose(0, 1)
        query, key, value = torch.split(joint, [heads, shared, shared])
        query, key = _rotate(query, rotation), _rotate(key, rotation)
        before = prefix if isinstance(prefix, list) else [prefix] * len(where)
        mixed = [
            _attend(query[:, part], key[:, part], value[:, part], past)
            for part, past in zip(where, before, strict=True)
        ]
        hidden = hidden + tiled_linear(torch.cat(mixed), layer.output)
        inner = tiled_linear(self.normalise(hidden) * layer.mlp_norm, layer.gate_up)
        gate, up = inner.chunk(2, dim=-1)
        hidden = hidden + tiled_linear(functional.silu(gate) * up, layer.down)
        return hidden, (key, value)

    def _qkv(self, rows: Tensor, number: int, adapters: Adapters | None) -> Tensor:
        weight = self._layers[number].qkv
        if adapters is None or number not in adapters.down:
            return tiled_linear(rows, weight)
        down, up = adapters.down[number], adapters.up[number]
        if torch.is_grad_enabled():
            low = functional.linear(functional.linear(rows, down), up)
            return tiled_linear(rows, weight) + low
        key = (adapters.name, number)
        merged = self._merged.get(key)
        if merged is None:
            merged = self._merged[key] = (weight.float() + up @ down).to(weight.dtype)
        return tiled_linear(rows, merged)

    def _prefix(self, number: int, adapters: Adapters | None) -> tuple[Tensor, Prefix]:
        """Return the prefix token's stream after a layer, and its keys and values in it.

        It is a constant of the model and the adapters, so it is computed once.
        """
        key = (adapters.name if adapters else "", number)
        found = self._prefixes.get(key)
        if found is None:
            found = self._prefixes[key] = self._layer(
                self._stream(number, adapters),
                self._rotation(torch.zeros(1)),
                [slice(0, 1)],
                number,
                None,
                adapters,
            )
        return found

    def _stream(self, number: int, adapters: Adapters | None) -> Tensor:
        """Return the prefix token's stream before a layer, shape [1, hidden]."""
        if number == 0:
            return self.embed([self.config.prefix_token])
        return self._prefix(number - 1, adapters)[0]

    def _rotation(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Return cosine and sine of the rotary angles (Su et al., arXiv 2104.09864)."""
        width = self.config.head_dim
        exponent = torch.arange(0, width, 2, dtype=torch.float32) / width
        angle = positions.float()[:, None] / self.config.rope_theta**exponent
        angle = torch.cat([angle, angle], dim=-1)
        return angle.cos(), angle.sin()

    def forget(self, name: str) -> None:
        """Drop merged weights and prefixes of the adapters `name` (they were trained on).

        Another thread may be using them: what it holds stays, what it asks for is made again.
        """
        for kept in (self._merged, self._prefixes):
            for key in list(kept):
                if key[0] == name:
                    kept.pop(key, None)


def _matrices(layer: Layer) -> tuple[Tensor, ...]:
    return layer.qkv, layer.output, layer.gate_up, layer.down


def _rotate(rows: Tensor, rotation: tuple[Tensor, Tensor]) -> Tensor:
    """Rotate pairs (i, i + half) of the last axis; rows of shape [heads, tokens, width]."""
    cosine, sine = rotation
    first, second = rows.chunk(2, dim=-1)
    return rows * cosine + torch.cat([-second, first], dim=-1) * sine


def _attend(query: Tensor, key: Tensor, value: Tensor, prefix: Prefix | None) -> Tensor:
    """Causal grouped-query attention of one sequence.

    Args:
        query: shape [heads, tokens, width].
        key: shape [shared heads, tokens, width].
        value: shape [shared heads, tokens, width].
        prefix: keys and values that every token sees.

    Returns:
        Shape [tokens, heads * width].
    """
    heads, tokens, width = query.shape
    shared = key.shape[0]
    if prefix is not None:
        key, value = torch.cat([prefix[0], key], 1), torch.cat([prefix[1], value], 1)
    # The query heads of one key head lie one after the other in the rows of one product.
    grouped = query.reshape(shared, heads // shared * tokens, width)
    scores = (grouped @ key.transpose(1, 2)).view(heads, tokens, -1) / math.sqrt(width)
    seen = key.shape[1]
    future = torch.ones(tokens, seen, dtype=torch.bool).triu(seen - tokens + 1)
    weights = scores.masked_fill(future, float("-inf")).softmax(-1)
    mixed = weights.reshape(shared, -1, seen) @ value
    return mixed.view(heads, tokens, width).transpose(0, 1).reshape(tokens, heads * width)
