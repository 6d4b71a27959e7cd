# SPDX-License-Identifier: MIT
"""From a scenario to what will be simulated: positions, flows, arrivals. Pure and cheap."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from cosim.scenario import (
    Scenario,
    SemanticTraffic,
)
from cosim.scenario.traffic import Traffic
from cosim.seeding import derive_seed, generator
from cosim.tracks import make_tracks
from sionna_phy.geometry import element_gain_db, nearest_images, positions_at, wrap_lattice

FIRST_PORT = 5000
FIRST_FLOW = 1  # 0 means "no flow" and, in a message number, "no message"


@dataclass(frozen=True)
class Flow:
    """A UDP flow of one UE with its QoS.

    Attributes:
        number: its name in every trace.
        ue: the UE at its one end; the edge server is at the other.
        entry: which `[[traffic]]` entry it comes from.
        direction: "ul" from the UE, "dl" to it.
    """

    number: int
    ue: int
    entry: int
    direction: Literal["dl", "ul"]
    traffic: Traffic

    @property
    def port(self) -> int:
        """Return the UDP port that the flow's packets go to."""
        return FIRST_PORT + self.number


def has_feedback(traffic: object) -> bool:
    """Return whether an entry's UEs are answered over the downlink."""
    return isinstance(traffic, SemanticTraffic) and traffic.feedback != "none"


