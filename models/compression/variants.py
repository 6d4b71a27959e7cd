# SPDX-License-Identifier: MIT
"""Smaller versions of a loaded language model: 8 bits, fewer or narrower layers, a student.

int8: torchao's dynamic activation quantisation (weights in 8 bits a row, activations in 8 bits a
token); it needs the extra `device`. Layers are left out by block influence, 1 − the mean cosine
between a layer's input and output (X. Men et al., "ShortGPT", arXiv 2403.03853): a layer that
hardly turns the residual stream is hardly missed. Feed-forward channels are left out by the norms
of their weights, and a linear map can be distilled from several layers.
"""

import copy
import dataclasses
import hashlib
from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.backbone import Backbone, BackboneError
from models.backbone.llama import Layer, LlamaBackbone
from models.backbone.packing import tiled_linear

_MATRICES = ("qkv", "output", "gate_up", "down")


@torch.no_grad()
def block_influence(backbone: Backbone, texts: Sequence[str], max_tokens: int = 64) -> list[float]:
    """Return each loaded layer's influence, 1 − mean cosine of a token before and after it.

    Args:
        backbone: the model.
        texts: what its tokens are taken from; training texts, never test texts.
        max_tokens: of each text.
    """
    numbers = [row for text in texts if (row := backbone.tokenizer.encode(text, max_tokens))]
    lengths = [len(row) for row in numbers]
    positions = torch.cat([torch.arange(1, length + 1) for length in lengths])
    hidden = backbone.embed([token for row in numbers for token in row])
    out = []
    for layer in range(backbone.geometry.layers):
        after = backbone.run(hidden, positions, lengths, layer, layer + 1)
        out.append(1.0 - float(functional.cosine_similarity(hidden, after, dim=-1).mean()))
        hidden = after
    return out


class _Dropped(LlamaBackbone):
    """A model in which some layers do nothing, or one linear map does the work of several."""

    dropped: frozenset[int] = frozenset()
    maps: Mapping[int, Tensor] = MappingProxyType({})

    def _layer(self, hidden, rotation, where, number, prefix, adapters):  # type: ignore[no-untyped-def]
        if number not in self.dropped:
            return super()._layer(hidden, rotation, where, number, prefix, adapters)
        if number in self.maps:
            weight = self.maps[number]
            hidden = tiled_linear(hidden, weight[:, :-1].contiguous()) + weight[:, -1]
        config = self.config
        nothing = torch.empty(config.num_key_value_heads, hidden.shape[0], config.head_dim)
        return hidden, (nothing, nothing)


def compress(
    backbone: Backbone,
    *,
    drop: Collection[int] = (),
    int8_layers: Collection[int] = (),
    narrow: Mapping[int, float] | None = None,
    maps: Mapping[int, Tensor] | None = None,
) -> LlamaBackbone:
    """Return a smaller version; the given model is left as it is.

    Args:
        backbone: a Llama model.
        drop: numbers of layers to leave out.
        int8_layers: numbers of layers whose products are done in 8 bits. Low-rank changes cannot be
            merged into these, so they are layers without adapters: those of the device.
        narrow: number of a layer → share of its feed-forward channels that stay (`narrowed`).
        maps: number of a dropped layer → affine map in its place, shape [hidden, hidden + 1]
            (`linear_student`).

    Raises:
        BackboneError: another kind of model, a layer that it has not, or torchao is missing.
    """
    if not isinstance(backbone, LlamaBackbone):
        raise BackboneError(f"{backbone.name} is no Llama model: it cannot be compressed here")
    narrow, maps = narrow or {}, maps or {}
    if not set(maps) <= set(drop):
        raise BackboneError("a map stands for a layer that is dropped: name it in drop too")
    wanted = {*drop, *int8_layers, *narrow}
    if wanted and not wanted <= set(range(len(backbone._layers))):
        raise BackboneError(f"layers {sorted(wanted)} of {backbone.name}: not all are loaded")
    small = copy.copy(backbone)
    small.__class__ = _Dropped
    assert isinstance(small, _Dropped)
    small.dropped = frozenset(drop)
    small.maps = dict(maps)
    layers = [
        narrowed(layer, narrow[number]) if number in narrow else layer
        for number, layer in enumerate(backbone._layers)
    ]
    small._layers = [
        _int8(layer) if number in int8_layers else layer for number, layer in enumerate(layers)
    ]
    small._merged, small._prefixes = {}, {}
    marks = [f"drop{n}" for n in sorted(drop)] + [f"int8-{n}" for n in sorted(int8_layers)]
    marks += [f"narrow{n}-{narrow[n]:g}" for n in sorted(narrow)]
    marks += [
        f"map{n}-{hashlib.sha256(maps[n].numpy().tobytes()).hexdigest()[:12]}" for n in sorted(maps)
    ]
    small.fingerprint = "+".join([backbone.fingerprint, *marks])
    return small


