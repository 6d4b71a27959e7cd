# SPDX-License-Identifier: MIT
"""Path loss and shadowing that follow a moving UE.

Path loss is the model's at each place, with the line-of-sight state of the start. Shadowing is a
random field over the plane, one a cell, so that UEs near each other are shadowed alike (TR 38.901
clause 7.6.3). Its autocorrelation is exp(-d / d_corr) (clause 7.4.4). It is a sum of plane waves
whose wave numbers follow the spectrum of that function in two dimensions, and can be evaluated
anywhere: no place needs to know those before it. Conditioned on the value S(0) that Sionna drew at
the start x(0),

    S(x) = r S(0) + sigma (F(x) - r F(x(0))),  r = exp(-|x - x(0)| / d_corr),

which has the field's variance everywhere and begins at S(0).
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from sionna_phy.channel.spec import ChannelSpec

Doubles = npt.NDArray[np.float64]
WAVES = 256
STEP_M = 1.0
"""Between two places at which path loss and shadowing are evaluated; linear in dB between them. The
shortest correlation distance of TR 38.901 table 7.5-6 is 6 m."""
_SHADOWING = 3
"""Place of shadow fading among Sionna's large-scale parameters."""


class ShadowField:
    """Gaussian fields of variance 1, one a cell, with autocorrelation exp(-distance).

    Args:
        cells: how many.
        seed: of the waves.
    """

    def __init__(self, cells: int, seed: int) -> None:
        rng = np.random.Generator(np.random.PCG64([seed, 2]))
        # Hankel transform of exp(-d): density k / (1 + k^2)^(3/2), so that the distribution is
        # 1 - (1 + k^2)^(-1/2)
        number = np.sqrt(1.0 / (1.0 - rng.uniform(size=(cells, WAVES))) ** 2 - 1.0)
        angle = rng.uniform(0.0, 2 * np.pi, (cells, WAVES))
        self._waves = number[..., None] * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
        self._phase = rng.uniform(0.0, 2 * np.pi, (cells, WAVES))

    def at(self, places: Doubles) -> Doubles:
        """Return the fields' values.

        Args:
            places: in units of the correlation distance, shape [cells, ues, 2].

        Returns:
            Shape [cells, ues].
        """
        phase = np.einsum("cwx,cux->cuw", self._waves, places) + self._phase[:, None, :]
        return np.asarray(np.sqrt(2.0 / WAVES) * np.cos(phase).sum(axis=-1))


class LargeScaleTrack:
    """Changes of path loss and shadowing since the start.

    Args:
        spec: of the channel.
        scenario: Sionna's, with the topology of the start; it is moved about from now on.
        shadowing_db: gain at the start, shape [cells, ues].
        los: line of sight, shape [cells, ues].
    """

    def __init__(
        self,
        spec: ChannelSpec,
        scenario: Any,
        shadowing_db: Doubles,
        los: npt.NDArray[np.bool_],
    ) -> None:
        self._spec = spec
        self._scenario = scenario
        self._shadowing_db = shadowing_db
        self._los = los
        self._deviation_db = 10 * scenario.lsp_log_std[0, ..., _SHADOWING].double().numpy()
        self._distance_m = scenario.get_param("corrDistSF")[0].double().numpy()
        self._field = ShadowField(len(spec.cell_positions_m), spec.seed)
        self._start = self._field.at(self._scaled(0.0))
        self._loss_db = self._path_loss_db(0.0)
        fastest = float(np.linalg.norm(spec.ue_velocities_m_s, axis=1).max())
        blocks = int(STEP_M / max(fastest * spec.block_duration_s, 1e-12))
        self._step_s = max(1, min(blocks, 10**6)) * spec.block_duration_s
        self._known: dict[int, Doubles] = {}

    def change_db(self, number: int) -> Doubles:
        """Return the change of gain in block `number`, dB, shape [times, cells, ues]."""
        spec = self._spec
        times = number * spec.block_duration_s + spec.sample_interval_s * np.arange(
            spec.samples_per_block
        )
        at = times / self._step_s
        first = int(np.floor(at[0] + 1e-9))
        weight = (at - first)[:, None, None]
        return np.asarray((1 - weight) * self._knot(first) + weight * self._knot(first + 1))

    def _knot(self, index: int) -> Doubles:
        if index not in self._known:
            if len(self._known) > 8:  # blocks are asked for in order: two are enough
                self._known.clear()
            self._known[index] = self._change_at(index * self._step_s)
        return self._known[index]

    def _change_at(self, t_s: float) -> Doubles:
        moved = np.linalg.norm(t_s * self._spec.ue_velocities_m_s[:, :2], axis=1)
        ratio = np.exp(-moved[None, :] / self._distance_m)
        change = self._loss_db - self._path_loss_db(t_s)
        if self._spec.shadowing:
            field = self._field.at(self._scaled(t_s)) - ratio * self._start
            change = change + (ratio - 1) * self._shadowing_db + self._deviation_db * field
        return np.asarray(change)

    def _places(self, t_s: float) -> Doubles:
        return np.asarray(self._spec.ue_positions_m + t_s * self._spec.ue_velocities_m_s)

    def _scaled(self, t_s: float) -> Doubles:
        return np.asarray(self._places(t_s)[None, :, :2] / self._distance_m[..., None])

    def _path_loss_db(self, t_s: float) -> Doubles:
        import torch

        if not self._spec.pathloss:
            return np.zeros_like(self._shadowing_db)
        self._scenario.set_topology(
            ut_loc=torch.as_tensor(self._places(t_s), dtype=torch.float32)[None],
            los=torch.as_tensor(self._los)[None],
        )
        return np.asarray(self._scenario.basic_pathloss[0].double().numpy().copy())