@dataclass(frozen=True)
class Plan:
    """A scenario with its random choices made.

    Attributes:
        cell_positions_m: shape [cells, 3].
        ue_positions_m: shape [ues, 3].
        ue_velocities_m_s: shape [ues, 3].
        ue_indoor: shape [ues].
        serving_cell: shape [ues], the nearest cell, in whose sector the UE is.
        ue_tracks_m: where UEs go, see `cosim.tracks`; None if they stay.
        wrap_lattice_m: vectors by which the layout is repeated, shape [2, 2], or None.
        cell_orientations_rad: bearing, downtilt and slant, shape [cells, 3].
        flows: in order of their numbers.
    """

    scenario: Scenario
    cell_positions_m: np.ndarray
    ue_positions_m: np.ndarray
    ue_velocities_m_s: np.ndarray
    ue_indoor: np.ndarray
    serving_cell: np.ndarray
    flows: tuple[Flow, ...]
    ue_tracks_m: np.ndarray | None = None
    wrap_lattice_m: np.ndarray | None = None
    cell_orientations_rad: np.ndarray | None = None

    @property
    def any_cell_serves(self) -> bool:
        """Return whether UEs may change their cells."""
        return self.scenario.handover.enabled and len(self.cell_positions_m) > 1

    @property
    def has_sectors(self) -> bool:
        """Return whether cells are sectors with a direction."""
        layout = self.scenario.layout
        return layout.kind == "hexagonal" and layout.sectors > 1

    @property
    def edge_node(self) -> int:
        """Return the edge server's node number."""
        return len(self.ue_positions_m)

    @property
    def duration_s(self) -> float:
        """Return the simulated time, with the time after the last message."""
        return self.scenario.end_s

    def seed(self, *names: str | int, bits: int = 63) -> int:
        """Return a derived seed; see `cosim.seeding`."""
        return derive_seed(self.scenario.run.seed, *names, bits=bits)

    def arrivals_s(self, flow: Flow) -> np.ndarray:
        """Return the arrival times of a semantic flow in seconds, ascending, shape [messages].

        Periodic sources start at a random phase, so that UEs do not beat in step.
        """
        traffic = flow.traffic
        assert isinstance(traffic, SemanticTraffic)
        rng = generator(self.scenario.run.seed, "arrivals", flow.number)
        horizon_s = self.scenario.run.duration_s
        if traffic.arrival == "periodic":
            period_s = 1.0 / traffic.rate_hz
            return np.arange(rng.uniform(0.0, period_s), horizon_s, period_s)
        # A Poisson process: given their number, arrivals are uniform.
        count = rng.poisson(traffic.rate_hz * horizon_s)
        return np.sort(rng.uniform(0.0, horizon_s, count))

    def sample_indices(self, flow: Flow, count: int, available: int) -> np.ndarray:
        """Return which samples of the test split arrive, shape [count]; none twice if they suffice.

        The choice depends on the UE and the task alone: two codecs that do the same task at the
        same UE are given the same samples, so that their accuracies can be compared pair by pair.
        """
        traffic = flow.traffic
        assert isinstance(traffic, SemanticTraffic)
        rng = generator(self.scenario.run.seed, "samples", flow.ue, traffic.task)
        repeats = -(-count // available)
        orders = [rng.permutation(available) for _ in range(repeats)]
        return np.concatenate(orders, dtype=np.int64)[:count] if orders else np.zeros(0, np.int64)


def make_plan(scenario: Scenario) -> Plan:
    """Draw positions and lay out the flows of `scenario`."""
    rng = generator(scenario.run.seed, "topology")
    cells = np.array([cell.position_m for cell in scenario.cells], dtype=np.float64)
    ues = scenario.ues
    if ues.positions_m is not None:
        positions = np.array(ues.positions_m, dtype=np.float64)
    else:
        # Uniform over the area of the ring, not over its radius.
        home = np.arange(ues.count) % len(cells)
        radius = np.sqrt(rng.uniform(ues.min_distance_m**2, ues.max_distance_m**2, size=ues.count))
        angle = rng.uniform(0.0, 2.0 * np.pi, size=ues.count)
        offset = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
        height = np.full((ues.count, 1), ues.height_m)
        positions = np.concatenate([cells[home, :2] + offset, height], axis=1)
    heading = rng.uniform(0.0, 2.0 * np.pi, size=len(positions))
    velocities = ues.speed_m_s * np.stack(
        [np.cos(heading), np.sin(heading), np.zeros_like(heading)], axis=1
    )
    indoor = rng.uniform(size=len(positions)) < ues.indoor_fraction
    layout = scenario.layout
    tracks = make_tracks(scenario, positions, velocities)
    if tracks is not None:
        positions = positions_at(tracks, np.zeros(1))[0]
        # Doppler of models without tracks, and ns-3's animation: the first leg's velocity.
        velocities = (positions_at(tracks, np.array([1e-3]))[0] - positions) / 1e-3
    lattice = None
    if layout.kind == "hexagonal" and layout.wrap_around:
        lattice = wrap_lattice(layout.sites, layout.inter_site_m)
    orientations = np.radians([[c.bearing_deg, c.downtilt_deg, 0.0] for c in scenario.cells])
    serving = _serving_cell(scenario, cells, positions, lattice, orientations)
    flows: list[Flow] = []
    for entry, traffic in enumerate(scenario.traffic):
        chosen = range(len(positions)) if traffic.ues == "all" else traffic.ues
        directions: tuple[Literal["dl", "ul"], ...] = (
            ("ul", "dl")
            if traffic.direction == "both" or has_feedback(traffic)
            else (traffic.direction,)
        )
        for ue in chosen:
            for direction in directions:
                number = FIRST_FLOW + len(flows)
                flows.append(Flow(number, int(ue), entry, direction, traffic))
    return Plan(
        scenario=scenario,
        cell_positions_m=cells,
        ue_positions_m=positions,
        ue_velocities_m_s=velocities,
        ue_indoor=indoor,
        serving_cell=serving,
        flows=tuple(flows),
        ue_tracks_m=tracks,
        wrap_lattice_m=lattice,
        cell_orientations_rad=orientations,
    )


def _serving_cell(
    scenario: Scenario,
    cells: np.ndarray,
    ues: np.ndarray,
    lattice: np.ndarray | None,
    orientations: np.ndarray,
) -> np.ndarray:
    """Return the cell that is nearest to each UE and, of one site's, turned towards it most."""
    images = nearest_images(cells, ues, lattice)
    distance = np.linalg.norm(ues[None, :, :2] - images[..., :2], axis=2)
    if scenario.layout.kind == "list" or scenario.layout.sectors == 1:
        return np.asarray(np.argmin(distance, axis=0))
    gain_db = element_gain_db(images, ues, orientations)
    nearest = distance <= distance.min(axis=0) + 1e-6
    return np.asarray(np.argmax(np.where(nearest, gain_db, -np.inf), axis=0))
