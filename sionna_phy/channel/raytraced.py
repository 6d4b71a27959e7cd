# SPDX-License-Identifier: MIT
"""Ray tracing: all links of a scene solved in one call a block, in a guarded child process.

The paths between all cells and all UEs are found at the beginning of a block; until the fastest UE
has moved by `rt_step_m` each path turns with its Doppler shift, then they are found anew, with
their exact geometry. The surfaces that may make a path are looked for only every `rt_search_m`,
because there the solver spends most of its time; a path over other surfaces appears then. So moving
UEs see paths appear, disappear and change their delays, and phases that go on as the distances do.
Exact are the geometry where paths are found, the delays and the phases there. Approximations are
that amplitudes, delays and directions hold for a step (a path's phase is then off by
pi s^2 / (lambda R) at most: 0.18 rad after 0.5 m at 50 m and 3.5 GHz), and what the solver leaves
out (diffuse scattering and diffraction are off; `rt_max_depth` interactions at most).
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sionna_phy.channel.base import ChannelProducer
from sionna_phy.channel.llvm import REMEDY, VARIABLE, find_llvm
from sionna_phy.channel.ray_gains import RayGains
from sionna_phy.channel.rays import RaySet
from sionna_phy.channel.spec import ChannelSpec, ChannelSpecError
from sionna_phy.geometry import fastest_m_s, positions_at
from sionna_phy.threads import one_thread

SEED_BITS = 31
LAST_WORDS = 600
LATER_S = 1e-3
"""For a UE's velocity along its track."""


class RayTracingError(RuntimeError):
    """The ray tracer's process failed; the text has its words and the remedy."""


