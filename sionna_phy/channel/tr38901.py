# SPDX-License-Identifier: MIT
"""TR 38.901 system-level channels through Sionna.

Exact, as the model has it: path loss, line-of-sight state, shadowing and the other large-scale
parameters with their cross- and spatial correlation, clusters, rays, polarisation and antennas, all
drawn once from the seed for the UEs' positions at time 0; Doppler of every ray, continuous from
block to block, because the rays and their phases are the same in every block and only time goes on.

Approximate: angles and delays do not change as a UE moves, and path loss and shadowing only along
tracks (`moving`); the response of a PRB is that of its centre; the precoder knows the channel
without error; a link between a UE and a cell that does not serve it has the mean gain over
antennas.

Not independent of each other: Sionna draws the random numbers of all UEs together, so that adding a
UE changes the draws of the others. Blocks of the same links do not depend on how they are
evaluated.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sionna_phy.channel.base import ChannelProducer
from sionna_phy.channel.moving import LargeScaleTrack, MovingGains
from sionna_phy.channel.ray_gains import RayGains
from sionna_phy.channel.rays import RaySet
from sionna_phy.channel.sionna_random import sionna_seed
from sionna_phy.channel.spec import ChannelSpec, ChannelSpecError
from sionna_phy.geometry import nearest_images
from sionna_phy.threads import one_thread

SUB_CLUSTERS = (
    (0, 1, 2, 3, 4, 5, 6, 7, 18, 19),
    (8, 9, 10, 11, 16, 17),
    (12, 13, 14, 15),
)
SUB_CLUSTER_DELAYS = (0.0, 1.28, 2.56)
"""Rays of the sub-clusters of the two strongest clusters, from 0, and their delays in units of the
cluster delay spread: TR 38.901 table 7.5-5 and equation 7.5-26."""


@dataclass(frozen=True)
class LargeScale:
    """Of the start of a run; arrays have shape [cells, ues].

    Attributes:
        path_loss_db: with penetration loss, without shadowing.
        shadowing_db: a gain; 0 if shadowing is off.
        los: line of sight.
    """

    path_loss_db: npt.NDArray[np.float64]
    shadowing_db: npt.NDArray[np.float64]
    los: npt.NDArray[np.bool_]


class Tr38901Producer(ChannelProducer):
    """UMi street canyon, UMa, RMa, InH office or InF factory."""

    def __init__(self, spec: ChannelSpec) -> None:
        super().__init__(spec)
        if spec.model in ("inh", "inf") and not np.all(spec.ue_indoor):
            raise ChannelSpecError(f'ue_indoor: all UEs of the model "{spec.model}" are indoors')
        self._sum: RayGains | MovingGains | None = None
        self._large_scale: LargeScale | None = None

    @property
    def large_scale(self) -> LargeScale:
        """Return path loss, shadowing and line of sight of all links."""
        self.prepare()
        assert self._large_scale is not None
        return self._large_scale

    def prepare(self) -> None:
        """Import Sionna, place all nodes and draw everything that is random."""
        if self._sum is not None:
            return
        with one_thread(), sionna_seed(self.spec.seed):
            model = make_model(self.spec)
            rays, self._large_scale = draw_rays(model, self.spec)
            if self.spec.ue_tracks_m is None:
                self._sum = RayGains(rays, self.spec)
            else:
                self._sum = MovingGains(
                    rays,
                    LargeScaleTrack(model, self.spec, self._large_scale.shadowing_db),
                    self.spec,
                )

    def gains(self, number: int) -> npt.NDArray[np.float32]:
        """Return block `number`."""
        self.prepare()
        assert self._sum is not None
        return self._sum.gains(number)


def make_model(spec: ChannelSpec) -> Any:
    """Return Sionna's model with all nodes placed and large-scale parameters drawn."""
    import torch
    from sionna.phy.channel.tr38901 import InF, InH, RMa, UMa, UMi

    common: dict[str, Any] = {
        "carrier_frequency": spec.carrier_frequency_hz,
        "device": "cpu",
        **panels(spec),
        "direction": "downlink",
        "spec_version": spec.spec_version,
        "enable_pathloss": spec.pathloss,
        "enable_shadow_fading": spec.shadowing,
        "precision": "single",
    }
    cells, ues = len(spec.cell_positions_m), len(spec.ue_positions_m)
    orientations = spec.cell_orientations_rad
    topology: dict[str, Any] = {
        "ut_loc": _tensor(spec.ue_positions_m),
        "bs_loc": _tensor(spec.cell_positions_m),
        "ut_orientations": torch.zeros(1, ues, 3),
        "bs_orientations": _tensor(np.zeros((cells, 3)) if orientations is None else orientations),
        "ut_velocities": _tensor(spec.ue_velocities_m_s),
        "in_state": _mask(spec.ue_indoor, ues),
        "los": {"random": "random", "always": True, "never": False}[spec.los],
    }
    if spec.wrap_lattice_m is not None:
        images = nearest_images(spec.cell_positions_m, spec.ue_positions_m, spec.wrap_lattice_m)
        topology["bs_virtual_loc"] = _tensor(images)
    if spec.model == "rma":
        model: Any = RMa(**common)
        # Said explicitly: left out, Sionna puts every outdoor UE into a car, 9 dB down.
        topology["in_car"] = _mask(spec.ue_in_car, ues)
    elif spec.model == "inh":
        model = InH(indoor_scenario=spec.office, **common)
    elif spec.model == "inf":
        model = InF(factory_scenario=spec.factory, **common)
    else:
        model = {"umi": UMi, "uma": UMa}[spec.model](o2i_model=spec.o2i, **common)
    model.set_topology(**topology)
    return model


