# SPDX-License-Identifier: MIT
"""Gain by distance alone: no fading, no drawing; what follows from a geometry can be derived."""

import numpy as np
import numpy.typing as npt

from sionna_phy.channel.base import ChannelProducer
from sionna_phy.geometry import element_gain_db, nearest_images, positions_at

SLOPE_DB = 37.6
"""dB a decade of distance: macro cells of TR 36.942 clause 4.5.2, 128.1 + 37.6 log10(d / km)."""


class DistanceProducer(ChannelProducer):
    """`gain_db` at 1 km and 37.6 dB a decade, equal on all PRBs, with sectors' element pattern."""

    def gains(self, number: int) -> npt.NDArray[np.float32]:
        """Return block `number`, shape [times, cells, ues, planes, prbs]."""
        spec = self.spec
        start_s = number * spec.block_duration_s
        times = np.asarray(
            start_s + np.arange(spec.samples_per_block) * spec.sample_interval_s, dtype=np.float64
        )
        if spec.ue_tracks_m is None:
            where = np.broadcast_to(spec.ue_positions_m, (len(times), *spec.ue_positions_m.shape))
        else:
            where = positions_at(spec.ue_tracks_m, times)
        cells = spec.cell_positions_m
        gain_db = np.empty((len(times), len(cells), where.shape[1]))
        for index, ues in enumerate(where):
            images = nearest_images(cells, ues, spec.wrap_lattice_m)
            distance_m = np.maximum(np.linalg.norm(ues[None] - images, axis=-1), 1.0)
            gain_db[index] = spec.gain_db - SLOPE_DB * np.log10(distance_m / 1000.0)
            if spec.gnb_pattern == "38.901":
                orientations = spec.cell_orientations_rad
                assert orientations is not None
                gain_db[index] += 8.0 + element_gain_db(images, ues, orientations)
        gain = (10.0 ** (gain_db / 10.0)).astype(np.float32)
        return np.broadcast_to(gain[..., None, None], (*gain.shape, spec.planes, spec.prbs))
