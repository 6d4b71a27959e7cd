# SPDX-License-Identifier: MIT
"""The sections of the ends of the radio link: gNBs and UEs."""

from typing import Annotated, Literal

from pydantic import Field

from cosim.scenario.base import Section, quantity

PositionM = Annotated[
    tuple[
        Annotated[float, Field(ge=-1e6, le=1e6)],
        Annotated[float, Field(ge=-1e6, le=1e6)],
        Annotated[float, Field(ge=0.0, le=1e4)],
    ],
    Field(strict=False),
]
"""x, y and height above ground in metres; TOML gives a list, hence not strict."""


class GnbSection(Section):
    """What all cells have in common."""

    tx_power_dbm: float = quantity(
        33.0, "total transmit power over the carrier", unit="dBm", ge=-40.0, le=60.0
    )
    noise_figure_db: float = quantity(
        5.0, "receiver noise figure", unit="dB", source="TR 38.802 table A.2.1-1", ge=0.0, le=30.0
    )
    height_m: float | None = quantity(
        None,
        "antenna height of the one cell that exists when no [[cells]] are given; by default the "
        "channel model's: umi 10, uma 25, rma 35",
        unit="m",
        source="TR 38.901 tables 7.2-1 and 7.2-3",
        gt=0.0,
        le=1000.0,
    )
    antenna_rows: int = quantity(2, "rows of the antenna panel", ge=1, le=64)
    antenna_columns: int = quantity(2, "columns of the antenna panel", ge=1, le=64)
    polarisation: Literal["single", "dual"] = quantity(
        "single",
        "single (vertical) or dual (cross-polarised) elements",
        source="TR 38.901 clause 7.3",
    )


class UesSection(Section):
    """All UEs."""

    count: int = quantity(
        8,
        "number of UEs",
        source="at most 65 519 C-RNTI values, TS 38.321 table 7.1-1",
        ge=1,
        le=65_519,
    )
    placement: Literal["disc", "list"] = quantity(
        "disc", "uniform over a ring round the cells in turn, or positions_m"
    )
    min_distance_m: float = quantity(
        10.0,
        "inner radius of the ring",
        unit="m",
        source="10 m: TR 38.901 table 7.4.1-1 (validity of the path loss)",
        ge=0.0,
        le=1e5,
    )
    max_distance_m: float = quantity(200.0, "outer radius of the ring", unit="m", gt=0.0, le=1e5)
    positions_m: Annotated[tuple[PositionM, ...], Field(strict=False)] | None = quantity(
        None, 'x, y and height of each UE; only with placement = "list"', unit="m"
    )
    speed_m_s: float = quantity(
        0.8333,
        "speed of every UE in a random direction",
        unit="m/s",
        source="3 km/h: TR 38.901 table 7.2-1",
        ge=0.0,
        le=140.0,
    )
    height_m: float = quantity(
        1.5,
        "antenna height of UEs that are placed on the ring",
        unit="m",
        source="TR 38.901 table 7.2-1",
        gt=0.0,
        le=1000.0,
    )
    indoor_fraction: float = quantity(
        0.0,
        "probability that a UE is indoors, with the penetration loss of its building",
        source="TR 38.901 clause 7.4.3",
        ge=0.0,
        le=1.0,
    )
    tx_power_dbm: float = quantity(
        23.0,
        "maximum transmit power",
        unit="dBm",
        source="power class 3, TS 38.101-1 table 6.2.1-1",
        ge=-40.0,
        le=40.0,
    )
    noise_figure_db: float = quantity(
        9.0, "receiver noise figure", unit="dB", source="TR 38.802 table A.2.1-1", ge=0.0, le=30.0
    )
    antennas: int = quantity(1, "antennas of a UE", ge=1, le=16)
    profile: str = quantity(
        "phone",
        "device profile of the UEs, which encode",
        min_length=1,
        max_length=64,
    )
    profiles: Annotated[tuple[str, ...], Field(strict=False)] = quantity(
        text="device profiles of the UEs in turn for semantic traffic; by default profile for all",
        default_factory=tuple,
        max_length=1000,
    )

    battery_j: float | None = quantity(
        None,
        "energy that each UE's encoders of semantic traffic may spend in the run; by default as "
        "much as they need",
        unit="J",
        ge=0.0,
        le=1e9,
    )

    def profile_of(self, ue: int) -> str:
        """Return the name of a UE's device profile."""
        return self.profiles[ue % len(self.profiles)] if self.profiles else self.profile
