# SPDX-License-Identifier: MIT
"""Low-rank changes ΔW = B·A: averages of products, and their best approximation of a rank."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

Tensors = dict[str, Tensor]


def layers_of(tensors: Mapping[str, Tensor]) -> list[int]:
    """Return the numbers of the layers that have low-rank changes."""
    return sorted(int(name[5:]) for name in tensors if name.startswith("down."))


def stack(parts: Sequence[tuple[float, Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """Return (A, B) with B·A = Σ weight·Bᵢ·Aᵢ exactly; its rank is the sum of ranks.

    Args:
        parts: (weight, A of shape [rank, in], B of shape [out, rank]).
    """
    down = torch.cat([part[1] for part in parts])
    up = torch.cat([part[0] * part[2] for part in parts], dim=1)
    return down, up


def truncate_svd(down: Tensor, up: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """Return the (A, B) of `rank` whose product is closest to B·A in the Frobenius norm.

    Eckart and Young, Psychometrika 1936; the decomposition is done on the small core between two
    QR factors, and the singular values are shared out evenly. A product of lower rank than asked
    for is padded with zeros, so the shape is always that of `rank`.
    """
    q_up, r_up = torch.linalg.qr(up.double())
    q_down, r_down = torch.linalg.qr(down.double().T)
    left, values, right = torch.linalg.svd(r_up @ r_down.T)
    count = min(rank, len(values))
    root = values[:count].sqrt()
    new_up = up.new_zeros(up.shape[0], rank)
    new_down = down.new_zeros(rank, down.shape[1])
    new_up[:, :count] = (q_up @ left[:, :count] * root).to(up.dtype)
    new_down[:count] = (root[:, None] * (right[:count] @ q_down.T)).to(down.dtype)
    return new_down, new_up


def cut_rank(tensors: Mapping[str, Tensor], rank: int, *, by: str = "svd") -> Tensors:
    """Return values with every low-rank change of exactly `rank`.

    Args:
        tensors: by name.
        rank: wanted.
        by: "svd", the best approximation, or "truncate", the first rows and columns (Cho et al.,
            HetLoRA, EMNLP 2024); both pad with zeros.
    """
    out = dict(tensors)
    for number in layers_of(tensors):
        down, up = tensors[f"down.{number}"], tensors[f"up.{number}"]
        have = down.shape[0]
        if have == rank:
            continue
        if by == "svd" and have > rank:
            down, up = truncate_svd(down, up, rank)
        else:
            down, up = pad(down[:rank], up[:, :rank], rank)
        out[f"down.{number}"], out[f"up.{number}"] = down, up
    return out


def pad(down: Tensor, up: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """Return the same product with `rank`: B gets zero columns, A zero rows."""
    missing = rank - down.shape[0]
    if missing <= 0:
        return down, up
    return (
        torch.cat([down, down.new_zeros(missing, down.shape[1])]),
        torch.cat([up, up.new_zeros(up.shape[0], missing)], dim=1),
    )


def product_gap(results: Sequence[tuple[float, Tensor, Tensor]]) -> float:
    """Return ‖mean(B)·mean(A) − mean(B·A)‖ / ‖mean(B·A)‖: what averaging the factors misses.

    Args:
        results: (weight, A, B), weights summing to 1, all of one rank.
    """
    exact = torch.stack([w * (up @ down) for w, down, up in results]).sum(0)
    mean_down = torch.stack([w * down for w, down, _ in results]).sum(0)
    mean_up = torch.stack([w * up for w, _, up in results]).sum(0)
    norm = float(exact.norm())
    return float((mean_up @ mean_down - exact).norm()) / norm if norm else 0.0
