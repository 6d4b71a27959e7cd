# SPDX-License-Identifier: MIT
"""Where UEs go: tracks as points in time, the same for the channel producer and for ns-3."""

import numpy as np
import numpy.typing as npt

from cosim.scenario import Scenario
from cosim.seeding import generator

Array = npt.NDArray[np.float64]


def make_tracks(scenario: Scenario, positions_m: Array, velocities_m_s: Array) -> Array | None:
    """Return the tracks of all UEs, or None if they stay where they are.

    Args:
        scenario: its [mobility] section.
        positions_m: at time 0, shape [ues, 3].
        velocities_m_s: at time 0, shape [ues, 3].

    Returns:
        Time in seconds, x, y and z in metres of each point, shape [ues, points, 4]; shorter tracks
        repeat their last point.
    """
    mobility = scenario.mobility
    end_s = scenario.end_s
    tracks: list[Array]
    if mobility.model == "fixed":
        return None
    if mobility.model == "constant-velocity":
        first = np.column_stack([np.zeros(len(positions_m)), positions_m])
        last = np.column_stack(
            [np.full(len(positions_m), end_s), positions_m + velocities_m_s * end_s]
        )
        return np.stack([first, last], axis=1)
    if mobility.model == "waypoints":
        tracks = [
            np.array([(t, x, y, scenario.ues.height_m) for t, x, y in track])
            for track in mobility.waypoints
        ]
    else:
        tracks = [_walk(scenario, number, position) for number, position in enumerate(positions_m)]
    longest = max(len(track) for track in tracks)
    return np.stack([np.pad(t, ((0, longest - len(t)), (0, 0)), mode="edge") for t in tracks])


def _walk(scenario: Scenario, number: int, start_m: Array) -> Array:
    """Return a random walk: straight lines of one duration, each in a direction of its own."""
    mobility = scenario.mobility
    rng = generator(scenario.run.seed, "mobility", number)
    step_m = scenario.ues.speed_m_s * mobility.interval_s
    points = [np.concatenate([[0.0], start_m])]
    count = int(np.ceil(scenario.end_s / mobility.interval_s))
    for leg in range(1, count + 1):
        here = points[-1][1:]
        heading = rng.uniform(0.0, 2.0 * np.pi)
        there = here + step_m * np.array([np.cos(heading), np.sin(heading), 0.0])
        home = start_m - here
        if mobility.radius_m is not None and np.hypot(*(there - start_m)[:2]) > mobility.radius_m:
            distance = float(np.hypot(*home[:2]))
            there = here + home * min(step_m / distance, 1.0) if distance > 0 else here
        points.append(np.concatenate([[leg * mobility.interval_s], there]))
    return np.array(points)
