# SPDX-License-Identifier: MIT
"""Sequences of different lengths laid end to end, and matrix products in tiles of one fixed shape.

A result must not depend on what else is in the batch, bit by bit: a simulation decodes a message
beside others or alone, today or from another process, and must read the same answer. Libraries
choose a kernel, and with it an order of summation, from the shape of a product. So every product
of many rows is done in tiles of exactly `TILE_ROWS` rows, and what mixes the tokens of a sequence
(attention, pooling) is done one sequence at a time.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

TILE_ROWS = 64
"""Rows of a tile: 18 % slower than 512-row products and little waste for one short sentence."""


def spans(lengths: Sequence[int]) -> list[slice]:
    """Return where each sequence lies in the packed rows."""
    out: list[slice] = []
    start = 0
    for length in lengths:
        out.append(slice(start, start + length))
        start += length
    return out


def tiled_linear(rows: Tensor, weight: Tensor) -> Tensor:
    """Return `rows @ weight.T`, each row independent of the others.

    Args:
        rows: shape [tokens, in]; cast to the weight's type for the product.
        weight: shape [out, in].

    Returns:
        Shape [tokens, out], in the type of `rows`. Under autograd it is one plain product: training
        needs speed, not independence of the batch.
    """
    source = rows.to(weight.dtype)
    if torch.is_grad_enabled():
        return functional.linear(source, weight).to(rows.dtype)
    count = source.shape[0]
    tiles = -(-count // TILE_ROWS)
    if tiles * TILE_ROWS != count:
        source = functional.pad(source, (0, 0, 0, tiles * TILE_ROWS - count))
    out = [
        functional.linear(source[first : first + TILE_ROWS], weight)
        for first in range(0, tiles * TILE_ROWS, TILE_ROWS)
    ]
    return torch.cat(out)[:count].to(rows.dtype)
