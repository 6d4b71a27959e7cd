# SPDX-License-Identifier: MIT
"""Functions of time in which the rays of a block are written.

A ray turns as exp(j 2 pi nu t), and none turns faster than the largest Doppler shift. Over T
seconds such functions, and so all sums of rays, lie within little more than 2 nu T dimensions
(Slepian and Pollak, Bell Syst. Tech. J. 40, 1961): the prolate spheroidal functions, here at the
sample times. Rays are summed once for each of these few functions instead of once for each sample,
and what the functions leave out is below the resolution of single precision.

About the middle of the time each of them is even or odd, so that a ray's coefficients are real for
the even ones, from its cosine, and j times real for the odd ones, from its sine.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]
TOLERANCE = 1e-6
"""What the functions may leave out of a ray of amplitude 1 at the worst Doppler shift (root mean
square over the samples); phases in single precision are about as far off."""
MORE_NODES = 32
"""Doppler shifts at which the functions are made, beyond 2 nu T."""
WEAKEST = 1e-10
"""Singular value, relative to the largest, that counts as nothing."""


class TimeBasis:
    """The fewest functions that carry all rays up to a Doppler shift.

    Args:
        samples: instants, `interval_s` apart; time 0 is in their middle.
        interval_s: between samples.
        largest_hz: of all Doppler shifts, without sign.

    Attributes:
        functions: orthonormal over the samples, the even ones first, shape [samples, functions].
        even: how many of them are even.
        middle_s: from the first sample to time 0.
    """

    def __init__(self, samples: int, interval_s: float, largest_hz: float) -> None:
        self.middle_s = 0.5 * (samples - 1) * interval_s
        times = np.arange(samples) * interval_s - self.middle_s
        count = int(2 * largest_hz * samples * interval_s) + MORE_NODES
        nodes, weights = np.polynomial.legendre.leggauss(count)
        # Shifts of both signs have the same cosine, and the same sine but for its sign.
        shifts = np.append(0.5 * largest_hz * (nodes + 1.0), largest_hz)
        found, strength, power = [], [], []
        for wave in (np.cos, np.sin):
            values = wave(2 * np.pi * times[:, None] * shifts)
            left, singular, _ = np.linalg.svd(values[:, :-1] * np.sqrt(weights), False)
            found.append(left)
            strength.append(singular)
            power.append((left.T @ values) ** 2)
        strengths = np.concatenate(strength)
        order = np.argsort(-strengths, kind="stable")
        order = order[strengths[order] > WEAKEST * strengths.max()]
        # What is missing with none of them, with the first, with the first two, ...
        tail = np.cumsum(np.concatenate(power)[order][::-1], axis=0)[::-1].max(axis=1)
        kept = np.zeros(len(strengths), dtype=bool)
        kept[order[: int((np.sqrt(tail / samples) > TOLERANCE).sum())]] = True
        split = len(strength[0])
        parts = [found[0][:, kept[:split]], found[1][:, kept[split:]]]
        self.even = parts[0].shape[1]
        self.functions: Doubles = np.concatenate(parts, axis=1)
        # Both halves of the time give the same product; a sample in the middle has no twin.
        later = samples // 2
        self._times = times[later:]
        twice = np.where(self._times > 0.25 * interval_s, 2.0, 1.0)[:, None]
        self._folded = [twice * part[later:] for part in parts]

    def coefficients(self, shifts_hz: Any) -> Any:
        """Return rays' coefficients; those of odd functions are to be multiplied by j.

        Args:
            shifts_hz: float64 tensor of Doppler shifts, at most `largest_hz`, any shape.

        Returns:
            float32 tensor, that shape with the functions as another, last axis.
        """
        import torch

        cycles = shifts_hz[..., None] * torch.as_tensor(self._times)
        angle = ((cycles - cycles.round()) * (2 * np.pi)).to(torch.float32)
        cosine, sine = (torch.as_tensor(part, dtype=torch.float32) for part in self._folded)
        return torch.cat([torch.cos(angle) @ cosine, torch.sin(angle) @ sine], dim=-1)
