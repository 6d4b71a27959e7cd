# SPDX-License-Identifier: MIT
"""UEs on their way: rays drawn once, followed along tracks.

A ray keeps its direction and delay; its phase turns with the UE's position along it, so Doppler
follows every change of course. What changes over many metres is added to a link as a whole, in dB:
path loss by Sionna's formulas at the new distance, a cell's element pattern in the UE's new
direction, and shadow fading by a field over the plane that begins at what was drawn for time 0 and
has the model's correlation distance (TR 38.901 clauses 7.4.4 and 7.6.3; `large_scale`).

With `soft_los` the state of line of sight changes as well (`soft_los`): path loss and the spread of
shadowing, both in dB, go from one state's to the other's.

Approximate: without `soft_los`, line of sight stays what it was drawn as; angles, delays and the
direct ray's share of the power stay those of the first position in any case (the procedures of TR
38.901 clause 7.6.3 for these are not applied).
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from sionna_phy.channel.large_scale import ShadowField
from sionna_phy.channel.precoding import Precoder
from sionna_phy.channel.rays import BYTES_AT_ONCE, RaySet, _phasor
from sionna_phy.channel.soft_los import CORRELATION_M, SoftLos
from sionna_phy.channel.spec import ChannelSpec
from sionna_phy.geometry import element_gain_db, nearest_images, positions_at
from sionna_phy.threads import one_thread

Array = npt.NDArray[np.float64]
SPEED_OF_LIGHT_M_S = 299_792_458.0


class LargeScaleTrack:
    """Change in gain of all links since time 0.

    Args:
        model: Sionna's, with nodes where they are at time 0 and everything drawn.
        spec: with tracks.
        shadowing_db: gain at time 0, shape [cells, ues].
    """

    def __init__(self, model: Any, spec: ChannelSpec, shadowing_db: Array) -> None:
        assert spec.ue_tracks_m is not None
        self._model = model
        self._spec = spec
        scenario = model._scenario
        # Of the way outside the building, for UEs that are in one.
        self._los = scenario.outdoor_los.clone()
        self._sigma_db = self._parameter("sigmaSF")
        self._correlation_m = np.maximum(self._parameter("corrDistSF"), 1.0)
        self._shadowing_db = shadowing_db
        sites: dict[tuple[float, ...], int] = {}
        # Cells of one site share a field, as they share what stands in the way.
        places = spec.cell_positions_m.round(3).tolist()
        own = [sites.setdefault(tuple(place), len(sites)) for place in places]
        self._field = ShadowField(own, spec.seed)
        self._home = positions_at(spec.ue_tracks_m, np.zeros(1))[0]
        self._start = self._field.at(self._scaled(self._home))
        self._soft: SoftLos | None = None
        self._start_db, _ = self._state_db(0.0)
        if spec.soft_los:
            self._soft = self._make_soft(own)
            self._sigmas_db = [self._sigma_with(los) for los in (True, False)]

    def _parameter(self, name: str) -> Array:
        value = self._model._scenario.get_param(name)[0]
        return np.asarray(value.to("cpu").numpy(), dtype=np.float64)

    def _make_soft(self, sites: list[int]) -> SoftLos:
        scenario, spec = self._model._scenario, self._spec
        if spec.model == "inf":
            correlation_m = 0.5 * float(scenario.clutter_size)
        else:
            correlation_m = CORRELATION_M[spec.model]
        return SoftLos(
            sites,
            self._los[0].numpy(),
            self._probability(),
            self._home,
            correlation_m=correlation_m,
            wavelength_m=SPEED_OF_LIGHT_M_S / spec.carrier_frequency_hz,
            seed=spec.seed,
        )

    def _probability(self) -> Array:
        """Return the probability of line of sight where the model's UEs are now."""
        value = self._model._scenario.los_probability[0]
        return np.asarray(value.to("cpu").numpy(), dtype=np.float64)

    def _sigma_with(self, los: bool) -> Array:
        self._move(self._home, los)
        return self._parameter("sigmaSF")

    def _scaled(self, ues_m: Array) -> Array:
        """Return places on the ground in units of the correlation distance, [cells, ues, 2]."""
        return np.asarray(ues_m[None, :, :2] / self._correlation_m[..., None])

    def _move(self, ues_m: Array, los: bool | None) -> Array:
        """Put the model's UEs somewhere, and return the path loss in dB there, [cells, ues].

        Args:
            ues_m: shape [ues, 3].
            los: line of sight of all links; None: as drawn.
        """
        import torch

        images = nearest_images(self._spec.cell_positions_m, ues_m, self._spec.wrap_lattice_m)
        self._model.set_topology(
            ut_loc=torch.as_tensor(ues_m, dtype=torch.float32)[None],
            bs_virtual_loc=torch.as_tensor(images, dtype=torch.float32)[None],
            los=self._los if los is None else torch.full_like(self._los, los),
        )
        return np.asarray(self._model._scenario.basic_pathloss[0].to(torch.float64).numpy())

    def _state_db(self, t_s: float) -> tuple[Array, Array | None]:
        """Return what a link's gain owes to its geometry at a time, and its state of line of sight.

        Returns:
            Gain in dB and states, both of shape [cells, ues]; None unless they are soft.
        """
        spec = self._spec
        assert spec.ue_tracks_m is not None
        ues = positions_at(spec.ue_tracks_m, np.array([t_s]))[0]
        gain = np.zeros((len(spec.cell_positions_m), len(ues)))
        state = None
        if self._soft is not None:
            with_los, without = self._move(ues, True), self._move(ues, False)
            state = self._soft.at(ues, self._probability())
            if spec.pathloss:
                gain -= state * with_los + (1.0 - state) * without
        elif spec.pathloss:
            gain -= self._move(ues, None)
        if spec.gnb_pattern == "38.901" and spec.cell_orientations_rad is not None:
            images = nearest_images(spec.cell_positions_m, ues, spec.wrap_lattice_m)
            gain += element_gain_db(images, ues, spec.cell_orientations_rad)
        return gain, state

    def states(self, t_s: float) -> Array | None:
        """Return the states of line of sight at a time, shape [cells, ues]; None unless soft."""
        return self._state_db(t_s)[1]

    def change_db(self, t_s: float) -> Array:
        """Return the change in gain since time 0, in dB, shape [cells, ues]."""
        gain, state = self._state_db(t_s)
        change = gain - self._start_db
        if self._spec.shadowing:
            assert self._spec.ue_tracks_m is not None
            ues = positions_at(self._spec.ue_tracks_m, np.array([t_s]))[0]
            moved = np.linalg.norm((ues - self._home)[:, :2], axis=1)
            keep = np.exp(-moved[None, :] / self._correlation_m)
            field = self._field.at(self._scaled(ues)) - keep * self._start
            shadow = keep * self._shadowing_db + self._sigma_db * field
            if state is not None:
                # One field: a state only stretches it.
                sigma = state * self._sigmas_db[0] + (1.0 - state) * self._sigmas_db[1]
                shadow *= sigma / self._sigma_db
            change = change + shadow - self._shadowing_db
        return np.asarray(change)


