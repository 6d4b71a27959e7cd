# SPDX-License-Identifier: MIT
"""What a channel producer is told: the links, the carrier, the model."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from sionna_phy.model_names import SOFT_LOS_MODELS

Array = npt.NDArray[np.float64]


class ChannelSpecError(ValueError):
    """A channel description that no producer can work with; the text names the field."""


@dataclass(frozen=True, kw_only=True)
class ChannelSpec:
    """All links of a scenario.

    Attributes:
        model: a name of `sionna_phy.channel.models()`, such as "umi" or "constant".
        carrier_frequency_hz: centre frequency.
        prbs: PRBs of the carrier.
        subcarrier_spacing_hz: a PRB is 12 of them wide.
        prb_offsets_hz: centres of the PRBs relative to the carrier, shape [prbs]; by default side
            by side, the carrier in the middle.
        cell_positions_m: shape [cells, 3].
        ue_positions_m: shape [ues, 3], at time 0.
        ue_velocities_m_s: shape [ues, 3].
        ue_indoor: shape [ues].
        serving_cell: shape [ues]; these links are beamformed, the others interfere.
        any_cell_serves: every link is beamformed, and one more plane behind the layers has all
            links' gains as interferers: for simulations in which UEs change their cells.
        ue_tracks_m: time in s, x, y and z of points between which UEs move in straight lines,
            shape [ues, points, 4]; None: they stay where they are, and velocities make Doppler.
        wrap_lattice_m: two vectors by which the layout is repeated, shape [2, 2]: a UE sees the
            nearest copy of a cell; None: no wrap-around.
        gnb_rows: antenna rows of a panel, half a wavelength apart.
        gnb_columns: antenna columns.
        gnb_polarisation: "single" (vertical) or "dual" (cross-polarised: twice the antennas).
        gnb_pattern: element pattern, "omni" or "38.901" (8 dBi, 65 degrees wide, TR 38.901 table
            7.3-1).
        cell_orientations_rad: bearing, downtilt and slant of each panel, shape [cells, 3] (TR
            38.901 clause 7.1.3); None: all towards +x without tilt.
        ue_antennas: in a row, half a wavelength apart.
        los: line of sight drawn by the model's probability, or forced for outdoor UEs.
        soft_los: line of sight changes along UEs' tracks (see `soft_los`), for umi, uma, rma, inh
            and inf with `los` "random".
        o2i: penetration loss into buildings, "low" or "high" (TR 38.901 table 7.4.3-2); UMi and
        UMa.
        ue_in_car: shape [ues], for RMa: these UEs have the penetration loss of a car (TR 38.901
            clause 7.4.3.2); None: nobody is in a car.
        pathloss: apply path and penetration loss.
        shadowing: draw shadow fading.
        gain_db: of every serving link, only for "constant".
        layers: spatial layers of a serving link, at most.
        precoder: "svd" (both sides know the channel) or "codebook" (TS 38.214 clause 5.2.2.2.1,
            type I single panel, with a zero-forcing receiver); see `precoding`.
        tx_to_noise_db: transmit power of a PRB over the noise in it at the UE; with it and more
            than one layer, each UE gets as many layers as carry most bits and the gains of the
            others are 0. None: no rank adaptation.
        office: InH, "open" or "mixed" (TR 38.901 table 7.4.2-1).
        factory: InF, "SL", "DL", "SH", "DH" or "HH" (TR 38.901 table 7.2-4).
        spec_version: of the parameter tables of TR 38.901, "16.1" or "19.2".
        delay_spread_s: of the models "tdl-a" to "cdl-e" (TR 38.901 clause 7.7.3).
        file: of a recorded channel ("replay").
        scene: of "rt", a name of Sionna's scenes or the path of a scene file.
        rt_max_depth: interactions of a traced path, at most.
        rt_samples: rays that each cell sends out to find paths.
        rt_paths: room for candidate paths of a cell and UE.
        rt_step_m: way of the fastest UE after which paths are found anew; until then they turn with
            their Doppler shifts.
        rt_search_m: way of the fastest UE after which the surfaces that may make a path are looked
            for anew.
        blocks_needed: blocks that will be asked for; None: unknown.
        block_duration_s: simulated time of a block.
        samples_per_block: channel samples in it.
        seed: of every random draw.

    Raises:
        ChannelSpecError: a shape or value that does not fit.
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
    prb_offsets_hz: Array | tuple[float, ...] | None = None
    any_cell_serves: bool = False
    ue_tracks_m: Array | None = None
    wrap_lattice_m: Array | None = None
    gnb_rows: int = 1
    gnb_columns: int = 1
    gnb_polarisation: Literal["single", "dual"] = "single"
    gnb_pattern: Literal["omni", "38.901"] = "omni"
    cell_orientations_rad: Array | None = None
    ue_antennas: int = 1
    los: Literal["random", "always", "never"] = "random"
    soft_los: bool = False
    o2i: Literal["low", "high"] = "low"
    ue_in_car: npt.NDArray[np.bool_] | None = None
    pathloss: bool = True
    shadowing: bool = True
    gain_db: float = -100.0
    layers: int = 1
    precoder: Literal["svd", "codebook"] = "svd"
    tx_to_noise_db: float | None = None
    office: Literal["open", "mixed"] = "open"
    factory: Literal["SL", "DL", "SH", "DH", "HH"] = "SH"
    spec_version: Literal["16.1", "19.2"] = "19.2"
    delay_spread_s: float = 100e-9
    file: str | None = None
    scene: str | None = None
    rt_max_depth: int = 3
    rt_samples: int = 100_000
    rt_paths: int = 2000
    rt_step_m: float = 0.5
    rt_search_m: float = 2.0
    blocks_needed: int | None = None
    block_duration_s: float = 0.1
    samples_per_block: int = 20
    seed: int = 1

    def __post_init__(self) -> None:
        cells = _rows(self.cell_positions_m, "cell_positions_m", (3,))
        ues = _rows(self.ue_positions_m, "ue_positions_m", (3,))
        if cells == 0 or ues == 0:
            raise ChannelSpecError("cell_positions_m and ue_positions_m need one row at least")
        shapes: dict[str, tuple[object, int, tuple[int, ...]]] = {
            "ue_velocities_m_s": (self.ue_velocities_m_s, ues, (3,)),
            "ue_indoor": (self.ue_indoor, ues, ()),
            "serving_cell": (self.serving_cell, ues, ()),
            "cell_orientations_rad": (self.cell_orientations_rad, cells, (3,)),
            "ue_in_car": (self.ue_in_car, ues, ()),
            "prb_offsets_hz": (self.prb_offsets_hz, self.prbs, ()),
        }
        for name, (value, rows, rest) in shapes.items():
            if value is not None and _rows(value, name, rest) != rows:
                raise ChannelSpecError(f"{name} must have {rows} rows, one for each of them")
        if self.ue_tracks_m is not None:
            shape = np.asarray(self.ue_tracks_m).shape
            if len(shape) != 3 or shape[0] != ues or shape[1] < 1 or shape[2] != 4:
                raise ChannelSpecError(
                    f"ue_tracks_m must have shape [{ues}, points, 4], not {list(shape)}"
                )
            if np.any(np.diff(np.asarray(self.ue_tracks_m)[..., 0], axis=1) < 0):
                raise ChannelSpecError("ue_tracks_m: times of a UE must not fall")
        if self.wrap_lattice_m is not None and np.asarray(self.wrap_lattice_m).shape != (2, 2):
            raise ChannelSpecError("wrap_lattice_m must be two vectors, shape [2, 2]")
        serving = np.asarray(self.serving_cell)
        if serving.min() < 0 or serving.max() >= cells:
            raise ChannelSpecError(f"serving_cell: cells are numbered 0 to {cells - 1}")
        counts = ("prbs", "gnb_rows", "gnb_columns", "ue_antennas", "samples_per_block", "layers")
        for name in counts:
            if getattr(self, name) < 1:
                raise ChannelSpecError(f"{name} must be 1 or more, not {getattr(self, name)}")
        positive = (
            "carrier_frequency_hz", "subcarrier_spacing_hz", "block_duration_s", "delay_spread_s",
            "rt_step_m", "rt_search_m",
        )  # fmt: skip
        for name in positive:
            if not getattr(self, name) > 0 or not np.isfinite(getattr(self, name)):
                raise ChannelSpecError(f"{name} must be above 0, not {getattr(self, name)}")
        if not 0 <= self.seed < 2**63:
            raise ChannelSpecError(f"seed must lie in 0 to 2^63 - 1, not {self.seed}")
        if self.soft_los and (self.model not in SOFT_LOS_MODELS or self.los != "random"):
            raise ChannelSpecError(
                f'soft_los is for the models {", ".join(SOFT_LOS_MODELS)} with los "random"'
            )
        most = min(self.ue_antennas, self.gnb_antennas)
        if self.layers > most:
            raise ChannelSpecError(
                f"layers: {self.layers} layers need as many antennas on both sides; there are "
                f"{self.ue_antennas} at a UE and {self.gnb_antennas} at a gNB"
            )

    @property
    def planes(self) -> int:
        """Return the size of a block's axis of layers, with the plane of interferers' gains."""
        return self.layers + int(self.any_cell_serves)

    @property
    def gnb_antennas(self) -> int:
        """Return the antennas of a gNB panel."""
        return self.gnb_rows * self.gnb_columns * (2 if self.gnb_polarisation == "dual" else 1)

    @property
    def sample_interval_s(self) -> float:
        """Return the time for which a sample holds."""
        return self.block_duration_s / self.samples_per_block

    @property
    def prb_centres_hz(self) -> Array:
        """Return the centre of each PRB relative to the carrier, shape [prbs]."""
        if self.prb_offsets_hz is not None:
            return np.asarray(self.prb_offsets_hz, dtype=np.float64)
        offsets = np.arange(self.prbs, dtype=np.float64) - (self.prbs - 1) / 2
        return np.asarray(offsets * (12 * self.subcarrier_spacing_hz), dtype=np.float64)


def _rows(value: object, name: str, rest: tuple[int, ...]) -> int:
    """Return the length of an array whose other axes must be `rest`."""
    array = np.asarray(value)
    if array.ndim != 1 + len(rest) or array.shape[1:] != rest:
        wanted = ", ".join(["rows", *map(str, rest)])
        raise ChannelSpecError(f"{name} must have shape [{wanted}], not {list(array.shape)}")
    if array.dtype.kind == "f" and not np.all(np.isfinite(array)):
        raise ChannelSpecError(f"{name} has values that are not finite")
    return len(array)
