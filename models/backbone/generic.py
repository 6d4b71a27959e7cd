# SPDX-License-Identifier: MIT
"""Most models of the library transformers as a backbone, without code for their architectures.

The model itself runs, so its masks, its rotary angles and its embeddings are its own. What is asked
of it beyond a plain call is done from outside: its layers are wrapped. A wrapped layer that is not
wanted returns a stream that it is given, in the form in which the layer returns its own (a tensor,
or a tuple); so layers can be run in parts. Low-rank changes are added where the projections to
queries, keys and values leave. `probing.py` learns what differs between architectures, and refuses
a model that does not behave.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence

from models.backbone.api import Adapters, Backbone, BackboneError, Geometry
from models.backbone.packing import spans
from models.backbone.text import TextTokenizer

NORM_EPSILON = 1e-6


@dataclass
class Pass:
    """One pass through the wrapped model.

    Attributes:
        first: number of the first layer that computes.
        last: number after the last one.
        entering: stream before layer `first`, shape [sequences, tokens, hidden]; None at layer 0,
            which the model's own embedding feeds.
        adapters: low-rank changes.
        pinned: stream of the first token after each layer, number → shape [hidden]; empty where
            the model's own is taken.
        leaving: streams after each layer that computed, number → as `entering`.
        touched: projections that low-rank changes could be added to, as (layer, part).
    """

    first: int
    last: int
    entering: Tensor | None = None
    adapters: Adapters | None = None
    pinned: dict[int, Tensor] = field(default_factory=dict)
    leaving: dict[int, Tensor] = field(default_factory=dict)
    touched: set[tuple[int, int]] = field(default_factory=set)


class WrappedModel:
    """A transformers model whose layers can be skipped and changed from outside.

    Args:
        model: the base model, without a head.
        stack: its layers.
        projections: of each loaded layer, the modules that make queries, keys and values.
    """

    def __init__(
        self, model: nn.Module, stack: nn.ModuleList, projections: Sequence[Sequence[nn.Module]]
    ) -> None:
        self._model = model.eval().requires_grad_(False)
        self.embedding: Any = model.get_input_embeddings()  # type: ignore[operator]
        self.vocabulary, self.width = (int(n) for n in self.embedding.weight.shape)
        self.loaded = len(projections)
        self.dtype: torch.dtype = next(p for p in model.parameters() if p.is_floating_point()).dtype
        self.offset: int | None = 0
        """What the model's numbering of positions begins with; None: it numbers them itself."""
        self._now: Pass | None = None
        self._lock = threading.RLock()
        self._more: tuple[Any, ...] | None = None
        """What stands behind the stream where layers return tuples; None: they return tensors."""
        for number, layer in enumerate(stack):
            self._wrap(layer, number)
            if number >= self.loaded:
                layer.to("meta")  # never computes: only its place is needed
        for number, parts in enumerate(projections):
            start = 0
            for part, module in enumerate(parts):
                rows = slice(start, start + sizes(module)[1])
                start = rows.stop
                module.register_forward_hook(self._adapting(number, part, rows))

    def run(self, now: Pass, embedded: Tensor, positions: Tensor, mask: Tensor) -> Pass:
        """Call the model and return `now` with what left its layers.

        Args:
            now: which layers compute, and from what.
            embedded: word embeddings, shape [sequences, tokens, embedding width]; where the first
                layer does not compute only the shape counts.
            positions: of the tokens, from 0, int64 of shape [sequences, tokens].
            mask: 1 for a token and 0 for padding after it, same shape.
        """
        numbered = {} if self.offset is None else {"position_ids": positions + self.offset}
        with self._lock:
            self._now = now
            try:
                self._model(inputs_embeds=embedded.to(self.dtype), attention_mask=mask, **numbered)
            finally:
                self._now = None
        return now

    def _wrap(self, layer: nn.Module, number: int) -> None:
        own = layer.forward

        def forward(*args: Any, **kwargs: Any) -> Any:
            now = self._now
            if now is not None and not now.first <= number < now.last:
                passed = args[0] if args else kwargs["hidden_states"]
                if number < now.first and now.entering is not None:
                    passed = now.entering.to(self.dtype)
                return passed if self._more is None else (passed, *self._more)
            out = own(*args, **kwargs)
            stream, more = (out[0], tuple(out[1:])) if isinstance(out, tuple) else (out, None)
            self._more = more and tuple(None if isinstance(x, Tensor) else x for x in more)
            if now is None:
                return out
            if number in now.pinned:
                first = now.pinned[number].to(self.dtype).expand(len(stream), 1, -1)
                stream = torch.cat([first, stream[:, 1:]], 1)
            now.leaving[number] = stream.float()
            return stream if more is None else (stream, *more)

        layer.forward = forward

    def _adapting(self, number: int, part: int, rows: slice) -> Any:
        def hook(_: nn.Module, args: tuple[Any, ...], output: Tensor) -> Tensor | None:
            now = self._now
            if now is None:
                return None
            now.touched.add((number, part))
            if now.adapters is None or number not in now.adapters.down:
                return None
            down, up = now.adapters.down[number], now.adapters.up[number][rows]
            low = functional.linear(functional.linear(args[0].float(), down), up)
            return output + low.to(output.dtype)

        return hook


