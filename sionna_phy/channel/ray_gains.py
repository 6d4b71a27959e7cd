# SPDX-License-Identifier: MIT
"""From rays to blocks of gains: what all producers that know rays share.

A UE that stands still has rays without Doppler: its gains are the same in every sample of every
block. They are computed once, for one sample, and copied.
"""

import numpy as np
import numpy.typing as npt

from sionna_phy.channel.precoding import Precoder
from sionna_phy.channel.rays import RayEvaluator, RaySet
from sionna_phy.channel.spec import ChannelSpec
from sionna_phy.threads import one_thread


class RayGains:
    """Blocks of gains of a ray set.

    Args:
        rays: of all links, time 0 being the beginning of block 0.
        spec: its grid of PRBs and times, its serving cells and its precoder.

    Attributes:
        moving: UEs whose gains change, ascending, shape [moving].
    """

    def __init__(self, rays: RaySet, spec: ChannelSpec) -> None:
        import torch

        self._spec = spec
        self._precoder = Precoder(spec)
        still = (rays.doppler_hz == 0.0).all(dim=(0, 2, 3)).numpy()
        self.moving = np.flatnonzero(~still)
        self._still = np.flatnonzero(still)
        self._still_gains: npt.NDArray[np.float32] | None = None
        if len(self._still):
            fixed = rays.select(self._still)
            evaluator = RayEvaluator(fixed, spec.prb_centres_hz, 1, spec.sample_interval_s)
            with torch.no_grad(), one_thread():
                self._still_gains = self._evaluate(evaluator, self._still, 0.0, 1)
        self._evaluator = None
        if len(self.moving):
            part = rays if len(self.moving) == rays.amplitude.shape[1] else rays.select(self.moving)
            self._evaluator = RayEvaluator(
                part, spec.prb_centres_hz, spec.samples_per_block, spec.sample_interval_s
            )

    def gains(self, number: int) -> npt.NDArray[np.float32]:
        """Return block `number`: shape [times, cells, ues, layers, prbs]."""
        return self.at(number * self._spec.block_duration_s)

    def at(self, start_s: float) -> npt.NDArray[np.float32]:
        """Return the block that begins at `start_s`, on the rays' own clock."""
        import torch

        spec = self._spec
        cells, ues = len(spec.cell_positions_m), len(spec.ue_positions_m)
        samples = spec.samples_per_block
        gains = np.empty((samples, cells, ues, spec.planes, spec.prbs), dtype=np.float32)
        if self._still_gains is not None:
            gains[:, :, self._still] = self._still_gains
        if self._evaluator is not None:
            with torch.no_grad(), one_thread():
                gains[:, :, self.moving] = self._evaluate(
                    self._evaluator, self.moving, start_s, samples
                )
        return gains

    def _evaluate(
        self,
        evaluator: RayEvaluator,
        ues: npt.NDArray[np.int64],
        start_s: float,
        samples: int,
    ) -> npt.NDArray[np.float32]:
        import torch

        spec = self._spec
        serving = torch.as_tensor(np.asarray(spec.serving_cell, dtype=np.int64)[ues])
        cells = len(spec.cell_positions_m)
        gains = np.empty((samples, cells, len(ues), spec.planes, spec.prbs), dtype=np.float32)
        first = 0
        for part in range(evaluator.parts()):
            response = evaluator.response(part, start_s)
            last = first + response.shape[1]
            part_gains = self._precoder.all_gains(response, serving[first:last])
            gains[:, :, first:last] = part_gains.numpy()
            first = last
        return gains
