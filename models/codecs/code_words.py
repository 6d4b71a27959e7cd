# SPDX-License-Identifier: MIT
"""Tokens as points on spheres, and what a receiver knows of noisy ones.

A token is sent as d values of unit power, its *code word*: a projection of its embedding in the
language model, scaled to length √d. Tokens that the language model uses alike start near each
other; training moves apart those that must be told apart. A receiver that estimates the values y of
a code word c with the least squared error gets

    y = r c + √(r (1 - r)) n,    r = SNR / (1 + SNR),

with n of unit variance. E[y²] = r tells it the SNR, and log p(y | c) = y·c / (1 - r) + const.
"""

from torch import Tensor

LOW, HIGH = 0.02, 0.999
"""Limits of r, which a few hundred values tell no better: -17 and 30 dB."""


def code_words(embedding: Tensor, mean: Tensor, encoder: Tensor, dimensions: int) -> Tensor:
    """Return tokens' code words, shape [tokens, dimensions].

    Args:
        embedding: of the tokens, shape [tokens, hidden].
        mean: shape [hidden].
        encoder: shape [values, hidden]; the first `dimensions` rows are used.
        dimensions: values of a code word.
    """
    points = (embedding - mean) @ encoder[:dimensions].T
    words: Tensor = points * (dimensions**0.5 / points.norm(dim=1, keepdim=True).clamp_min(1e-6))
    return words


def quality(values: Tensor) -> float:
    """Return r of a message as its values tell it, shape [units, dimensions]."""
    return float(values.square().mean().clamp(LOW, HIGH))
