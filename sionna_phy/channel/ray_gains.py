# SPDX-License-Identifier: MIT
"""From rays to blocks of gains: what all producers that know rays share.

A UE that stands still has rays without Doppler: its gains are the same in every sample of every
block. They are computed once, for one sample, and copied.
"""

import numpy as np
import numpy.typing as npt

from sionna_phy.channel.precoding import Precoder
from sionna_phy.channel.ray_evaluator import RayEvaluator
from sionna_phy.channel.rays import RaySet
from sionna_phy.channel.spec import ChannelSpec


class RayGains:
    """Blocks of gains of a ray set.

    Args:
        rays: of all links, time 0 being the beginning of block 0.
        spec: its grid of PRBs and times, its serving cells and its precoder.
        blocks: that will be asked for; None: unknown.

    Attributes:
        moving: UEs whose gains change, ascending, shape [moving].
    """

    def __init__(self, rays: RaySet, spec: ChannelSpec, *, blocks: int | None = None) -> None:
        self._spec = spec
        self._precoder = Precoder(spec)
        still = (rays.doppler_hz == 0.0).all(dim=(0, 2, 3)).numpy()
        self.moving = np.flatnonzero(~still)
        self._still = np.flatnonzero(still)
        self._still_gains: npt.NDArray[np.float32] | None = None
        if len(self._still):
            fixed = rays.select(self._still)
            evaluator = RayEvaluator(fixed, spec.prb_centres_hz, 1, spec.sample_interval_s)
            self._still_gains = self._evaluate(evaluator, self._still, 0)
        self._evaluator = None
        if len(self.moving):
            part = rays if len(self.moving) == rays.amplitude.shape[1] else rays.select(self.moving)
            self._evaluator = RayEvaluator(
                part,
                spec.prb_centres_hz,
                spec.samples_per_block,
                spec.sample_interval_s,
                blocks,
            )

    def gains(self, number: int) -> npt.NDArray[np.float32]:
        """Return block `number` on the rays' own clock: [times, cells, ues, planes, prbs]."""
        spec = self._spec
        if self._evaluator is not None and not len(self._still):
            return self._evaluate(self._evaluator, self.moving, number)
        cells, ues = len(spec.cell_positions_m), len(spec.ue_positions_m)
        shape = (spec.samples_per_block, cells, ues, spec.planes, spec.prbs)
        gains = np.empty(shape, dtype=np.float32)
        if self._still_gains is not None:
            gains[:, :, self._still] = self._still_gains
        if self._evaluator is not None:
            gains[:, :, self.moving] = self._evaluate(self._evaluator, self.moving, number)
        return gains

    def _evaluate(
        self, evaluator: RayEvaluator, ues: npt.NDArray[np.int64], number: int
    ) -> npt.NDArray[np.float32]:
        precoder = self._precoder
        cells = len(self._spec.cell_positions_m)
        serving = precoder.serving(cells, np.asarray(self._spec.serving_cell)[ues])
        wanted = serving if precoder.takes_matrices else None
        powers, layers = evaluator.block(number, wanted, precoder.layers_of)
        return precoder.planes(powers, serving, layers)
