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
from sionna_phy.channel.ray_sum import Collected, LinkGroup, RaySum
from sionna_phy.channel.rays import RaySet
from sionna_phy.channel.sionna_random import sionna_seed
from sionna_phy.channel.soft_los import CORRELATION_M, SoftLos
from sionna_phy.channel.spec import ChannelSpec
from sionna_phy.channel.time_basis import TimeBasis
from sionna_phy.geometry import element_gain_db, fastest_m_s, nearest_images, positions_at
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
        scenario = self._model._scenario
        # Of the scenario alone: the model would draw all its large-scale parameters anew. For
        # indoor UEs this draws as well, the same every time.
        with sionna_seed(self._spec.seed):
            scenario.set_topology(
                ut_loc=torch.as_tensor(ues_m, dtype=torch.float32)[None],
                bs_virtual_loc=torch.as_tensor(images, dtype=torch.float32)[None],
                los=self._los if los is None else torch.full_like(self._los, los),
            )
        return np.asarray(scenario.basic_pathloss[0].to(torch.float64).numpy())

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

    Between the points of a track a UE has one velocity, and its rays Doppler shifts that go with
    it. A block in which a UE turns is computed once for each of its legs, as if that were all, and
    takes each sample from the leg that the UE is on.

    Args:
        rays: of all links at time 0, with `turns_per_m`.
        large_scale: what changes over many metres.
        spec: with tracks.
    """

    def __init__(self, rays: RaySet, large_scale: LargeScaleTrack, spec: ChannelSpec) -> None:
        assert rays.turns_per_m is not None and spec.ue_tracks_m is not None
        self._spec = spec
        self._large_scale = large_scale
        self._precoder = Precoder(spec)
        self._times = np.arange(spec.samples_per_block, dtype=np.float64) * spec.sample_interval_s
        self._sum = RaySum(rays, spec.prb_centres_hz, spec.samples_per_block)
        self._home = positions_at(spec.ue_tracks_m, np.zeros(1))[0]
        largest_hz = fastest_m_s(spec.ue_tracks_m) * spec.carrier_frequency_hz / SPEED_OF_LIGHT_M_S
        # A little room for directions whose squares do not quite add up to 1 in single precision.
        self._basis = TimeBasis(
            spec.samples_per_block, spec.sample_interval_s, largest_hz * (1 + 1e-6)
        )
        self._kept: dict[int, tuple[Array, Any]] = {}
        self._end: tuple[int, Array] | None = None

    def gains(self, number: int) -> npt.NDArray[np.float32]:
        """Return block `number`, shape [times, cells, ues, planes, prbs]."""
        import torch

        spec = self._spec
        start_s = number * spec.block_duration_s
        scale = self._scale(number)
        functions = torch.as_tensor(self._basis.functions, dtype=torch.float32)
        precoder = self._precoder
        serving = precoder.serving(self._sum.shape[0], np.asarray(spec.serving_cell))
        wanted = serving if precoder.takes_matrices else None
        samples = spec.samples_per_block
        collected = Collected(self._sum, samples, wanted, precoder.layers_of)
        legs = self._legs(start_s)
        with torch.no_grad(), one_thread():
            for place, group in enumerate(self._sum.groups):
                cell_ue = group.links.numpy()
                ues = cell_ue % self._sum.shape[1]
                responses: list[Any] = []
                for velocity, origin, on in legs:
                    on_it = on[:, ues]
                    if not on_it.any():
                        continue
                    sides = self._spread(place, group, velocity[ues], origin[ues])
                    found = self._sum.responses(sides, functions)
                    if not responses:
                        responses = found
                        continue
                    mask = torch.as_tensor(on_it)[..., None, None]
                    responses = [
                        torch.where(mask, new, old)
                        for new, old in zip(found, responses, strict=True)
                    ]
                collected.add(group, responses, scale[:, cell_ue])
        return precoder.planes(collected.powers(), serving, collected.kept())

    def _legs(self, start_s: float) -> list[tuple[Array, Array, npt.NDArray[np.bool_]]]:
        """Return the legs of a block's tracks: the first of all UEs, the second, ...

        Returns:
            Of each: velocities, shape [ues, 3]; how far UEs would be from their place at time 0 in
            the middle of the block if they were on that leg all the time, same shape; and at which
            samples they are on it, shape [samples, ues].
        """
        tracks = self._spec.ue_tracks_m
        assert tracks is not None
        times = start_s + self._times
        middle_s = start_s + self._basis.middle_s
        turned = np.stack([np.searchsorted(t[:, 0], times, side="right") for t in tracks], axis=1)
        legs = []
        left = np.ones_like(turned, dtype=bool)
        while left.any():
            # The next leg of each UE; who has no other is on none.
            leg = np.where(left, turned, turned.max() + 1).min(axis=0)
            on = left & (turned == leg)
            left &= ~on
            velocity = np.zeros((len(tracks), 3))
            origin = np.zeros((len(tracks), 3))
            for ue, track in enumerate(tracks):
                last = min(int(leg[ue]), len(track)) - 1
                velocity[ue], here = _leg(track, last, middle_s)
                origin[ue] = here - self._home[ue]
            legs.append((velocity, origin, on))
        return legs

    def _spread(self, place: int, group: LinkGroup, velocity: Array, origin: Array) -> list[Any]:
        """Return a group's sums over rays for one leg; see `_legs`."""
        import torch

        kept = self._kept.get(place)
        if kept is None or not np.array_equal(kept[0], velocity):
            way = torch.as_tensor(velocity)[..., None]
            shifts = (group.turns_per_m @ way)[..., 0]
            kept = velocity, self._sum.coefficients(group, self._basis, shifts)
            self._kept[place] = kept
        cycles = (group.turns_per_m @ torch.as_tensor(origin)[..., None])[..., 0]
        return self._sum.spread(group, cycles, kept[1], self._basis.even)

    def _scale(self, number: int) -> npt.NDArray[np.float32]:
        """Return the change of amplitudes since time 0, shape [times, cells x ues].

        In straight lines of dB from one block's beginning to the next one's.
        """
        start, end = self._change_db(number), self._change_db(number + 1)
        self._end = number + 1, end
        share = (self._times / self._spec.block_duration_s)[:, None, None]
        scale = 10.0 ** ((start + share * (end - start)) / 20.0)
        return scale.reshape(len(scale), -1).astype(np.float32)

    def _change_db(self, number: int) -> Array:
        """Return the change in gain at the beginning of a block; that of the last end is kept."""
        if self._end is not None and self._end[0] == number:
            return self._end[1]
        return self._large_scale.change_db(number * self._spec.block_duration_s)


def _leg(track: Array, last: int, t_s: float) -> tuple[Array, Array]:
    """Return a UE's velocity on the leg behind point `last`, and where it would be at a time."""
    point = track[max(last, 0)]
    if last < 0 or last + 1 >= len(track) or track[last + 1, 0] <= point[0]:
        return np.zeros(3), point[1:]
    velocity = (track[last + 1, 1:] - point[1:]) / (track[last + 1, 0] - point[0])
    return velocity, point[1:] + (t_s - point[0]) * velocity
