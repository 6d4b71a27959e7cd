# SPDX-License-Identifier: MIT
"""Who has which samples: label shares drawn from a Dirichlet distribution.

T.-M. H. Hsu, H. Qi, M. Brown, arXiv 1909.06335: client i draws its label shares from Dir(α·p), p
the labels' shares in the data; a large α gives every client the same mix, a small one few labels.
"""

from collections.abc import Sequence

import numpy as np


def dirichlet_partition(
    labels: Sequence[int], clients: int, per_client: int, alpha: float, rng: np.random.Generator
) -> list[list[int]]:
    """Return the sample numbers of each client, none twice.

    Args:
        labels: of all samples.
        clients: how many.
        per_client: samples a client gets.
        alpha: concentration; infinity gives every client the data's own mix.
        rng: the only source of randomness.

    Raises:
        ValueError: fewer samples than asked for, or alpha not positive.
    """
    if clients < 1 or per_client < 1 or clients * per_client > len(labels):
        raise ValueError(
            f"{clients} clients with {per_client} samples each need {clients * per_client} "
            f"samples; there are {len(labels)}"
        )
    if not alpha > 0:
        raise ValueError(f"alpha = {alpha} must be above 0")
    values = np.asarray(labels)
    kinds = np.unique(values)
    share = np.array([np.mean(values == kind) for kind in kinds])
    left = [list(rng.permutation(np.flatnonzero(values == kind))) for kind in kinds]
    out: list[list[int]] = []
    for _ in range(clients):
        wanted = share if np.isinf(alpha) else rng.dirichlet(alpha * len(kinds) * share)
        mine: list[int] = []
        while len(mine) < per_client:
            # A label that has run out hands its share to the others.
            there = np.array([bool(pool) for pool in left])
            weight = np.where(there, wanted + 1e-12, 0.0)
            kind = int(rng.choice(len(kinds), p=weight / weight.sum()))
            mine.append(int(left[kind].pop()))
        out.append(mine)
    return out
