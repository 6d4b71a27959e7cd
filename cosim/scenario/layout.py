# SPDX-License-Identifier: MIT
"""The sections [layout], [mobility] and [handover]: many cells, and UEs that move among them."""

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from cosim.scenario.base import Section, quantity
from cosim.scenario.errors import Problem, show

if TYPE_CHECKING:
    from cosim.scenario.model import Scenario

Waypoint = Annotated[
    tuple[
        Annotated[float, Field(ge=0.0, le=86_400.0)],
        Annotated[float, Field(ge=-1e6, le=1e6)],
        Annotated[float, Field(ge=-1e6, le=1e6)],
    ],
    Field(strict=False),
]
"""Time in seconds, x and y in metres; TOML gives a list, hence not strict."""

Track = Annotated[tuple[Waypoint, ...], Field(strict=False)]


class LayoutSection(Section):
    """Where cells are, if they are not listed."""

    kind: Literal["list", "hexagonal"] = quantity(
        "list", "the [[cells]] as they are, or a hexagonal cluster of sites round the origin"
    )
    sites: Literal[1, 7, 19] = quantity(7, "sites of the cluster: 1 with 0, 1 or 2 rings round it")
    sectors: Literal[1, 3] = quantity(
        3,
        "cells of a site: one without direction, or three panels at bearings of 30, 150 and 270 "
        "degrees with the 65 degree element of TR 38.901",
        source="TR 38.901 tables 7.3-1 and 7.8-1",
    )
    inter_site_m: float = quantity(
        500.0,
        "distance between neighbouring sites",
        unit="m",
        source="TR 38.901 table 7.2-1: UMi 200, UMa 500",
        gt=0.0,
        le=1e5,
    )
    downtilt_deg: float = quantity(
        10.0, "mechanical downtilt of sectors' panels", unit="degrees", ge=0.0, le=90.0
    )
    wrap_around: bool = quantity(
        True,
        "repeat the cluster without end, so that cells at its edge have neighbours all round",
        source="TR 38.802 annex A.2: wrap-around of a hexagonal layout",
    )


class MobilitySection(Section):
    """How UEs move; the channel and ns-3 are given the same tracks."""

    model: Literal["fixed", "constant-velocity", "random-walk", "waypoints"] = quantity(
        "fixed",
        "fixed: UEs stay and ues.speed_m_s makes Doppler only; constant-velocity: straight on with "
        "that speed in a random direction; random-walk: a new direction every interval_s; "
        "waypoints: as listed",
    )
    interval_s: float = quantity(
        1.0, "time between changes of direction of a random walk", unit="s", gt=0.0, le=3600.0
    )
    radius_m: float | None = quantity(
        None,
        "a random walk turns back to where it began when it would leave this radius round it",
        unit="m",
        gt=0.0,
        le=1e5,
    )
    waypoints: Annotated[tuple[Track, ...], Field(strict=False)] = quantity(
        text="for each UE a list of [time in s, x, y]; before the first and after the last point "
        "a UE stands still",
        default_factory=tuple,
    )


class HandoverSection(Section):
    """Changes of cell by event A3 (TS 38.331 clause 5.5.4.4)."""

    enabled: bool = quantity(False, "UEs change to a better cell")
    a3_offset_db: float = quantity(
        3.0, "by how much a neighbour must be better", unit="dB", source="a3-Offset", ge=-15, le=15
    )
    hysteresis_db: float = quantity(
        1.0, "added to enter and to leave the event", unit="dB", source="TS 38.331", ge=0, le=15
    )
    time_to_trigger_s: float = quantity(
        0.16,
        "time that a neighbour must be better",
        unit="s",
        source="timeToTrigger, TS 38.331",
        ge=0.0,
        le=5.12,
    )
    measurement_period_s: float = quantity(
        0.04, "time between measurements of all cells", unit="s", gt=0.0, le=1.0
    )
    filter_coefficient: int = quantity(
        4, "k of the layer-3 filter", source="TS 38.331 clause 5.5.3.2", ge=0, le=19
    )
    preparation_s: float = quantity(
        0.02, "from the report until the UE leaves its cell", unit="s", ge=0.0, le=1.0
    )
    interruption_s: float = quantity(
        0.03, "from leaving the cell until data flows in the next one", unit="s", ge=0.0, le=1.0
    )
    path_switch_s: float = quantity(
        0.01, "from there until the core sends to the new cell", unit="s", ge=0.0, le=1.0
    )
    xn_delay_s: float = quantity(
        0.002, "time that a forwarded packet takes between gNBs", unit="s", ge=0.0, le=1.0
    )
    forwarding: bool = quantity(
        True, "packets that were not delivered go to the next cell instead of being lost"
    )


def hexagonal_cells(layout: LayoutSection, height_m: float) -> list[dict[str, Any]]:
    """Return the cells of a layout as [[cells]] tables, sector by sector of each site."""
    from sionna_phy.geometry import SECTOR_BEARINGS_DEG, hexagonal_sites

    tilt = layout.downtilt_deg if layout.sectors > 1 else 0.0
    return [
        {
            "position_m": (round(float(x), 6) + 0.0, round(float(y), 6) + 0.0, height_m),
            "bearing_deg": bearing,
            "downtilt_deg": tilt,
        }
        for x, y in hexagonal_sites(layout.sites, layout.inter_site_m)
        for bearing in SECTOR_BEARINGS_DEG[layout.sectors]
    ]


def check_layout(scenario: "Scenario") -> Iterator[Problem]:
    """Yield what is wrong with layout, mobility and handover."""
    layout, mobility, channel = scenario.layout, scenario.mobility, scenario.channel
    if layout.kind == "hexagonal":
        height_m = scenario.cells[0].position_m[2]
        wanted = hexagonal_cells(layout, height_m)
        given = [
            {
                "position_m": c.position_m,
                "bearing_deg": c.bearing_deg,
                "downtilt_deg": c.downtilt_deg,
            }
            for c in scenario.cells
        ]
        if wanted != given:
            yield Problem(
                "cells",
                f"{len(given)} cells",
                'none with layout.kind = "hexagonal", which places them',
            )
        if channel.model == "constant":
            yield Problem(
                "channel.model",
                show(channel.model),
                "a model with distances, such as umi or distance: with a constant gain no other "
                "cell is heard",
            )
    if scenario.handover.enabled and channel.model == "constant":
        yield Problem(
            "handover.enabled",
            "true",
            'only with a channel in which other cells are heard, not channel.model = "constant"',
        )
    if mobility.model == "waypoints":
        if len(mobility.waypoints) != scenario.ues.count:
            yield Problem(
                "mobility.waypoints",
                f"{len(mobility.waypoints)} lists",
                f"one for each UE: ues.count = {scenario.ues.count}",
            )
        for number, track in enumerate(mobility.waypoints):
            times = [point[0] for point in track]
            if not track or any(b <= a for a, b in pairwise(times)):
                yield Problem(
                    f"mobility.waypoints.{number}",
                    f"{len(track)} points",
                    "at least one point, and times that go up",
                )
    elif mobility.waypoints:
        yield Problem(
            "mobility.waypoints",
            f"{len(mobility.waypoints)} lists",
            'only with mobility.model = "waypoints"',
        )