class MovingGains:
    """Blocks of gains of rays along tracks.

    Args:
        rays: of all links at time 0, with `turns_per_m`.
        large_scale: what changes over many metres.
        spec: with tracks.
    """

    def __init__(self, rays: RaySet, large_scale: LargeScaleTrack, spec: ChannelSpec) -> None:
        import torch

        assert rays.turns_per_m is not None and spec.ue_tracks_m is not None
        self._spec = spec
        self._large_scale = large_scale
        self._precoder = Precoder(spec)
        cells, ues, paths, pairs, count = rays.amplitude.shape
        samples = spec.samples_per_block
        largest = cells * 16 * max(paths * count * samples, pairs * samples * spec.prbs)
        group = int(np.clip(BYTES_AT_ONCE // max(1, largest), 1, ues))
        self._groups = [(n, min(n + group, ues)) for n in range(0, ues, group)]
        self._parts = [rays.of_ues(first, last) for first, last in self._groups]
        frequencies = torch.as_tensor(spec.prb_centres_hz, dtype=torch.float64)
        self._delays = [_phasor(-p.delay_s[..., None] * frequencies) for p in self._parts]
        self._home = positions_at(spec.ue_tracks_m, np.zeros(1))[0]

    def gains(self, number: int) -> npt.NDArray[np.float32]:
        """Return block `number`, shape [times, cells, ues, planes, prbs]."""
        import torch

        spec = self._spec
        assert spec.ue_tracks_m is not None
        start_s = number * spec.block_duration_s
        offsets = np.arange(spec.samples_per_block, dtype=np.float64) * spec.sample_interval_s
        times = np.asarray(start_s + offsets, dtype=np.float64)
        moved = positions_at(spec.ue_tracks_m, times) - self._home
        # In straight lines of dB from one block's beginning to the next one's.
        ends = [self._large_scale.change_db(start_s + d) for d in (0.0, spec.block_duration_s)]
        share = (offsets / spec.block_duration_s)[:, None, None]
        voltage = 10.0 ** ((ends[0] + share * (ends[1] - ends[0])) / 20.0)  # [times, cells, ues]
        cells, ues = len(spec.cell_positions_m), len(spec.ue_positions_m)
        out = np.empty((len(offsets), cells, ues, spec.planes, spec.prbs), dtype=np.float32)
        serving = torch.as_tensor(np.asarray(spec.serving_cell, dtype=np.int64))
        with torch.no_grad(), one_thread():
            for (first, last), rays, delays in zip(
                self._groups, self._parts, self._delays, strict=True
            ):
                way = torch.as_tensor(moved[:, first:last], dtype=torch.float64)
                turns = torch.einsum("cuprx,sux->cuprs", rays.turns_per_m, way)
                paths = rays.amplitude @ _phasor(turns)  # [cells, ues, paths, pairs, samples]
                scale = torch.as_tensor(voltage[:, :, first:last], dtype=torch.float32)
                paths = paths * scale.permute(1, 2, 0)[:, :, None, None, :]
                _, count, _, pairs, samples = paths.shape
                by_path = paths.permute(0, 1, 3, 4, 2).reshape(cells, count, pairs * samples, -1)
                response = (by_path @ delays).reshape(
                    cells, count, rays.ue_antennas, rays.gnb_antennas, samples, -1
                )
                gains = self._precoder.all_gains(response, serving[first:last])
                out[:, :, first:last] = gains.numpy()
        return out