def panels(spec: ChannelSpec) -> dict[str, Any]:
    """Return Sionna's antenna panels of both sides, as its models' arguments name them."""
    from sionna.phy.channel.tr38901 import PanelArray

    polarised = spec.gnb_polarisation == "dual"
    frequency = {"carrier_frequency": spec.carrier_frequency_hz, "device": "cpu"}
    return {
        "ut_array": PanelArray(
            num_rows_per_panel=1,
            num_cols_per_panel=spec.ue_antennas,
            polarization="single",
            polarization_type="V",
            antenna_pattern="omni",
            **frequency,
        ),
        "bs_array": PanelArray(
            num_rows_per_panel=spec.gnb_rows,
            num_cols_per_panel=spec.gnb_columns,
            polarization="dual" if polarised else "single",
            polarization_type="cross" if polarised else "V",
            antenna_pattern=spec.gnb_pattern,
            **frequency,
        ),
    }


def draw_rays(model: Any, spec: ChannelSpec) -> tuple[RaySet, LargeScale]:
    """Draw the rays of all links and return them as amplitudes, Doppler shifts and delays.

    Sionna's call evaluates rays at the sample times of one call and keeps none of them. Here its
    steps are taken once, for time 0, and kept (TR 38.901 clause 7.5, steps 5 to 12); a test holds
    the result against Sionna's own response.
    """
    import torch
    from sionna.phy import SPEED_OF_LIGHT
    from sionna.phy.channel.tr38901 import Topology
    from sionna.phy.channel.utils import deg_2_rad

    scenario, lsp, generator = model._scenario, model._lsp, model._cir_sampler
    rays = model._ray_sampler(lsp)
    phases = generator._step_10(rays.aoa.shape)
    topology = Topology(
        velocities=scenario.ut_velocities,
        moving_end="rx",
        los_aoa=deg_2_rad(scenario.los_aoa),
        los_aod=deg_2_rad(scenario.los_aod),
        los_zoa=deg_2_rad(scenario.los_zoa),
        los_zod=deg_2_rad(scenario.los_zod),
        los=scenario.los,
        distance_3d=scenario.distance_3d,
        tx_orientations=scenario.bs_orientations,
        rx_orientations=scenario.ut_orientations,
    )
    scattered, direct = amplitudes(generator, topology, rays, phases, lsp.k_factor)
    scattered, direct = scattered[0], direct[0]
    velocity = topology.velocities[0].to(torch.float64)
    per_metre = spec.carrier_frequency_hz / float(SPEED_OF_LIGHT)
    doppler = along(rays.zoa[0], rays.aoa[0], velocity) * per_metre
    doppler_direct = along(topology.los_zoa[0], topology.los_aoa[0], velocity) * per_metre

    amplitude, shifts, delays = _paths(
        scattered, doppler, rays, scenario.get_param("cDS")[0].to(torch.float64) * 1e-9
    )
    # The direct ray is a path of one ray, with the delay of the first.
    ray_count = amplitude.shape[-1]
    direct_path = torch.nn.functional.pad(direct[..., None], (0, ray_count - 1))
    amplitude = torch.cat([amplitude, direct_path], dim=2)
    direct_shift = torch.nn.functional.pad(doppler_direct[..., None, None], (0, ray_count - 1))
    shifts = torch.cat([shifts, direct_shift], dim=2)
    delays = torch.cat([delays, delays.min(dim=-1, keepdim=True).values], dim=2)

    turns = None
    if spec.ue_tracks_m is not None:
        # What a metre along each axis turns: the shift of a UE with 1 m/s in that direction.
        axes = []
        for axis in torch.eye(3, dtype=torch.float64):
            unit = axis.expand(velocity.shape)
            part = along(rays.zoa[0], rays.aoa[0], unit) * per_metre
            part = _paths(part[..., None], part, rays, torch.zeros(()))[1]
            direct_part = along(topology.los_zoa[0], topology.los_aoa[0], unit) * per_metre
            padded = torch.nn.functional.pad(direct_part[..., None, None], (0, ray_count - 1))
            axes.append(torch.cat([part, padded], dim=2))
        turns = torch.stack(axes, dim=-1)

    shadowing = lsp.sf[0] if spec.shadowing else torch.ones_like(lsp.sf[0])
    path_loss = lsp.pathloss[0] if spec.pathloss else torch.zeros_like(shadowing)
    voltage = torch.sqrt(shadowing) * 10.0 ** (-path_loss / 20.0)
    large_scale = LargeScale(
        path_loss_db=path_loss.to(torch.float64).numpy(),
        shadowing_db=10 * np.log10(shadowing.to(torch.float64).numpy()),
        los=topology.los[0].clone().numpy(),  # Sionna changes its own in place
    )
    ray_set = RaySet(
        amplitude=(amplitude * voltage[..., None, None, None]).contiguous(),
        doppler_hz=shifts.contiguous(),
        delay_s=delays.contiguous(),
        ue_antennas=spec.ue_antennas,
        gnb_antennas=spec.gnb_antennas,
        turns_per_m=turns,
    )
    return ray_set, large_scale


