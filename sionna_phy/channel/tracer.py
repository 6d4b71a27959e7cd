# SPDX-License-Identifier: MIT
"""The ray tracer's own process: `python -m sionna_phy.channel.tracer`.

It reads one JSON object a line from standard input. The first describes the scene; every further
one asks for the paths to UEs at given places and names the file to write them to. Each is answered
with one line, {"ok": ...} or {"error": text}. It ends when its input does.

All links are solved in one call. Most of its time goes into looking for candidates: every ray tests
from every point that it hits whether it sees each of the receivers. What is found are sequences of
surfaces, which stay the same while receivers move a little. So a request can name where candidates
are to be those of; they are kept, and only the rest is done anew: the points on the surfaces, what
stands in between, fields and delays. The direct path has no candidates and is always looked for.

What Sionna's solver would silently lose is an error here: a full
buffer of candidate paths. Candidates are told apart by hashes; the solver's table of a million
entries is made larger, because with many receivers two candidates that fall on one entry cost a
path (Sionna's issue 1172 is of this kind).
"""

import copy
import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

HASH_ENTRIES = 2**22
"""Of 2000 candidates, half a pair is expected to share an entry; two pairs with a million."""


class Tracer:
    """A scene with its cells, and a solver.

    Args:
        options: `scene` (a name of Sionna's or a file), `frequency_hz`, `cells_m`,
            `orientations_rad`, `rows`, `columns`, `dual`, `pattern`, `ue_antennas`, `max_depth`,
            `samples`, `paths`, `seed`.
    """

    def __init__(self, options: dict[str, Any]) -> None:
        import sionna.rt as rt
        from sionna.rt.path_solvers.sb_candidate_generator import SBCandidateGenerator

        SBCandidateGenerator.MIN_SPEC_COUNT_SIZE = HASH_ENTRIES
        self._rt = rt
        self._options = options
        name = options["scene"]
        shipped = getattr(rt.scene, name, None) if name.isidentifier() else None
        if shipped is None and not Path(name).is_file():
            names = ", ".join(n for n in dir(rt.scene) if _is_scene(getattr(rt.scene, n)))
            raise ValueError(f"scene: {name!r} is neither a file nor one of {names}")
        self._scene = rt.load_scene(shipped or name)
        self._scene.frequency = options["frequency_hz"]
        half = {"vertical_spacing": 0.5, "horizontal_spacing": 0.5}
        self._scene.tx_array = rt.PlanarArray(
            num_rows=options["rows"],
            num_cols=options["columns"],
            pattern={"omni": "iso", "38.901": "tr38901"}[options["pattern"]],
            polarization="cross" if options["dual"] else "V",
            **half,
        )
        self._scene.rx_array = rt.PlanarArray(
            num_rows=1, num_cols=options["ue_antennas"], pattern="iso", polarization="V", **half
        )
        for number, place in enumerate(options["cells_m"]):
            orientation = options["orientations_rad"][number]
            self._scene.add(
                rt.Transmitter(f"cell{number}", position=place, orientation=orientation)
            )
        self._receivers: list[Any] = []
        self._solver = rt.PathSolver(deterministic=True)
        self._candidates = self._solver._candidate_generator
        self._solver._candidate_generator = self._generate
        self._most = 0
        self._kept: Any = None
        self._kept_of: list[list[float]] | None = None

    def _generate(self, **arguments: Any) -> Any:
        """Find candidates or take those that are kept.

        Notes how full the fullest source's buffer is.
        """
        import drjit as dr

        if arguments["max_depth"] == 0:
            return self._candidates(**arguments)
        if self._kept is not None:
            return _copy(self._kept)
        found = self._candidates(**arguments)
        found.schedule()
        dr.eval()
        self._kept = _copy(found)
        count = int(np.asarray(found.paths_counter).reshape(-1)[0])
        sources = np.asarray(found.source_indices).reshape(-1)[:count]
        self._most = int(np.bincount(sources).max()) if count else 0
        return found

    def solve(
        self,
        places: list[list[float]],
        velocities: list[list[float]],
        searched: list[list[float]] | None = None,
    ) -> dict[str, Any]:
        """Return the paths of all links as arrays.

        Args:
            places: of the UEs in metres.
            velocities: m/s.
            searched: where the UEs are or were when candidates were looked for; None: at `places`.

        Returns:
            `a` complex64 [ues, ue antennas, cells, gnb antennas, paths], with the phase that the
            delay gives at the carrier; `tau` seconds and `doppler` hertz, both [ues, cells,
            paths]; `tau` is negative where there is no path.

        Raises:
            ValueError: the buffer was too small.
        """
        searched = searched or places
        if searched != self._kept_of:
            self._kept, self._kept_of = None, searched
            if searched != places and self._options["max_depth"] > 0:
                self._put(searched, velocities)
                self._solve(False, self._options["max_depth"], len(places))
        self._put(places, velocities)
        parts = [self._solve(True, 0, len(places))]
        if self._options["max_depth"] > 0:
            parts.append(self._solve(False, self._options["max_depth"], len(places)))
        return {name: np.concatenate([part[name] for part in parts], axis=-1) for name in parts[0]}

    def _put(self, places: list[list[float]], velocities: list[list[float]]) -> None:
        import drjit as dr
        import mitsuba as mi

        rt = self._rt
        while len(self._receivers) > len(places):
            self._scene.remove(self._receivers.pop().name)
        for number, (place, velocity) in enumerate(zip(places, velocities, strict=True)):
            if number == len(self._receivers):
                receiver = rt.Receiver(f"ue{number}", position=place)
                self._scene.add(receiver)
                self._receivers.append(receiver)
            # Opaque: numbers would become part of the compiled kernels, which then would be
            # compiled anew for each place.
            self._receivers[number].position = dr.opaque(mi.Point3f(place))
            self._receivers[number].velocity = dr.opaque(mi.Vector3f(velocity))

    def _solve(self, direct: bool, depth: int, ues: int) -> dict[str, Any]:
        """Return the direct paths, or those of 1 to `depth` interactions."""
        options = self._options
        room = options["paths"] * ues
        self._most = 0
        paths = self._solver(
            self._scene,
            max_depth=depth,
            los=direct,
            samples_per_src=options["samples"],
            max_num_paths_per_src=room,
            synthetic_array=True,
            seed=options["seed"],
        )
        if self._most >= room:
            self._kept = self._kept_of = None
            raise ValueError(
                f"rt_paths: a cell has {self._most} or more candidate paths, room for {room} "
                f"({options['paths']} a cell and UE): paths would be lost; raise rt_paths"
            )
        a, tau = paths.cir(normalize_delays=False, out_type="numpy")
        return {
            "a": np.asarray(a)[..., 0].astype(np.complex64),
            "tau": np.asarray(tau, dtype=np.float64),
            "doppler": np.asarray(paths.doppler.numpy(), dtype=np.float64),
        }


def _copy(buffer: Any) -> Any:
    """Return a copy of the solver's buffer of paths that nothing done to the original changes."""
    import drjit as dr

    twin = copy.copy(buffer)
    for name, value in vars(buffer).items():
        if dr.is_array_v(value):
            setattr(twin, name, type(value)(value))
    return twin


def _is_scene(value: Any) -> bool:
    return isinstance(value, str) and value.endswith(".xml")


def main() -> int:
    """Answer requests until the input ends."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what libraries print must not come between the answers
    tracer: Tracer | None = None
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if tracer is None:
                tracer = Tracer(request)
                answer: dict[str, Any] = {"ok": True}
            else:
                arrays = tracer.solve(
                    request["places_m"], request["velocities_m_s"], request["searched_m"]
                )
                np.savez(request["file"], **arrays)
                answer = {"ok": request["file"]}
        except Exception as error:  # the parent reports it
            answer = {"error": str(error) or type(error).__name__}
        print(json.dumps(answer), file=answers, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
