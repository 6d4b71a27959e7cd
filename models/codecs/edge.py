# SPDX-License-Identifier: MIT
"""The edge server's part: adapted layers after the cut, pooling, head, calibration."""

from collections.abc import Sequence

import torch
from torch import Tensor

from models.backbone import Backbone
from models.backbone.packing import spans
from models.codecs.base import Decoded
from models.codecs.weights import CodecWeights


class EdgeClassifier:
    """Classifies sequences from their residual stream at the cut.

    Args:
        backbone: the language model.
        weights: of the codec for the task.
    """

    def __init__(self, backbone: Backbone, weights: CodecWeights) -> None:
        self._backbone = backbone
        self._weights = weights
        meta = weights.meta
        self._temperature = float(meta["temperature"])
        self._threshold = float(meta["threshold"])
        self.nothing = Decoded(
            prediction=int(meta["prior_label"]),
            score=0.0,
            confidence=float(meta["prior_probability"]),
            accepted=False,
        )
        """The answer without any message."""

    def logits(
        self, hidden: Tensor, positions: Tensor, lengths: Sequence[int], first: int
    ) -> Tensor:
        """Return class scores, shape [sequences, labels].

        Args:
            hidden: residual stream before layer `first`, packed, shape [tokens, hidden].
            positions: of the tokens, shape [tokens].
            lengths: tokens of each sequence, at least one each.
            first: number of the first layer to run.
        """
        tensors, weights = self._weights.tensors, self._weights
        stream = self._backbone.run(
            hidden, positions, lengths, first, weights.last, weights.adapters
        )
        rows = self._backbone.normalise(stream)
        return torch.stack(
            [
                tensors["head.weight"] @ pool(rows[part], tensors["pool"]) + tensors["head.bias"]
                for part in spans(lengths)
            ]
        )

    def classify(
        self, hidden: Tensor, positions: Tensor, lengths: Sequence[int], first: int
    ) -> list[Decoded]:
        """Return the answer for each packed sequence; see `logits`."""
        scores = self.logits(hidden, positions, lengths, first)
        return [answer_of(row, self._temperature, self._threshold) for row in scores]


def answer_of(scores: Tensor, temperature: float, threshold: float) -> Decoded:
    """Return the answer that class scores give, shape [labels]; accepted from `threshold` on."""
    scores = scores / temperature
    chances = scores.softmax(-1)
    best, second = scores.topk(2).values.tolist()
    prediction = int(scores.argmax())
    confidence = float(chances[prediction])
    return Decoded(prediction, best - second, confidence, confidence >= threshold)


def pool(rows: Tensor, query: Tensor) -> Tensor:
    """Return the mean of a sequence's rows, weighted by a softmax of their products with `query`.

    Args:
        rows: shape [tokens, hidden].
        query: shape [hidden]; 0 gives the plain mean.
    """
    return torch.softmax(rows @ query, 0) @ rows
