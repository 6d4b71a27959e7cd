# SPDX-License-Identifier: MIT
"""What a channel producer is told: the links, the carrier, the model."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class ChannelSpec:
    """All links of a scenario.

    Attributes:
        model: "umi", "uma", "rma" (TR 38.901), or "constant".
        carrier_frequency_hz: centre frequency.
        prbs: PRBs of the carrier.
        subcarrier_spacing_hz: a PRB is 12 of them wide.
        cell_positions_m: shape [cells, 3].
        ue_positions_m: shape [ues, 3], at time 0.
        ue_velocities_m_s: shape [ues, 3].
        ue_indoor: shape [ues].
        serving_cell: shape [ues]; these links are beamformed, the others interfere.
        gnb_rows: antenna rows of a panel, half a wavelength apart.
        gnb_columns: antenna columns.
        gnb_polarisation: "single" (vertical) or "dual" (cross-polarised: twice the antennas).
        ue_antennas: in a row, half a wavelength apart.
        los: line of sight drawn by the model's probability, or forced.
        shadowing: draw shadow fading.
        gain_db: of every link, only for "constant".
        block_duration_s: simulated time of a block.
        samples_per_block: channel samples in it.
        seed: of every random draw.
    """

    model: str
    carrier_frequency_hz: float
    prbs: int
    subcarrier_spacing_hz: float
    cell_positions_m: Array
    ue_positions_m: Array
    ue_velocities_m_s: Array
    ue_indoor: npt.NDArray[np.bool_]
    serving_cell: npt.NDArray[np.int64]
    gnb_rows: int = 1
    gnb_columns: int = 1
    gnb_polarisation: Literal["single", "dual"] = "single"
    ue_antennas: int = 1
    los: Literal["random", "always", "never"] = "random"
    shadowing: bool = True
    gain_db: float = -100.0
    block_duration_s: float = 0.1
    samples_per_block: int = 20
    seed: int = 1

    @property
    def sample_interval_s(self) -> float:
        """Return the time for which a sample holds."""
        return self.block_duration_s / self.samples_per_block

    @property
    def prb_centres_hz(self) -> Array:
        """Return the centre of each PRB relative to the carrier, shape [prbs]."""
        return (np.arange(self.prbs) - (self.prbs - 1) / 2) * 12 * self.subcarrier_spacing_hz
