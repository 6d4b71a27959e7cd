# SPDX-License-Identifier: MIT
"""Learns from a model what a generic backbone must know of it, by looking and by trying.

Nothing here names an architecture. Where the layers are follows from their number, where queries,
keys and values are made from the names that modules have, and the rest from short passes over a few
tokens: in which form a layer returns its stream, how positions are numbered, whether tokens see
later ones. A model that cannot be run in parts, or whose tokens cannot be told their positions, is
refused here and not found out later by odd results.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from models.backbone.api import BackboneError
from models.backbone.generic import Pass, WrappedModel, sizes

PROJECTIONS = (
    ("q_proj", "k_proj", "v_proj"),
    ("query", "key", "value"),
    ("q_lin", "k_lin", "v_lin"),
    ("q", "k", "v"),
    ("query_key_value",),
    ("qkv_proj",),
    ("Wqkv",),
    ("c_attn",),
)
"""What the projections to queries, keys and values are called in the library's models."""

TOLERANCE = 1e-4
"""Between two ways to compute a token's stream, as a share of its norm, in 32 bits: they do the
same operations and may differ by rounding only."""
COARSE = 3e-2
"""The same in 16 bits."""

NO_POSITIONS = (
    "its tokens' positions cannot be told to it, so the places of lost tokens would close up"
)


@dataclass(frozen=True)
class Habits:
    """How a model behaves.

    Attributes:
        offset: what its numbering of positions begins with.
        both_ways: tokens attend to later ones.
        hidden: width of its stream.
    """

    offset: int
    both_ways: bool
    hidden: int


def find_stack(model: nn.Module, layers: int, name: str) -> nn.ModuleList:
    """Return the list of a model's layers: the outermost one of that length.

    Raises:
        BackboneError: there is none, or two of the same rank (an encoder and a decoder).
    """
    found = [
        (path.count("."), module)
        for path, module in model.named_modules()
        if isinstance(module, nn.ModuleList) and len(module) == layers
    ]
    outermost = [module for depth, module in found if depth == min(d for d, _ in found)]
    if len(outermost) != 1 or len({id(layer) for layer in outermost[0]}) != layers:
        raise BackboneError(
            f"model {name} has no list of {layers} layers of its own that could be run in parts; "
            "decoders (GPT-2, OPT, Pythia, Qwen, Mistral, ...) and encoders (BERT, RoBERTa, "
            "ELECTRA, ...) have one"
        )
    return outermost[0]


def find_projections(stack: Sequence[nn.Module], hidden: int, name: str) -> list[list[nn.Module]]:
    """Return the modules of each layer that make queries, keys and values from the stream.

    Raises:
        BackboneError: a layer has none that are known, or layers differ in their size.
    """
    out = [_projections(layer) for layer in stack]
    shapes = {tuple(sizes(module) for module in parts) for parts in out}
    inputs = {width for shape in shapes for width, _ in shape}
    if len(shapes) != 1 or inputs != {hidden}:
        names = ", ".join("/".join(group) for group in PROJECTIONS)
        raise BackboneError(
            f"model {name}: no projections to queries, keys and values were found to which "
            f"low-rank changes could be added, the same in every layer; known are {names}"
        )
    return out


def _projections(layer: nn.Module) -> list[nn.Module]:
    """Return a layer's projections of its self-attention, none if they are not known."""
    named = [
        (path.rpartition("."), module)
        for path, module in layer.named_modules()
        if "cross" not in path.lower() and getattr(getattr(module, "weight", None), "ndim", 0) == 2
    ]
    for group in PROJECTIONS:
        parts = {last: module for (_, _, last), module in named if last in group}
        owners = {before for (before, _, last), _ in named if last in group}
        if len(parts) == len(group) and len(owners) == 1:
            return [parts[last] for last in group]
    return []


