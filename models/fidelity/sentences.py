# SPDX-License-Identifier: MIT
"""Similarity of sentences: the cosine of their vectors (all-MiniLM-L6-v2), and its floor."""


def cosine(sent: str, received: str) -> float:
    """Return the cosine of two sentences' vectors, at most 1; each text is encoded once.

    The measure of H. Xie et al., "Deep learning enabled semantic communication systems", IEEE
    Trans. Signal Processing 69, 2021, with another encoder than their BERT.

    Raises:
        AssetError: the sentence encoder is not in the cache.
    """
    from models.retrieval.encoder import load_encoder  # imports torch

    one, other = load_encoder().encode([sent, received])
    return min(1.0, float(one @ other))


def floor_corrected(similarity: float, floor: float) -> float:
    """Return max(0, (ξ − ξ₀) / (1 − ξ₀)): from 0, nothing, to 1, the text.

    Args:
        similarity: ξ, at most 1.
        floor: ξ₀, below 1.

    Raises:
        ValueError: the floor is not below 1.
    """
    if not floor < 1.0:
        raise ValueError(f"a floor is below 1, not {floor}")
    return max(0.0, (similarity - floor) / (1.0 - floor))
