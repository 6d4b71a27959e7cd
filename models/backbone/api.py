# SPDX-License-Identifier: MIT
"""What codecs ask of a language model."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from models.backbone.text import TextTokenizer


class BackboneError(RuntimeError):
    """A model that cannot be found, read or cut as asked."""


@dataclass(frozen=True, slots=True)
class Geometry:
    """Sizes of a transformer.

    Attributes:
        hidden: width of the residual stream.
        layers: that are loaded.
        parameters_per_layer: weights of one layer that every token is multiplied with.
        bytes_per_weight: in a simulated device's memory; see `load_backbone`.
    """

    hidden: int
    layers: int
    parameters_per_layer: int
    bytes_per_weight: int

    def cost(self, tokens: int, layers: int) -> tuple[float, float]:
        """Return (floating-point operations, bytes of memory traffic) of `layers` layers.

        A multiplication and an addition for each weight and token, 4·T²·d for scores and mixing in
        attention; each weight is read once a sequence, activations are written and read once a
        layer (they fit into caches otherwise).
        """
        weights = layers * self.parameters_per_layer
        operations = 2.0 * weights * tokens + 4.0 * layers * tokens**2 * self.hidden
        traffic = float(weights * self.bytes_per_weight + 8 * layers * tokens * self.hidden)
        return operations, traffic


class Backbone(ABC):
    """A pretrained language model, causal or an encoder, whose layers can be run in parts.

    Sequences are packed: all their tokens lie end to end in the rows of one tensor. A sequence
    starts, unseen by the caller, with a constant prefix token at position 0, which soaks up the
    attention that has nowhere to go (the "attention sink", Xiao et al., ICLR 2024); being constant
    it is computed at both ends and never sent. In an encoder, whose tokens see each other both
    ways, the prefix sees itself only, which keeps it constant. The caller's tokens have positions
    from 1; a number of the model's own that these begin with (RoBERTa's) is not the caller's
    business.

    Attributes:
        name: of the model.
        fingerprint: changes whenever results might.
        geometry: sizes.
        joint_rows: rows of the joint query, key and value weights.
        tokenizer: text to token numbers.
    """

    name: str
    fingerprint: str
    geometry: Geometry
    joint_rows: int
    tokenizer: TextTokenizer

    @abstractmethod
    def embed(self, tokens: Sequence[int]) -> Tensor:
        """Return what `run` takes before layer 0, float32 of shape [tokens, embedding width].

        The embedding's width is the stream's in most models. Where a model adds positions to it,
        `run` does.
        """

    @abstractmethod
    def run(
        self,
        hidden: Tensor,
        positions: Tensor,
        lengths: Sequence[int],
        first: int,
        last: int,
        adapters: "Adapters | None" = None,
    ) -> Tensor:
        """Run layers `first` to `last` (exclusive) over packed sequences.

        Args:
            hidden: residual stream before layer `first`, float32 of shape [tokens, hidden]; before
                layer 0, what `embed` returns.
            positions: of the tokens in their sequences, from 1, ascending, int64 of shape [tokens].
            lengths: tokens of each sequence; they sum to `tokens`. Tokens that were lost are left
                out: nobody attends to them, the others keep their positions.
            first: number of the first layer.
            last: number after the last layer.
            adapters: low-rank changes to weights.

        Returns:
            The residual stream after layer `last` - 1, float32 of shape [tokens, hidden].
        """

    @abstractmethod
    def normalise(self, hidden: Tensor) -> Tensor:
        """Scale rows of the residual stream to root mean square 1, shape [tokens, hidden]."""

    def forget(self, name: str) -> None:  # noqa: B027 - a model that keeps nothing may leave it
        """Drop what was kept for the adapters `name`, whose values have changed."""


@dataclass(frozen=True)
class Adapters:
    """Low-rank changes (LoRA, Hu et al., ICLR 2022) to the joint query, key and value weights.

    Attributes:
        name: distinguishes this set in caches of merged weights.
        down: layer number → A of shape [rank, hidden].
        up: layer number → B of shape [query + key + value rows, rank], its scale included. Where a
            model has one matrix for the three its own order of rows holds.
    """

    name: str
    down: Mapping[int, Tensor]
    up: Mapping[int, Tensor]
