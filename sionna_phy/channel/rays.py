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

BYTES_AT_ONCE = 64 * 2**20
"""UEs are worked on in groups whose largest array has about this size."""


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


class RayEvaluator:
    """Frequency responses of a ray set on a fixed grid of frequencies and of times in a block.

    Args:
        rays: all links.
        frequencies_hz: relative to the carrier, shape [prbs].
        samples: per block.
        interval_s: between samples.
    """

    def __init__(
        self,
        rays: RaySet,
        frequencies_hz: npt.NDArray[np.float64],
        samples: int,
        interval_s: float,
    ) -> None:
        import torch

        cells, ues, paths, pairs, count = rays.amplitude.shape
        largest = cells * 8 * max(paths * count * samples, pairs * samples * len(frequencies_hz))
        group = int(np.clip(BYTES_AT_ONCE // max(1, largest), 1, ues))
        self._parts = [rays.of_ues(n, min(n + group, ues)) for n in range(0, ues, group)]
        self._times = torch.arange(samples, dtype=torch.float64) * interval_s
        frequencies = torch.as_tensor(frequencies_hz, dtype=torch.float64)
        self._delay_phasors = [_phasor(-p.delay_s[..., None] * frequencies) for p in self._parts]
        # Doppler within a block is the same in every block: kept if it is small enough to keep.
        keep = cells * ues * paths * count * samples * 8 <= 4 * BYTES_AT_ONCE
        self._steps = [self._step_phasors(p) for p in self._parts] if keep else None

    def _step_phasors(self, part: RaySet) -> Any:
        """Return the rays' rotation from a block's start to each sample: [.., rays, samples]."""
        return _phasor(part.doppler_hz[..., None] * self._times)

    def parts(self) -> int:
        """Return the number of groups of UEs."""
        return len(self._parts)

    def response(self, part: int, start_s: float) -> Any:
        """Return the complex response of one group of UEs for the block that begins at `start_s`.

        Returns:
            complex64, shape [cells, ues, ue antennas, gnb antennas, samples, prbs].
        """
        rays = self._parts[part]
        steps = self._steps[part] if self._steps is not None else self._step_phasors(rays)
        # Rotated to the block's start first: the sum over rays is then one matrix product a path.
        started = rays.amplitude * _phasor(rays.doppler_hz * start_s)[..., None, :]
        paths = started @ steps  # [cells, ues, paths, pairs, samples]
        cells, ues, _, pairs, samples = paths.shape
        by_path = paths.permute(0, 1, 3, 4, 2).reshape(cells, ues, pairs * samples, -1)
        response = by_path @ self._delay_phasors[part]
        return response.reshape(cells, ues, rays.ue_antennas, rays.gnb_antennas, samples, -1)


def _phasor(cycles: Any) -> Any:
    """Return exp(j 2 pi cycles) as complex64 from float64 cycles.

    Whole turns are taken off in double precision: single precision would lose the phase of a ray
    with 100 Hz of Doppler within minutes.
    """
    import torch

    angle = ((cycles - torch.floor(cycles)) * (2 * np.pi)).to(torch.float32)
    return torch.polar(torch.ones_like(angle), angle)