class GenericBackbone(Backbone):
    """A wrapped model behind the interface of all backbones.

    Without gradients every sequence is computed alone: no result depends on a batch. With them
    sequences are padded and computed together.

    The prefix token's stream is a constant of the model, as each of its layers makes it of the
    prefix alone. In a causal model it is so by itself. In an encoder, where it would see the whole
    sentence, it is held to that: tokens attend to it, it attends to itself only. So both ends know
    it, and none of it has to travel.

    Args:
        name: of the model.
        fingerprint: of its weights, sizes and tokenizer; the number type is added.
        model: wrapped.
        geometry: sizes.
        joint_rows: rows of the joint query, key and value weights.
        prefix_token: number of the token at position 0.
        both_ways: tokens attend to later ones.
        positions: that the model knows, its own numbering; None: any.
        tokenizer: its tokenizer.
    """

    def __init__(
        self,
        *,
        name: str,
        fingerprint: str,
        model: WrappedModel,
        geometry: Geometry,
        joint_rows: int,
        prefix_token: int,
        both_ways: bool,
        positions: int | None,
        tokenizer: TextTokenizer,
    ) -> None:
        self.name = name
        self.fingerprint = f"{fingerprint}-{str(model.dtype).removeprefix('torch.')}"
        self.geometry = geometry
        self.joint_rows = joint_rows
        self.tokenizer = tokenizer
        self.both_ways = both_ways
        self.prefix_token = prefix_token
        self._model = model
        self._positions = positions
        self._constants: dict[str, dict[int, Tensor]] = {}

    def embed(self, tokens: Sequence[int]) -> Tensor:
        """Return word embeddings, float32 of shape [tokens, embedding width].

        What the model adds to them (positions, norms, a projection to its width) is done by `run`
        before layer 0, for only there positions are known.
        """
        rows: Tensor = self._model.embedding(torch.tensor(tokens, dtype=torch.long))
        return rows.float()

    def normalise(self, hidden: Tensor) -> Tensor:
        """Scale rows of the residual stream to root mean square 1, shape [tokens, hidden]."""
        return functional.rms_norm(hidden, (hidden.shape[-1],), None, NORM_EPSILON)

    def forget(self, name: str) -> None:
        """Drop the prefix's streams of the adapters `name` (they were trained on)."""
        self._constants.pop(name, None)

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
        if not 0 <= first <= last <= self._model.loaded:
            raise BackboneError(
                f"layers {first} to {last} of {self.name}: only {self._model.loaded} are loaded"
            )
        highest = int(positions.max()) + (self._model.offset or 0) if len(positions) else 0
        if self._positions is not None and highest >= self._positions:
            raise BackboneError(
                f"{self.name} knows {self._positions} positions: a text of {int(positions.max())} "
                "tokens is too long for it"
            )
        if first == last:
            return hidden
        where = spans(lengths)
        if torch.is_grad_enabled():
            pinned = self._trained_constants(first, last, adapters)
            rows = self._together(hidden, positions, where, first, last, adapters, pinned)
        else:
            known = self._known_constants(adapters)
            rows = [
                self._together(hidden, positions, [part], first, last, adapters, known)[0]
                for part in where
            ]
        return torch.cat(rows)

    def _together(
        self,
        hidden: Tensor,
        positions: Tensor,
        where: Sequence[slice],
        first: int,
        last: int,
        adapters: Adapters | None,
        constants: dict[int, Tensor],
    ) -> list[Tensor]:
        """Return the streams of sequences that are padded to the longest, prefix left out."""
        prefix = self.embed([self.prefix_token]) if first == 0 else constants[first - 1][None]
        rows = pad_sequence([torch.cat([prefix, hidden[part]]) for part in where], True)
        zero = positions.new_zeros(1)
        places = pad_sequence([torch.cat([zero, positions[part]]) for part in where], True)
        lengths = torch.tensor([part.stop - part.start for part in where])
        mask = (torch.arange(rows.shape[1])[None] <= lengths[:, None]).long()
        now = Pass(first, last, None if first == 0 else rows, adapters)
        if self.both_ways:
            now.pinned = {n: row for n, row in constants.items() if first <= n < last}
        embedded = rows if first == 0 else self._blank(rows)
        stream = self._model.run(now, embedded, places, mask).leaving[last - 1]
        return [row[1 : 1 + int(n)] for row, n in zip(stream, lengths, strict=True)]

    def _blank(self, rows: Tensor) -> Tensor:
        """Return what the model may embed where its first layer does not compute."""
        return rows.new_zeros(*rows.shape[:2], self._model.width)

    def _alone(self, first: int, last: int, start: Tensor, adapters: Adapters | None) -> Pass:
        """Run the prefix token by itself, from its stream before layer `first`."""
        rows = start[None, None]
        now = Pass(first, last, None if first == 0 else rows, adapters)
        zero = torch.zeros(1, 1, dtype=torch.long)
        embedded = rows if first == 0 else self._blank(rows)
        return self._model.run(now, embedded, zero, torch.ones_like(zero))

    @torch.no_grad()
    def _known_constants(self, adapters: Adapters | None) -> dict[int, Tensor]:
        """Return the prefix's stream after each loaded layer: computed once for these adapters."""
        name = adapters.name if adapters else ""
        found = self._constants.get(name)
        if found is None:
            start = self.embed([self.prefix_token])[0]
            out = self._alone(0, self._model.loaded, start, adapters).leaving
            found = self._constants[name] = {n: row[0, 0] for n, row in out.items()}
        return found

    def _trained_constants(
        self, first: int, last: int, adapters: Adapters | None
    ) -> dict[int, Tensor]:
        """Return the same for layers `first` - 1 to `last` - 1, with gradients."""
        if adapters and min(adapters.down) < first:
            raise BackboneError("train adapters with the layers from the first adapted one on")
        plain = self._known_constants(None)
        before = {first - 1: plain[first - 1]} if first else {}
        if not self.both_ways:
            return before
        start = before[first - 1] if first else self.embed([self.prefix_token])[0]
        out = self._alone(first, last, start, adapters).leaving
        return before | {n: row[0, 0] for n, row in out.items()}


def sizes(module: nn.Module) -> tuple[int, int]:
    """Return a projection's (inputs, outputs).

    GPT-2's own class keeps its matrix the other way round than torch's does.
    """
    shape = module.weight.shape
    inputs, outputs = (int(shape[0]), int(shape[1]))  # type: ignore[index]
    return (outputs, inputs) if isinstance(module, nn.Linear) else (inputs, outputs)