class Probe:
    """Short passes over a wrapped model.

    Args:
        model: wrapped.
        stack: its layers.
        name: for errors.
    """

    def __init__(self, model: WrappedModel, stack: nn.ModuleList, name: str) -> None:
        self._model, self._stack, self._name = model, stack, name
        vocabulary = model.vocabulary
        # Any tokens that differ; some way into the vocabulary, behind special ones.
        self._tokens = torch.tensor([[(7 + 13 * n) % vocabulary for n in range(6)]])
        self._near = COARSE if model.dtype != torch.float32 else TOLERANCE

    @torch.no_grad()
    def learn(self, padding: int | None) -> Habits:
        """Return the model's habits; `padding` is the number of its padding token, if any.

        Raises:
            BackboneError: it cannot be run as a backbone is; the text says what is in the way.
        """
        model, tokens = self._model, self._tokens
        embedded = model.embedding(tokens)
        places = torch.arange(tokens.shape[1])[None]
        model.offset = None
        plain = self._watched(embedded, places)
        model.offset = self._offset(embedded, places, plain, padding)
        last = model.loaded
        whole = model.run(Pass(0, last), embedded, places, torch.ones_like(places))
        self._same(
            whole.leaving[last - 1], plain, "its layers do not run as its own code runs them"
        )
        expected = {(n, part) for n in range(last) for part in range(self._parts(whole))}
        if whole.touched != expected or not whole.touched:
            raise self._refusal("its projections to queries, keys and values are not called")
        for cut in range(1, last):
            part = Pass(cut, last, whole.leaving[cut - 1])
            blank = torch.zeros_like(embedded)
            got = model.run(part, blank, places, torch.ones_like(places)).leaving[last - 1]
            self._same(got, plain, f"its layers from {cut} on need more than the stream before")
        apart = places.clone()
        apart[:, -2:] += 5
        moved = model.run(Pass(0, last), embedded, apart, torch.ones_like(places))
        if torch.equal(moved.leaving[last - 1], whole.leaving[last - 1]):
            raise self._refusal(NO_POSITIONS)
        # Tokens that were lost are left out: the others must not notice more than a mask.
        left = [0, 1, *range(4, tokens.shape[1])]
        mask = torch.ones_like(places)
        mask[:, 2:4] = 0
        hidden = model.run(Pass(0, last), embedded, places, mask).leaving[last - 1]
        kept = model.run(
            Pass(0, last), embedded[:, left], places[:, left], torch.ones_like(places[:, left])
        )
        self._same(kept.leaving[last - 1], hidden[:, left], NO_POSITIONS)
        other = embedded.clone()
        other[:, -1] = embedded[:, 0]
        later = model.run(Pass(0, last), other, places, torch.ones_like(places))
        both_ways = not torch.equal(
            later.leaving[last - 1][:, :-1], whole.leaving[last - 1][:, :-1]
        )
        return Habits(model.offset, both_ways, plain.shape[-1])

    @staticmethod
    def _parts(now: Pass) -> int:
        return 1 + max((part for _, part in now.touched), default=-1)

    def _watched(self, embedded: Tensor, places: Tensor) -> Tensor:
        """Return what leaves the last loaded layer in a plain call."""
        seen: dict[int, Any] = {}
        hooks = [
            layer.register_forward_hook(lambda _m, _a, out, n=n: seen.__setitem__(n, out))
            for n, layer in enumerate(self._stack)
        ]
        try:
            # Layers behind the loaded ones have no weights, so none of these may compute.
            self._model.run(Pass(0, self._model.loaded), embedded, places, torch.ones_like(places))
        except (TypeError, ValueError, RuntimeError, KeyError, AttributeError) as error:
            first = (str(error) or type(error).__name__).splitlines()[0]
            raise self._refusal(f"it does not run on embedded tokens ({first})") from None
        finally:
            for hook in hooks:
                hook.remove()
        loaded = range(self._model.loaded)
        if any(n not in seen for n in loaded):
            raise self._refusal("not all of its layers are called")
        last = seen[self._model.loaded - 1]
        stream: Tensor = (last[0] if isinstance(last, tuple) else last).float()
        if stream.dim() != 3:
            raise self._refusal("its layers have other streams than one row a token")
        if not torch.isfinite(stream).all():
            raise self._refusal("its files lack weights that its layers need")
        return stream

    def _offset(self, embedded: Tensor, places: Tensor, plain: Tensor, padding: int | None) -> int:
        """Return what the model's own numbering begins with: RoBERTa's, after its padding token."""
        last = self._model.loaded
        found: dict[int, float] = {}
        for offset in (0, 1, 2, *((padding + 1,) if padding is not None else ())):
            self._model.offset = offset
            try:
                got = self._model.run(Pass(0, last), embedded, places, torch.ones_like(places))
            except TypeError:
                raise self._refusal(NO_POSITIONS) from None
            except IndexError:
                continue  # beyond the model's table
            found[offset] = _distance(got.leaving[last - 1], plain)
        best = min(found, key=lambda offset: found[offset], default=0)
        if not found.get(best, 1.0) < self._near:
            raise self._refusal("how it numbers positions could not be found out")
        return best

    def _same(self, got: Tensor, wanted: Tensor, otherwise: str) -> None:
        if not _distance(got, wanted) < self._near:
            raise self._refusal(otherwise)

    def _refusal(self, why: str) -> BackboneError:
        return BackboneError(
            f"model {self._name} cannot be the language model of a codec: {why}; take another one"
        )


def _distance(one: Tensor, other: Tensor) -> float:
    """Return by how much a token's stream differs, as a share of its norm, at most."""
    return float(((one - other).norm(dim=-1) / other.norm(dim=-1)).max())
