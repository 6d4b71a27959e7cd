# SPDX-License-Identifier: MIT
"""Shadowing that follows a moving UE.

It is a random field over the plane, one a site, so that UEs near each other are shadowed alike and
whoever comes back finds it as it was (TR 38.901 clause 7.6.3). Its autocorrelation is
exp(-d / d_corr) (clause 7.4.4). It is a sum of plane waves whose wave numbers follow the spectrum
of that function in two dimensions, and can be evaluated anywhere: no place needs to know those
before it. Conditioned on the value S(0) that Sionna drew at the start x(0),

    S(x) = r S(0) + sigma (F(x) - r F(x(0))),  r = exp(-|x - x(0)| / d_corr),

which has the field's variance everywhere and begins at S(0).
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]
WAVES = 256


class ShadowField:
    """Gaussian fields of variance 1, one a site, with autocorrelation exp(-distance).

    Args:
        sites: site of each cell, numbered from 0.
        seed: of the waves.
        stream: of the seed's random numbers; fields of different streams are independent.
    """

    def __init__(self, sites: Sequence[int], seed: int, stream: int = 2) -> None:
        own = np.asarray(sites, dtype=np.int64)
        cells = int(own.max()) + 1
        rng = np.random.Generator(np.random.PCG64([seed, stream]))
        # Hankel transform of exp(-d): density k / (1 + k^2)^(3/2), so that the distribution is
        # 1 - (1 + k^2)^(-1/2)
        number = np.sqrt(1.0 / (1.0 - rng.uniform(size=(cells, WAVES))) ** 2 - 1.0)
        angle = rng.uniform(0.0, 2 * np.pi, (cells, WAVES))
        waves = number[..., None] * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
        self._waves = waves[own]
        self._phase = rng.uniform(0.0, 2 * np.pi, (cells, WAVES))[own]

    def at(self, places: Doubles) -> Doubles:
        """Return the fields' values.

        Args:
            places: in units of the correlation distance, shape [cells, ues, 2].

        Returns:
            Shape [cells, ues].
        """
        phase = np.einsum("cwx,cux->cuw", self._waves, places) + self._phase[:, None, :]
        return np.asarray(np.sqrt(2.0 / WAVES) * np.cos(phase).sum(axis=-1))
