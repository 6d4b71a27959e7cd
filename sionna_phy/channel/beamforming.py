# SPDX-License-Identifier: MIT
"""From matrices of complex gains to the power gain of each link."""

from typing import Any


def layer_gains(matrices: Any, layers: int) -> Any:
    """Return the largest squared singular values of each matrix, descending.

    The first is what the best precoder and combiner reach together (maximum-ratio transmission if a
    UE has one antenna); those of more layers are the gains of the parallel channels that a singular
    value decomposition gives. Each is the gain with all transmit power on that layer: whoever uses
    several layers shares the power out.

    Args:
        matrices: complex tensor, shape [..., ue antennas, gnb antennas].
        layers: at most the smaller of the two.

    Returns:
        Real tensor, shape [..., layers].
    """
    import torch

    rows, columns = matrices.shape[-2:]
    if min(rows, columns) == 1:
        return (matrices.real**2 + matrices.imag**2).sum(dim=(-2, -1))[..., None]
    # The Hermitian product with itself, on the smaller side: its eigenvalues are the squares.
    if rows > columns:
        matrices = matrices.transpose(-2, -1)
    gram = matrices @ matrices.conj().transpose(-2, -1)
    if gram.shape[-1] == 2:  # in closed form: many times faster than a decomposition of each
        mean = 0.5 * (gram[..., 0, 0].real + gram[..., 1, 1].real)
        half = 0.5 * (gram[..., 0, 0].real - gram[..., 1, 1].real)
        off = gram[..., 0, 1]
        root = torch.sqrt(half**2 + off.real**2 + off.imag**2)
        values = torch.stack([mean + root, (mean - root).clamp_min(0.0)], dim=-1)
    else:
        values = torch.linalg.eigvalsh(gram).flip(-1).clamp_min(0.0)
    return values[..., :layers]