def narrowed(layer: Layer, share: float) -> Layer:
    """Return a layer with the strongest feed-forward channels only (structured pruning).

    A channel's strength is the product of the norms of its gate row, its up row and its down
    column: the bound of what it can add to the stream, for inputs of unit norm.

    Args:
        layer: of a Llama model.
        share: of the channels that stay, above 0 and at most 1.

    Raises:
        BackboneError: the share is out of range.
    """
    if not 0.0 < share <= 1.0:
        raise BackboneError(f"a share of channels is above 0 and at most 1, not {share}")
    gate, up = layer.gate_up.float().chunk(2)
    strength = gate.norm(dim=1) * up.norm(dim=1) * layer.down.float().norm(dim=0)
    count = max(1, round(share * len(strength)))
    kept = strength.topk(count).indices.sort().values
    rows = torch.cat([kept, kept + len(strength)])
    return dataclasses.replace(
        layer,
        gate_up=layer.gate_up[rows].contiguous(),
        down=layer.down[:, kept].contiguous(),
    )


@torch.no_grad()
def linear_student(
    backbone: Backbone, first: int, last: int, texts: Sequence[str], max_tokens: int = 64
) -> Tensor:
    """Return the affine map that does the work of layers `first` to `last` (exclusive) best.

    Distillation in closed form: ridge regression of what these layers add to the stream on the
    stream before them, over training texts. The ridge draws towards leaving the layers out.

    Returns:
        Shape [hidden, hidden + 1]; the last column is the constant.
    """
    numbers = [row for text in texts if (row := backbone.tokenizer.encode(text, max_tokens))]
    lengths = [len(row) for row in numbers]
    positions = torch.cat([torch.arange(1, length + 1) for length in lengths])
    hidden = backbone.embed([token for row in numbers for token in row])
    before = backbone.run(hidden, positions, lengths, 0, first)
    after = backbone.run(before, positions, lengths, first, last)
    rows = torch.cat([before, torch.ones(len(before), 1)], 1).double()
    gram = rows.T @ rows
    gram += 1e-2 * gram.diagonal()[:-1].median() * torch.eye(len(gram), dtype=torch.float64)
    added = torch.linalg.solve(gram, rows.T @ (after - before).double()).T.float()
    added[:, :-1] += torch.eye(len(added))
    student: Tensor = added.contiguous()
    return student


def _int8(layer: Layer) -> Layer:
    try:
        from torchao.quantization import Int8DynamicActivationInt8WeightConfig, quantize_
    except ImportError:
        raise BackboneError(
            "8-bit layers need torchao: install semcosim[device] (or `pip install torchao`)"
        ) from None
    parts: dict[str, Tensor] = {}
    for name in _MATRICES:
        weight: Tensor = getattr(layer, name)
        linear = nn.Linear(weight.shape[1], weight.shape[0], bias=False, dtype=weight.dtype)
        linear.weight = nn.Parameter(weight.clone(), requires_grad=False)
        holder = nn.Sequential(linear)
        quantize_(holder, Int8DynamicActivationInt8WeightConfig())
        parts[name] = linear.weight
    return dataclasses.replace(layer, **parts)


def weight_bytes(backbone: Backbone, layers: Collection[int], int8_layers: Collection[int]) -> int:
    """Return the bytes of the matrices of `layers`, those of `int8_layers` in 8 bits.

    An 8-bit matrix has one float32 scale a row beside its values.
    """
    if not isinstance(backbone, LlamaBackbone):
        raise BackboneError(f"{backbone.name} is no Llama model")
    total = 0
    for number in layers:
        for name in _MATRICES:
            weight: Tensor = getattr(backbone._layers[number], name)
            rows, columns = weight.shape
            eight = number in int8_layers
            total += rows * (columns + 4) if eight else rows * columns * weight.element_size()
    return total
