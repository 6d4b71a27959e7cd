# SPDX-License-Identifier: MIT
"""A state of line of sight that changes smoothly as a UE moves.

With a Gaussian field F over the plane, one a site, and the probability P of line of sight at the
UE's place, the state is (TR 38.901 clause 7.6.3.3)

    s = 1/2 + 1/pi atan(sqrt(20 / lambda) (F + G)),  G = sqrt(2) erfinv(2 P - 1),

lambda in metres: 1 with line of sight, 0 without, and between the two on the way from one to the
other. G is the quantile of P, so that F + G is above 0, and s above 1/2, with probability P
wherever the UE is. F has the correlation distance of the standard's table 7.6.3.1-2 and is made as
that of the shadowing is (`large_scale`): a sum of plane waves, conditioned on its value at the
start, which is drawn such that the state there is the one that Sionna drew.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from sionna_phy.channel.large_scale import ShadowField

Doubles = npt.NDArray[np.float64]
STATE_STREAM, START_STREAM = 3, 4
"""Of the seed's random numbers; the shadowing field has 2."""
CORRELATION_M = {"umi": 50.0, "uma": 50.0, "rma": 60.0, "inh": 10.0}
"""Of the state of line of sight (TR 38.901 table 7.6.3.1-2); in factories half the size of a piece
of clutter."""
TRANSITION_M = 20.0


def soft_state(field: Doubles, probability: Doubles, wavelength_m: float) -> Doubles:
    """Return the state, 0 to 1.

    Args:
        field: standard normal, any shape.
        probability: of line of sight, 0 to 1, same shape.
        wavelength_m: of the carrier.
    """
    steep = np.sqrt(TRANSITION_M / wavelength_m)
    return np.asarray(0.5 + np.arctan(steep * (field + ndtri(probability))) / np.pi)


class SoftLos:
    """States of all links.

    Args:
        sites: site of each cell, numbered from 0.
        los: line of sight as drawn for the start, shape [cells, ues].
        probability: of line of sight there, same shape.
        start_m: of the UEs, shape [ues, 2 or 3].
        correlation_m: distance over which the field decorrelates.
        wavelength_m: of the carrier.
        seed: of the field and its values at the start.
    """

    def __init__(
        self,
        sites: Sequence[int],
        los: npt.NDArray[np.bool_],
        probability: Doubles,
        start_m: Doubles,
        *,
        correlation_m: float,
        wavelength_m: float,
        seed: int,
    ) -> None:
        own = np.asarray(sites, dtype=np.int64)
        rng = np.random.Generator(np.random.PCG64([seed, START_STREAM]))
        # Cells of a site have one draw, and one field, for each UE.
        drawn = rng.uniform(size=(int(own.max()) + 1, los.shape[1]))[own]
        # A standard normal, given that it lies above the quantile of 1 - P, or below it.
        below = 1.0 - probability
        self._value = ndtri(np.where(los, below + drawn * probability, drawn * below))
        self._correlation_m = correlation_m
        self._wavelength_m = wavelength_m
        self._home = start_m[:, :2]
        self._field = ShadowField(sites, seed, stream=STATE_STREAM)
        self._start = self._waves(self._home)

    def _waves(self, places_m: Doubles) -> Doubles:
        cells = len(self._value)
        scaled = places_m / self._correlation_m
        return self._field.at(np.broadcast_to(scaled, (cells, *scaled.shape)))

    def at(self, ues_m: Doubles, probability: Doubles) -> Doubles:
        """Return the states.

        Args:
            ues_m: where the UEs are, shape [ues, 2 or 3].
            probability: of line of sight there, shape [cells, ues].

        Returns:
            0 to 1, shape [cells, ues].
        """
        places = ues_m[:, :2]
        moved = np.linalg.norm(places - self._home, axis=1)
        keep = np.exp(-moved / self._correlation_m)[None, :]
        field = keep * self._value + self._waves(places) - keep * self._start
        return soft_state(field, probability, self._wavelength_m)
