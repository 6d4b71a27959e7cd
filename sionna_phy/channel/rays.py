# SPDX-License-Identifier: MIT
"""Rays of all links, and the frequency response that they make at any time.

A link is a sum of plane waves. Its response between two antennas at time t and frequency f is

    H(t, f) = sum over paths p, rays r of  a[p, r] exp(j 2 pi nu[p, r] t) exp(-j 2 pi f tau[p])

with a ray's complex amplitude a (path loss, antennas and array phases in it), its Doppler shift nu
and the delay tau that all rays of a path share. Amplitudes, shifts and delays stay as they were at
time 0, so the channel is continuous in time and any instant can be asked for directly.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class RaySet:
    """Rays of all links as torch tensors on the CPU.

    Attributes:
        amplitude: complex64, shape [cells, ues, paths, ue antennas x gnb antennas, rays]; 0 where a
            link has fewer paths or rays.
        doppler_hz: float64, shape [cells, ues, paths, rays].
        delay_s: float64, shape [cells, ues, paths].
        ue_antennas: of a UE.
        gnb_antennas: of a gNB.
        turns_per_m: turns of a ray's phase for each metre that the UE goes along x, y and z,
            float64, shape [cells, ues, paths, rays, 3]; None unless UEs move along tracks.
    """

    amplitude: Any
    doppler_hz: Any
    delay_s: Any
    ue_antennas: int
    gnb_antennas: int
    turns_per_m: Any = None

    def of_ues(self, first: int, last: int) -> "RaySet":
        """Return the rays of UEs `first` to `last` - 1."""
        return self._part(slice(first, last))

    def select(self, ues: npt.NDArray[np.int64]) -> "RaySet":
        """Return the rays of some UEs, in the order given."""
        import torch

        return self._part(torch.as_tensor(ues))

    def _part(self, part: Any) -> "RaySet":
        return RaySet(
            amplitude=self.amplitude[:, part].contiguous(),
            doppler_hz=self.doppler_hz[:, part].contiguous(),
            delay_s=self.delay_s[:, part].contiguous(),
            ue_antennas=self.ue_antennas,
            gnb_antennas=self.gnb_antennas,
            turns_per_m=None if self.turns_per_m is None else self.turns_per_m[:, part],
        )