def amplitudes(
    generator: Any, topology: Any, rays: Any, phases: Any, k_factor: Any
) -> tuple[Any, Any]:
    """Return the rays' complex amplitudes at time 0 (TR 38.901 clause 7.5, steps 10 and 11).

    Args:
        generator: Sionna's coefficient generator.
        topology: Sionna's.
        rays: Sionna's.
        phases: initial phases from its step 10.
        k_factor: linear, shape [batch, cells, ues].

    Returns:
        Scattered rays, shape [batch, cells, ues, clusters, rays, pairs], and the direct ray, shape
        [batch, cells, ues, 1, pairs]; they share the power by the K-factor.
    """
    import torch

    start = torch.zeros(1)
    scattered = generator._step_11_nlos(phases, topology, rays, start)[..., 0].flatten(-2)
    direct = generator._step_11_los(topology, start)[..., 0].flatten(-2)
    los = topology.los[..., None, None]
    k = k_factor[..., None, None]
    scattered = scattered * torch.where(los, torch.sqrt(1 / (k + 1)), 1.0)[..., None]
    direct = direct * torch.where(los, torch.sqrt(k / (k + 1)), 0.0)
    return scattered, direct


def _paths(scattered: Any, doppler: Any, rays: Any, cluster_spread_s: Any) -> tuple[Any, Any, Any]:
    """Return amplitudes [.., paths, pairs, rays], Doppler [.., paths, rays] and delays [.., paths].

    Each of the two strongest clusters becomes three paths, every other cluster one.

    Args:
        scattered: complex, shape [cells, ues, clusters, rays, pairs].
        doppler: shape [cells, ues, clusters, rays].
        rays: Sionna's, with a batch axis.
        cluster_spread_s: shape [cells, ues].
    """
    import torch

    order = torch.argsort(rays.powers[0], dim=-1, descending=True, stable=True)
    scattered = torch.take_along_dim(scattered, order[..., None, None], dim=2).transpose(-1, -2)
    doppler = torch.take_along_dim(doppler, order[..., None], dim=2)
    delays = torch.take_along_dim(rays.delays[0].to(torch.float64), order, dim=2)
    amplitudes, shifts, times = [], [], []
    for cluster in range(2):
        for members, delay in zip(SUB_CLUSTERS, SUB_CLUSTER_DELAYS, strict=True):
            mask = torch.zeros(scattered.shape[-1])
            mask[list(members)] = 1.0
            amplitudes.append(scattered[:, :, cluster] * mask)
            shifts.append(doppler[:, :, cluster])
            times.append(delays[:, :, cluster] + delay * cluster_spread_s)
    return (
        torch.cat([torch.stack(amplitudes, dim=2), scattered[:, :, 2:]], dim=2),
        torch.cat([torch.stack(shifts, dim=2), doppler[:, :, 2:]], dim=2),
        torch.cat([torch.stack(times, dim=2), delays[:, :, 2:]], dim=2),
    )


def along(zenith: Any, azimuth: Any, velocity: Any) -> Any:
    """Return the UEs' speed towards each direction of arrival.

    Args:
        zenith: radians, shape [cells, ues, ...].
        azimuth: radians, same shape.
        velocity: m/s, shape [ues, 3].
    """
    import torch

    zenith, azimuth = zenith.to(torch.float64), azimuth.to(torch.float64)
    v = velocity.reshape(1, -1, *[1] * (zenith.dim() - 2), 3)
    return (
        torch.sin(zenith) * (torch.cos(azimuth) * v[..., 0] + torch.sin(azimuth) * v[..., 1])
        + torch.cos(zenith) * v[..., 2]
    )


def _tensor(array: npt.NDArray[np.float64]) -> Any:
    import torch

    return torch.as_tensor(np.asarray(array), dtype=torch.float32)[None]


def _mask(array: npt.NDArray[np.bool_] | None, ues: int) -> Any:
    import torch

    return torch.as_tensor(np.zeros(ues, bool) if array is None else np.asarray(array, bool))[None]
