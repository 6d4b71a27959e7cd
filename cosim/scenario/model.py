# SPDX-License-Identifier: MIT
"""The whole scenario: its sections, what follows from them, and its hash."""

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from cosim.scenario import names
from cosim.scenario.base import Section, quantity
from cosim.scenario.carrier import BackhaulSection, CarrierSection
from cosim.scenario.channel import ChannelSection
from cosim.scenario.errors import CrossFieldError
from cosim.scenario.layout import (
    HandoverSection,
    LayoutSection,
    MobilitySection,
    hexagonal_cells,
)
from cosim.scenario.mac import MacSection
from cosim.scenario.radio import GnbSection, PositionM, UesSection
from cosim.scenario.run import (
    ModelsSection,
    ProfileOverride,
    RunSection,
    TracesSection,
    TruthSection,
)
from cosim.scenario.traffic import SemanticTraffic, Traffic

DEFAULT_HEIGHT_M = {"umi": 10.0, "uma": 25.0, "rma": 35.0, "inh": 3.0, "inf": 8.0, "distance": 25.0}
"""Antenna heights of TR 38.901 tables 7.2-1 to 7.2-4 (8 m: above the clutter of factory SH)."""
OTHER_HEIGHT_M = 10.0
"""Of models to which the height means nothing, and of traced scenes."""


class Cell(Section):
    """One cell: a gNB's antenna panel."""

    position_m: PositionM = quantity(..., "x, y and height of the antenna", unit="m")
    bearing_deg: float = quantity(
        0.0,
        "direction of the panel, anticlockwise from the x axis; only sectors have one",
        unit="degrees",
        ge=-360.0,
        le=360.0,
    )
    downtilt_deg: float = quantity(
        0.0, "tilt of the panel below the horizon", unit="degrees", ge=0.0, le=90.0
    )


def _default_cells(data: dict[str, Any]) -> tuple[Cell, ...]:
    gnb, channel = data["gnb"], data["channel"]
    default = DEFAULT_HEIGHT_M.get(channel.model, OTHER_HEIGHT_M)
    height_m = gnb.height_m if gnb.height_m is not None else default
    if data["layout"].kind == "hexagonal":
        return tuple(Cell(**cell) for cell in hexagonal_cells(data["layout"], height_m))
    return (Cell(position_m=(0.0, 0.0, height_m)),)


class Scenario(Section):
    """Everything about a run. Frozen; sections are attributes.

    Raises:
        pydantic.ValidationError: built in Python from wrong values; `load_scenario` raises
            `ScenarioError` instead, with a line for each problem.
    """

    name: str = quantity(
        ...,
        "short name; the run's folder begins with it",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$",
    )
    description: str = quantity("", "what the scenario shows", max_length=4000)
    run: RunSection = quantity(RunSection(), "duration and seed")
    carrier: CarrierSection = quantity(CarrierSection(), "carrier and frame structure")
    channel: ChannelSection = quantity(ChannelSection(), "radio channel")
    gnb: GnbSection = quantity(GnbSection(), "base stations")
    layout: LayoutSection = quantity(LayoutSection(), "hexagonal layouts")
    cells: Annotated[tuple[Cell, ...], Field(strict=False)] = quantity(
        text="cells; by default one at the origin",
        min_length=1,
        max_length=1000,
        default_factory=_default_cells,
    )
    ues: UesSection = quantity(UesSection(), "UEs")
    mobility: MobilitySection = quantity(MobilitySection(), "how UEs move")
    handover: HandoverSection = quantity(HandoverSection(), "changes of cell")
    mac: MacSection = quantity(MacSection(), "scheduling and link adaptation")
    backhaul: BackhaulSection = quantity(BackhaulSection(), "link to the edge server")
    traffic: Annotated[tuple[Traffic, ...], Field(strict=False)] = quantity(
        ..., "flows; one [[traffic]] table each kind", min_length=1, max_length=1000
    )
    models: ModelsSection = quantity(ModelsSection(), "models at the nodes")
    traces: TracesSection = quantity(TracesSection(), "what is written")
    truth: TruthSection = quantity(TruthSection(), "replay of blocks through the real code")
    profiles: dict[str, ProfileOverride] = quantity(
        text="changes to device profiles, [profiles.NAME]", default_factory=dict
    )

    @model_validator(mode="after")
    def _check_across(self) -> Self:
        from cosim.scenario.checks import cross_checks

        problems = cross_checks(self)
        if problems:
            raise CrossFieldError(problems)
        return self

    @property
    def drain_s(self) -> float:
        """Return the simulated time after duration_s: as given, else the longest deadline."""
        if self.run.drain_s is not None:
            return self.run.drain_s
        return max((t.deadline_s for t in self.semantic_traffic), default=0.0)

    @property
    def end_s(self) -> float:
        """Return the simulated time at which the simulation ends."""
        return self.run.duration_s + self.drain_s

    @property
    def prb_counts(self) -> tuple[int, ...]:
        """Return the physical resource blocks of each bandwidth part (TS 38.101 table 5.3.2-1)."""
        from cosim.scenario.carrier_checks import frequency_range, prbs

        fr = frequency_range(self.carrier.frequency_hz)
        counts = [prbs(p.bandwidth_mhz, p.numerology, fr) for p in self.carrier.all_parts]
        # None: no such carrier, which was refused when the scenario was made.
        return tuple(count for count in counts if count is not None)

    @property
    def prb_count(self) -> int:
        """Return the resource blocks of the first bandwidth part."""
        return self.prb_counts[0]

    @property
    def semantic_traffic(self) -> tuple[SemanticTraffic, ...]:
        """Return the semantic entries of `traffic`."""
        return tuple(t for t in self.traffic if isinstance(t, SemanticTraffic))

    def resolved(self) -> dict[str, Any]:
        """Return everything, defaults and derived values included, as plain JSON types.

        Keys that have no value (optional limits) are left out.
        """
        data = self.model_dump(mode="json", exclude_none=True)
        data["run"]["drain_s"] = self.drain_s
        # Without effect once the cells have positions, and derived from them if it was left out.
        data["gnb"].setdefault("height_m", self.cells[0].position_m[2])
        return data

    def resolved_toml(self) -> str:
        """Return the resolved scenario as a TOML file that explains every key."""
        from cosim.scenario.export import resolved_toml

        return resolved_toml(self)

    def content_hash(self) -> str:
        """Return a SHA-256 (hex) of all that can change a result: not the name or description.

        Of files that the scenario names, what they hold counts too.
        """
        data = self.resolved()
        del data["name"], data["description"]
        for key in ("weights", "backbone", "allow_hub"):
            del data["models"][key]  # where files are; what they hold counts, below
        for value in (self.mac.bler_table, self.channel.file, self.channel.scene):
            path = Path(value)
            if path.suffix and path.is_file():
                data[f"sha256 of {value}"] = hashlib.sha256(path.read_bytes()).hexdigest()
        for codec in sorted({traffic.codec for traffic in self.semantic_traffic}):
            for path in names.own_weights(self, codec).values():
                data[f"sha256 of {path.name}"] = hashlib.sha256(path.read_bytes()).hexdigest()
        text = json.dumps(data, sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()