class TracerProcess:
    """The child that owns Sionna RT: whatever happens in it, this process lives on.

    Args:
        options: see `tracer.Tracer`.

    Raises:
        LlvmError: no LLVM library was found.
        RayTracingError: the child could not start.
        ChannelSpecError: it refused the description.
    """

    def __init__(self, options: dict[str, Any]) -> None:
        self._library = find_llvm()
        self._folder = tempfile.TemporaryDirectory(prefix="semcosim-rt-")
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        self._child = subprocess.Popen(
            [sys.executable, "-m", "sionna_phy.channel.tracer"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            text=True,
            env={**os.environ, VARIABLE: str(self._library)},
        )
        self._ask(options)

    def solve(
        self,
        places_m: npt.NDArray[np.float64],
        velocities_m_s: npt.NDArray[np.float64],
        searched_m: npt.NDArray[np.float64] | None = None,
    ) -> dict[str, npt.NDArray[Any]]:
        """Return the paths of all links; see `tracer.Tracer.solve`."""
        file = Path(self._folder.name) / "paths.npz"
        self._ask(
            {
                "places_m": places_m.tolist(),
                "velocities_m_s": velocities_m_s.tolist(),
                "searched_m": None if searched_m is None else searched_m.tolist(),
                "file": str(file),
            }
        )
        with np.load(file) as arrays:
            return dict(arrays)

    def _ask(self, request: dict[str, Any]) -> None:
        child = self._child
        assert child.stdin is not None and child.stdout is not None
        try:
            print(json.dumps(request), file=child.stdin, flush=True)
            line = child.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            code = child.wait()
            raise RayTracingError(
                f"the ray tracer's process ended with status {code} (LLVM library "
                f"{self._library}): {self._last_words()}\nIf it is the library: {REMEDY}"
            )
        answer = json.loads(line)
        if "error" in answer:
            raise ChannelSpecError(answer["error"])

    def _last_words(self) -> str:
        self._stderr.seek(0)
        return self._stderr.read()[-LAST_WORDS:].decode(errors="replace").strip() or "no message"

    def close(self) -> None:
        """End the child."""
        if self._stderr.closed:
            return
        if self._child.stdin is not None and not self._child.stdin.closed:
            with contextlib.suppress(BrokenPipeError):
                self._child.stdin.close()
        if self._child.stdout is not None:
            self._child.stdout.close()
        try:
            self._child.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        self._stderr.close()
        self._folder.cleanup()

    def __del__(self) -> None:
        # Interpreters end in any order; a child whose input is closed ends by itself.
        with contextlib.suppress(Exception):
            self.close()


class RayTracedProducer(ChannelProducer):
    """Blocks from a scene; `spec.scene` names one of Sionna's or a file in Mitsuba's format."""

    def __init__(self, spec: ChannelSpec) -> None:
        super().__init__(spec)
        if not spec.scene:
            raise ChannelSpecError('scene: the model "rt" needs a scene, such as "munich"')
        self._process: TracerProcess | None = None
        if spec.ue_tracks_m is None:
            fastest = float(np.linalg.norm(spec.ue_velocities_m_s, axis=1).max())
        else:
            fastest = fastest_m_s(spec.ue_tracks_m)
        step = spec.rt_step_m / max(fastest * spec.block_duration_s, 1e-12)
        self.blocks_of_a_solve = max(1, int(min(step + 1e-9, 10**9)))
        solves = max(1, int(spec.rt_search_m / spec.rt_step_m + 1e-9))
        self.blocks_of_a_search = solves * self.blocks_of_a_solve
        self._found: tuple[int, RayGains] | None = None

    def prepare(self) -> None:
        """Start the ray tracer and load the scene."""
        if self._process is None:
            self._process = TracerProcess(tracer_options(self.spec))

    def rays(self, number: int) -> RaySet:
        """Return the rays of all links at the beginning of block `number`."""
        self.prepare()
        assert self._process is not None
        spec = self.spec
        searched, _ = self._places(number // self.blocks_of_a_search * self.blocks_of_a_search)
        places, velocities = self._places(number)
        return ray_set(self._process.solve(places, velocities, searched), spec)

    def _places(self, number: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Return places and velocities at the beginning of a block, both of shape [ues, 3]."""
        spec = self.spec
        start_s = number * spec.block_duration_s
        if spec.ue_tracks_m is None:
            places = spec.ue_positions_m + start_s * spec.ue_velocities_m_s
            return places, spec.ue_velocities_m_s
        places, later = positions_at(spec.ue_tracks_m, np.array([start_s, start_s + LATER_S]))
        return places, (later - places) / LATER_S

    def gains(self, number: int) -> npt.NDArray[np.float32]:
        """Return block `number`. If no UE moves, the paths are found once."""
        first = number // self.blocks_of_a_solve * self.blocks_of_a_solve
        if self._found is None or self._found[0] != first:
            with one_thread():
                rays = self.rays(first)
                self._found = first, RayGains(rays, self.spec, blocks=self.blocks_of_a_solve)
        return self._found[1].gains(number - first)

    def close(self) -> None:
        """End the ray tracer's process."""
        if self._process is not None:
            self._process.close()
            self._process = None


def tracer_options(spec: ChannelSpec) -> dict[str, Any]:
    """Return the first request of a ray tracer's process."""
    cells = np.asarray(spec.cell_positions_m, dtype=np.float64)
    turned = spec.cell_orientations_rad
    return {
        "scene": spec.scene,
        "frequency_hz": spec.carrier_frequency_hz,
        "cells_m": cells.tolist(),
        "orientations_rad": np.zeros_like(cells).tolist() if turned is None else turned.tolist(),
        "rows": spec.gnb_rows,
        "columns": spec.gnb_columns,
        "dual": spec.gnb_polarisation == "dual",
        "pattern": spec.gnb_pattern,
        "ue_antennas": spec.ue_antennas,
        "max_depth": spec.rt_max_depth,
        "samples": spec.rt_samples,
        "paths": spec.rt_paths,
        "seed": spec.seed % 2**SEED_BITS,
    }


def ray_set(arrays: dict[str, npt.NDArray[Any]], spec: ChannelSpec) -> RaySet:
    """Return a tracer's arrays as rays: each path is one ray."""
    import torch

    a, tau, doppler = (torch.as_tensor(arrays[name]) for name in ("a", "tau", "doppler"))
    if a.shape[-1] == 0:  # nobody is reached: one path of no power
        a = torch.zeros(*a.shape[:-1], 1, dtype=torch.complex64)
        tau, doppler = (torch.zeros(*x.shape[:-1], 1, dtype=torch.float64) for x in (tau, doppler))
    there = tau >= 0
    # [ues, ue ant, cells, gnb ant, paths] to [cells, ues, paths, pairs, rays]
    amplitude = a.permute(2, 0, 4, 1, 3).flatten(3)[..., None]
    amplitude = torch.where(there.permute(1, 0, 2)[..., None, None], amplitude, 0.0)
    return RaySet(
        amplitude=amplitude.to(torch.complex64).contiguous(),
        doppler_hz=torch.where(there, doppler, 0.0).permute(1, 0, 2)[..., None].contiguous(),
        delay_s=torch.where(there, tau, 0.0).permute(1, 0, 2).contiguous(),
        ue_antennas=spec.ue_antennas,
        gnb_antennas=spec.gnb_antennas,
    )
