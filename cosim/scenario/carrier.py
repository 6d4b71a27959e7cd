# SPDX-License-Identifier: MIT
"""The sections of the carrier and of the link to the edge server."""

from typing import Annotated, Literal

from pydantic import Field

from cosim.scenario.base import Section, quantity


class BandwidthPart(Section):
    """A bandwidth part: a carrier of its own with all cells and UEs."""

    bandwidth_mhz: int = quantity(
        20,
        "channel bandwidth; with the numerology it gives the number of PRBs",
        unit="MHz",
        source="TS 38.101-1/-2 table 5.3.2-1",
        ge=3,
        le=2000,
    )
    numerology: int = quantity(
        1,
        "subcarrier spacing is 15 kHz x 2^numerology, a slot lasts 1 ms / 2^numerology",
        source="TS 38.211 table 4.2-1",
        ge=0,
        le=6,
    )
    tdd_pattern: str = quantity(
        "DDDSU",
        "one letter a slot: D downlink, U uplink, S special (downlink, guard, uplink control); "
        "repeated for ever; not used with fdd",
        source="TS 38.213 clause 11.1",
        min_length=1,
        max_length=160,
    )

    @property
    def slot_s(self) -> float:
        """Return the duration of a slot in seconds."""
        return 1e-3 / float(2**self.numerology)


class CarrierSection(BandwidthPart):
    """The carrier and its frame structure: the first bandwidth part, and what all parts share."""

    frequency_hz: float = quantity(
        3.5e9,
        "centre frequency: FR1 0.41 to 7.125 GHz or FR2 24.25 to 71 GHz",
        unit="Hz",
        source="TS 38.101-1/-2 clause 5.1",
        ge=0.41e9,
        le=71e9,
    )
    duplex: Literal["tdd", "fdd"] = quantity("tdd", "time or frequency division duplex")
    parts: Annotated[tuple[BandwidthPart, ...], Field(strict=False)] = quantity(
        (),
        "further bandwidth parts, [[carrier.parts]], each above the one before; bandwidth_mhz, "
        "numerology and tdd_pattern of the carrier are those of the first",
        source="TS 38.211 clause 4.4.5",
        max_length=7,
    )

    @property
    def all_parts(self) -> tuple[BandwidthPart, ...]:
        """Return all bandwidth parts, this one included, which is the first."""
        return (self, *self.parts)

    @property
    def total_bandwidth_mhz(self) -> int:
        """Return the sum over the bandwidth parts."""
        return sum(part.bandwidth_mhz for part in self.all_parts)


class BackhaulSection(Section):
    """The point-to-point link from the gNB to the edge server."""

    data_rate_bps: float = quantity(10e9, "rate of the link", unit="bit/s", ge=1e3, le=1e13)
    delay_s: float = quantity(0.005, "one-way delay", unit="s", ge=0.0, le=10.0)
    mtu_bytes: int = quantity(
        1500, "largest IP packet", unit="bytes", source="RFC 791: 68 at least", ge=68, le=65_535
    )
