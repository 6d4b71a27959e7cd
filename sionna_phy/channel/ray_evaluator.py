# SPDX-License-Identifier: MIT
"""Blocks of powers and channel matrices of rays that have their Doppler shifts for good.

Rays are summed for several blocks at once if that is cheaper: for four blocks twice as many
functions of time are needed as for one, not four times as many. Which blocks go together follows
from their numbers, so that a block is the same whoever asks for it and whatever was asked before.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from sionna_phy.channel.ray_sum import Collected, Of, RaySum
from sionna_phy.channel.rays import RaySet
from sionna_phy.channel.time_basis import TimeBasis
from sionna_phy.threads import one_thread

BYTES_KEPT = 256 * 2**20
"""Sums over rays are kept for the blocks that share them up to this size."""
MOST_SAMPLES = 1000
"""Of blocks that share a sum."""


class RayEvaluator:
    """Frequency responses of a ray set on a fixed grid of frequencies and of times in a block.

    Args:
        rays: all links; time 0 is the first sample of block 0.
        frequencies_hz: relative to the carrier, shape [prbs].
        samples: per block.
        interval_s: between samples.
        blocks: that will be asked for, from number 0 on; None: unknown.

    Attributes:
        blocks_at_once: whose rays are summed together.
    """

    def __init__(
        self,
        rays: RaySet,
        frequencies_hz: npt.NDArray[np.float64],
        samples: int,
        interval_s: float,
        blocks: int | None = None,
    ) -> None:
        import torch

        largest_hz = float(rays.doppler_hz.abs().max()) if rays.doppler_hz.numel() else 0.0
        self._samples = samples
        self._period_s = samples * interval_s
        bases = {}
        for together in (1, 2, 4, 8):
            few = together <= (blocks or together) and together * samples <= MOST_SAMPLES
            if together == 1 or few:
                bases[together] = TimeBasis(together * samples, interval_s, largest_hz)
        with torch.no_grad(), one_thread():
            widest = max(samples, bases[1].functions.shape[1])
            self._sum = RaySum(rays, frequencies_hz, widest)
            room = BYTES_KEPT // max(1, self._sum.bytes_of_a_function)
            self.blocks_at_once = min(
                (n for n in bases if n == 1 or bases[n].functions.shape[1] <= room),
                key=lambda n: _cost(n, bases[n].functions.shape[1]),
            )
            self._basis = bases[self.blocks_at_once]
            # Doppler within a block is the same in every block: kept if it is small enough to keep.
            count = self._basis.functions.shape[1]
            rays_in_all = sum(group.doppler_hz.numel() for group in self._sum.groups)
            self._kept = None
            if 4 * count * rays_in_all <= BYTES_KEPT:
                self._kept = [self._coefficients(group) for group in self._sum.groups]
        self._found: tuple[int, list[Any]] | None = None

    def _coefficients(self, group: Any) -> Any:
        return self._sum.coefficients(group, self._basis, group.doppler_hz)

    def _spread(self, place: int, first: int) -> list[Any]:
        """Return the sums of a group for the blocks from number `first` on."""
        group = self._sum.groups[place]
        start_s = first * self._period_s + self._basis.middle_s
        kept = self._coefficients(group) if self._kept is None else self._kept[place]
        return self._sum.spread(group, group.doppler_hz * start_s, kept, self._basis.even)

    def block(
        self, number: int, wanted: npt.NDArray[np.bool_] | None = None, of: Of | None = None
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[Any]]:
        """Return a block.

        Args:
            number: from 0.
            wanted: links whose matrices are asked for, shape [cells, ues]; None: of none.
            of: takes matrices of some links, shape [links, samples, prbs, pairs], and returns what
                is kept of them, with the first three axes the same; None: the matrices.

        Returns:
            The power |H|^2 of all links, mean over antenna pairs, shape [samples, cells, ues,
            prbs], and what is kept of the wanted links, cell by cell, shape [links, samples, prbs,
            any]. Pairs are UE antennas x gNB antennas.
        """
        import torch

        first = number - number % self.blocks_at_once
        samples = self._samples
        at = (number - first) * samples
        functions = torch.as_tensor(
            self._basis.functions[at : at + samples], dtype=torch.float32
        ).contiguous()
        collected = Collected(self._sum, samples, wanted, of)
        with torch.no_grad(), one_thread():
            if self.blocks_at_once > 1 and (self._found is None or self._found[0] != first):
                sums = [self._spread(n, first) for n in range(len(self._sum.groups))]
                self._found = first, sums
            for n, group in enumerate(self._sum.groups):
                shared = self._found[1][n] if self._found else self._spread(n, first)
                collected.add(group, self._sum.responses(shared, functions))
        return collected.powers(), collected.kept()


def _cost(blocks: int, functions: int) -> float:
    """Return about what a block costs in milliseconds for 1000 links of 4 antennas and 51 PRBs.

    Phases cost the same for any number of functions; sums over rays and paths, and what is made of
    them at every sample, in proportion.
    """
    return (9.0 + 2.4 * functions) / blocks + 0.5 * functions
