# SPDX-License-Identifier: MIT
"""Link-level channels of TR 38.901 clause 7.7: tapped and clustered delay lines A to E.

There is no geometry: every UE has the mean gain `gain_db` to its serving cell, and nothing comes
from the other cells. The delays, powers and angles are those of Sionna's tables. A tapped delay
line's Rayleigh taps are sums of 20 sinusoids with drawn phases and angles (Xiao, Zheng, Beaulieu,
IEEE Trans. Wireless Commun. 5, 2006), independent between antennas; what Sionna draws at each call
is drawn once here, so that the channel goes on from block to block. The speed is the UE's; a tapped
delay line ignores its direction.
"""

from abc import abstractmethod
from typing import Any

import numpy as np
import numpy.typing as npt

from sionna_phy.channel.base import ChannelProducer
from sionna_phy.channel.ray_gains import RayGains
from sionna_phy.channel.rays import RaySet
from sionna_phy.channel.sionna_random import sionna_seed
from sionna_phy.channel.spec import ChannelSpec
from sionna_phy.threads import one_thread

SINUSOIDS = 20
SPEED_OF_LIGHT_M_S = 299_792_458.0


class _LinkProducer(ChannelProducer):
    """Draws rays of the serving links once, and sums them block by block."""

    _sum: RayGains | None = None

    def prepare(self) -> None:
        """Draw all rays."""
        if self._sum is None:
            with one_thread():
                self._sum = RayGains(self._scaled(*self._rays()), self.spec)

    def gains(self, number: int) -> npt.NDArray[np.float32]:
        """Return block `number`."""
        self.prepare()
        assert self._sum is not None
        return self._sum.gains(number)

    @abstractmethod
    def _rays(self) -> tuple[Any, Any, Any]:
        """Return amplitude [ues, paths, pairs, rays], Doppler [ues, paths, rays], delay [paths]."""

    def _scaled(self, amplitude: Any, doppler: Any, delay: Any) -> RaySet:
        import torch

        spec = self.spec
        cells, ues = len(spec.cell_positions_m), len(spec.ue_positions_m)
        shape = (cells, *amplitude.shape)
        everywhere = torch.zeros(shape, dtype=torch.complex64)
        serving = torch.as_tensor(np.asarray(spec.serving_cell, dtype=np.int64))
        voltage = 10 ** (spec.gain_db / 20)
        everywhere[serving, torch.arange(ues)] = (amplitude * voltage).to(torch.complex64)
        return RaySet(
            amplitude=everywhere,
            doppler_hz=doppler.to(torch.float64).expand(cells, *doppler.shape).contiguous(),
            delay_s=delay.to(torch.float64).expand(cells, ues, -1).contiguous(),
            ue_antennas=spec.ue_antennas,
            gnb_antennas=spec.gnb_antennas,
        )


class TdlProducer(_LinkProducer):
    """TDL-A to TDL-E with the spec's delay spread."""

    def _rays(self) -> tuple[Any, Any, Any]:
        import torch
        from sionna.phy.channel.tr38901 import TDL

        spec = self.spec
        model = TDL(
            spec.model[-1].upper(),
            delay_spread=spec.delay_spread_s,
            carrier_frequency=spec.carrier_frequency_hz,
            spec_version=spec.spec_version,
            device="cpu",
        )
        powers = model._mean_powers.real.to(torch.float64).numpy()
        delays = model.delays.to(torch.float64).reshape(-1).numpy()
        ues, taps = len(spec.ue_positions_m), len(powers)
        pairs = spec.ue_antennas * spec.gnb_antennas
        rng = np.random.Generator(np.random.PCG64([spec.seed, 1]))
        theta = rng.uniform(-np.pi, np.pi, (ues, taps, 1)) / SINUSOIDS
        angle = 2 * np.pi * np.arange(SINUSOIDS) / SINUSOIDS + theta
        phase = rng.uniform(-np.pi, np.pi, (ues, taps, pairs, SINUSOIDS))
        shift = np.linalg.norm(spec.ue_velocities_m_s, axis=1) * (
            spec.carrier_frequency_hz / SPEED_OF_LIGHT_M_S
        )
        amplitude = np.sqrt(powers / SINUSOIDS)[None, :, None, None] * np.exp(1j * phase)
        doppler = shift[:, None, None] * np.cos(angle)
        if model.los:
            # The specular part is a path of one ray, with the first tap's delay.
            direct = np.zeros((ues, 1, pairs, SINUSOIDS), dtype=complex)
            start = rng.uniform(-np.pi, np.pi, (ues, 1))
            direct[:, 0, :, 0] = np.sqrt(float(model._los_power.real)) * np.exp(1j * start)
            moved = np.zeros((ues, 1, SINUSOIDS))
            moved[:, 0, 0] = shift * np.cos(float(model._los_angle_of_arrival))
            amplitude = np.concatenate([amplitude, direct], axis=1)
            doppler = np.concatenate([doppler, moved], axis=1)
            delays = np.concatenate([delays, delays[:1]])
        return torch.as_tensor(amplitude), torch.as_tensor(doppler), torch.as_tensor(delays)


class CdlProducer(_LinkProducer):
    """CDL-A to CDL-E with the spec's delay spread and antenna panels."""

    def __init__(self, spec: ChannelSpec) -> None:
        super().__init__(spec)

    def _rays(self) -> tuple[Any, Any, Any]:
        import torch
        from sionna.phy.channel.tr38901 import CDL

        from sionna_phy.channel.tr38901 import along, amplitudes, panels

        spec = self.spec
        ues = len(spec.ue_positions_m)
        velocity = torch.as_tensor(np.asarray(spec.ue_velocities_m_s), dtype=torch.float32)
        with sionna_seed(spec.seed):
            model = CDL(
                spec.model[-1].upper(),
                delay_spread=spec.delay_spread_s,
                carrier_frequency=spec.carrier_frequency_hz,
                **panels(spec),
                direction="downlink",
                ut_velocity=velocity,
                spec_version=spec.spec_version,
                precision="single",
                device="cpu",
            )
            topology = model._create_topology(ues, velocity)
            rays = model._create_rays(ues)
            phases = model._cir_gen._step_10(rays.aoa.shape)
            scattered, direct = amplitudes(
                model._cir_gen, topology, rays, phases, model._get_k_factor(ues)
            )
        # One cell and one UE in each batch: the batch is the UEs.
        amplitude = scattered[:, 0, 0].transpose(-1, -2)  # [ues, clusters, pairs, rays]
        per_metre = spec.carrier_frequency_hz / SPEED_OF_LIGHT_M_S
        speed = velocity.to(torch.float64)
        doppler = along(rays.zoa[:, 0, 0][None], rays.aoa[:, 0, 0][None], speed)[0] * per_metre
        delays = rays.delays[0, 0, 0].to(torch.float64)
        if model._has_los:
            count = amplitude.shape[-1]
            path = torch.nn.functional.pad(direct[:, 0, 0, :, :, None], (0, count - 1))
            shift = along(topology.los_zoa[:, 0, 0][None], topology.los_aoa[:, 0, 0][None], speed)[
                0
            ]
            moved = torch.nn.functional.pad((shift * per_metre)[:, None, None], (0, count - 1))
            amplitude = torch.cat([amplitude, path], dim=1)
            doppler = torch.cat([doppler, moved], dim=1)
            delays = torch.cat([delays, delays[:1]])
        return amplitude, doppler, delays
