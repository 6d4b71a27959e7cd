# SPDX-License-Identifier: MIT
"""A block error curve as two numbers, fitted to counts by maximum likelihood.

In the waterfall the curve is close to a Gaussian tail in dB: rate(s) = erfc((s - s50) / (sqrt(2)
w)) / 2, with s50 the SNR at a rate of 1/2 and w the width. The fit uses all blocks of all points at
once, so it knows the curve much better than any single point does.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
_LEAST = 1e-12


@dataclass(frozen=True)
class Point:
    """Blocks counted at one SNR."""

    snr_db: float
    blocks: int
    errors: int


@dataclass(frozen=True)
class CurveFit:
    """The fitted curve and how far to trust it.

    Attributes:
        snr_50_db: SNR in dB at which half of the blocks are wrong.
        width_db: standard deviation of the Gaussian in dB.
        std_error_10_db: standard error of the SNR at a rate of 0.1, in dB, from the Fisher
        information.
        rms_error: root mean square of fitted less measured rate over the points, each weighted with
            its blocks.
        chi_square: sum over the points of (errors - expected)^2 / variance, about the number of
            points less 2 if the form fits.
    """

    snr_50_db: float
    width_db: float
    std_error_10_db: float
    rms_error: float
    chi_square: float

    def bler(self, snr_db: npt.ArrayLike) -> Floats:
        """Return the rate at each SNR in dB, same shape."""
        return _tail((np.asarray(snr_db, dtype=np.float64) - self.snr_50_db) / self.width_db)


def _tail(z: Floats) -> Floats:
    """Return the upper tail of the standard normal distribution."""
    return np.asarray(0.5 * np.vectorize(math.erfc)(z / math.sqrt(2.0)), dtype=np.float64)


def fit_curve(points: Sequence[Point]) -> CurveFit:
    """Return the curve that makes the counts most likely.

    Fisher scoring on z = (s - s50) / w, written as slope * s + offset.

    Raises:
        ValueError: fewer than two SNRs, or no point with both right and wrong blocks.
    """
    snr = np.array([p.snr_db for p in points], dtype=np.float64)
    blocks = np.array([p.blocks for p in points], dtype=np.float64)
    errors = np.array([p.errors for p in points], dtype=np.float64)
    if len(set(snr.tolist())) < 2:
        raise ValueError("a curve needs points at two SNRs at least")
    if not np.any((errors > 0) & (errors < blocks)):
        raise ValueError("no point inside the waterfall: add SNRs between the last two")
    centre = float(np.average(snr, weights=_mid_weight(errors, blocks)))
    design = np.stack([snr - centre, np.ones_like(snr)], axis=1)
    theta = np.array([1.0, 0.0])
    information = np.eye(2)
    for _ in range(200):
        z = design @ theta
        rate = np.clip(_tail(z), _LEAST, 1 - _LEAST)
        density = np.exp(-0.5 * z**2) / math.sqrt(2 * math.pi)
        variance = rate * (1 - rate)
        # d(rate)/dz = -density
        score = design.T @ (-(errors - blocks * rate) * density / variance)
        information = (design * (blocks * density**2 / variance)[:, None]).T @ design
        information += 1e-9 * np.eye(2)
        step = np.linalg.solve(information, score)
        step *= min(1.0, 0.5 / max(1e-12, float(np.abs(step).max())))
        theta = theta + step
        theta[0] = max(theta[0], 0.05)
        if float(np.abs(step).max()) < 1e-10:
            break
    slope, offset = theta
    z_10 = 1.2815515655446004  # the upper tail there is 0.1
    at_10 = (z_10 - offset) / slope
    gradient = np.array([-at_10 / slope, -1.0 / slope])
    error_10 = float(np.sqrt(gradient @ np.linalg.solve(information, gradient)))
    fitted = np.clip(_tail(design @ theta), _LEAST, 1 - _LEAST)
    residual = errors - blocks * fitted
    return CurveFit(
        snr_50_db=centre - float(offset / slope),
        width_db=1.0 / float(slope),
        std_error_10_db=error_10,
        rms_error=float(np.sqrt(np.average((residual / blocks) ** 2, weights=blocks))),
        chi_square=float(np.sum(residual**2 / (blocks * fitted * (1 - fitted)))),
    )


def _mid_weight(errors: Floats, blocks: Floats) -> Floats:
    """Return weights that favour points in the waterfall, for a first guess of its place."""
    rate = (errors + 0.5) / (blocks + 1.0)
    return np.asarray(rate * (1 - rate) * blocks)
