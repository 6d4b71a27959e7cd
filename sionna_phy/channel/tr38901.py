# SPDX-License-Identifier: MIT
"""TR 38.901 system-level channels through Sionna.

Exact, as the model has it: path loss, line-of-sight state, shadowing and the other large-scale
parameters with their cross- and spatial correlation, clusters, rays, polarisation and antennas, all
drawn once from the seed for the UEs' positions at time 0; Doppler of every ray, continuous from block
to block, because the rays and their phases are the same in every block and only time goes on.

Approximate: a UE's large-scale parameters and angles do not change as it moves (right for movements of
a few metres); the response of a PRB is that of its centre; the precoder knows the channel without
error.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from sionna_phy.channel.base import ChannelProducer
from sionna_phy.channel.spec import ChannelSpec


class Tr38901Producer(ChannelProducer):
    """UMi street canyon, UMa or RMa for all links in one call a block."""

    def __init__(self, spec: ChannelSpec) -> None:
        super().__init__(spec)
        self._model: Any = None
        self._start_s = 0.0

    def prepare(self) -> None:
        """Import Sionna, place all nodes and draw the large-scale parameters."""
        if self._model is not None:
            return
        import torch
        from sionna.phy import config
        from sionna.phy.channel.tr38901 import PanelArray, RMa, UMa, UMi

        # One thread: the order of sums, and with it the last bit, must not depend on the machine.
        torch.set_num_threads(1)
        spec = self.spec
        config.device = "cpu"
        config.seed = spec.seed
        polarised = spec.gnb_polarisation == "dual"
        gnb = PanelArray(
            num_rows_per_panel=spec.gnb_rows,
            num_cols_per_panel=spec.gnb_columns,
            polarization="dual" if polarised else "single",
            polarization_type="cross" if polarised else "V",
            antenna_pattern="omni",
            carrier_frequency=spec.carrier_frequency_hz,
        )
        ue = PanelArray(
            num_rows_per_panel=1,
            num_cols_per_panel=spec.ue_antennas,
            polarization="single",
            polarization_type="V",
            antenna_pattern="omni",
            carrier_frequency=spec.carrier_frequency_hz,
        )
        common = {
            "carrier_frequency": spec.carrier_frequency_hz,
            "ut_array": ue,
            "bs_array": gnb,
            "direction": "downlink",
            "enable_shadow_fading": spec.shadowing,
        }
        if spec.model == "rma":
            model = RMa(**common)
        else:
            model = {"umi": UMi, "uma": UMa}[spec.model](o2i_model="low", **common)
        cells, ues = len(spec.cell_positions_m), len(spec.ue_positions_m)
        model.set_topology(
            ut_loc=_tensor(spec.ue_positions_m),
            bs_loc=_tensor(spec.cell_positions_m),
            ut_orientations=torch.zeros(1, ues, 3),
            bs_orientations=torch.zeros(1, cells, 3),
            ut_velocities=_tensor(spec.ue_velocities_m_s),
            in_state=torch.as_tensor(np.asarray(spec.ue_indoor, dtype=bool))[None],
            los={"random": "random", "always": True, "never": False}[spec.los],
        )
        self._shift_time(model)
        self._frequencies = torch.as_tensor(spec.prb_centres_hz, dtype=torch.float32)
        self._model = model

    def _shift_time(self, model: Any) -> None:
        """Make the model's sample times count from `_start_s` instead of 0.

        Sionna has no argument for it. The Doppler term is the only one that depends on time, so its
        times are shifted there, in double precision: its phase grows with time.
        """
        import torch

        generator = model._cir_sampler
        original = generator._step_11_doppler_matrix

        def shifted(topology: Any, aoa: Any, aod: Any, zoa: Any, zod: Any, t: Any) -> Any:
            times = t.to(torch.float64) + self._start_s
            return original(topology, aoa, aod, zoa, zod, times).to(torch.complex64)

        generator._step_11_doppler_matrix = shifted

    def gains(self, number: int) -> npt.NDArray[np.float32]:
        """Return block `number`: one call of the model for all links and samples."""
        import torch
        from sionna.phy import config
        from sionna.phy.channel import cir_to_ofdm_channel

        self.prepare()
        spec = self.spec
        # The same seed before every call: the same rays and phases, at other times.
        config.seed = spec.seed + 1
        self._start_s = number * spec.block_duration_s
        with torch.no_grad():
            h, delays = self._model(spec.samples_per_block, 1.0 / spec.sample_interval_s)
            # [batch, ues, ue antennas, cells, gNB antennas, times, prbs]
            response = cir_to_ofdm_channel(self._frequencies, h, delays)[0]
            power = _beamformed(response, torch.as_tensor(spec.serving_cell))
        return power.permute(2, 1, 0, 3)[:, :, :, None, :].to(torch.float32).numpy()


def _tensor(array: npt.NDArray[np.float64]) -> Any:
    import torch

    return torch.as_tensor(np.asarray(array), dtype=torch.float32)[None]


def _beamformed(response: Any, serving: Any) -> Any:
    """Return power gains of all links.

    Serving links: the largest singular value squared of each PRB's matrix, which is what maximum-ratio
    transmission and combining reach. The others: the mean over transmit antennas, what an interferer
    radiates towards a UE that it does not serve on average, seen by one receive antenna.

    Args:
        response: shape [ues, ue antennas, cells, gNB antennas, times, prbs].
        serving: shape [ues].

    Returns:
        shape [ues, cells, times, prbs].
    """
    import torch

    ues, antennas = response.shape[:2]
    power = (response.abs() ** 2).mean(dim=(1, 3))
    own = response[torch.arange(ues), :, serving]  # [ues, ue antennas, gNB antennas, times, prbs]
    if antennas == 1 or own.shape[2] == 1:
        best = (own.abs() ** 2).sum(dim=(1, 2))
    else:
        best = torch.linalg.matrix_norm(own.permute(0, 3, 4, 1, 2), ord=2) ** 2
    power[torch.arange(ues), serving] = best
    return power
