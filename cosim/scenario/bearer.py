# SPDX-License-Identifier: MIT
"""What every flow says about its radio bearer: RLC mode, PDCP, queue."""

from collections.abc import Iterator, Sequence
from typing import Any, Literal

from cosim.scenario.base import Section, quantity
from cosim.scenario.errors import Problem, show


class BearerSection(Section):
    """The radio bearer of a flow; the base of all [[traffic]] tables."""

    rlc: Literal["um", "am"] = quantity(
        "um",
        "RLC mode: unacknowledged, or acknowledged (what HARQ loses is sent again)",
        source="TS 38.322 clause 4.2.1",
    )
    sn_bits: Literal[12, 18] = quantity(
        12,
        "length of PDCP sequence numbers, and of RLC's in acknowledged mode",
        unit="bit",
        source="TS 38.323 clause 6.3.2, TS 38.322 clause 6.2.3.3",
    )
    in_order: bool = quantity(
        False,
        "PDCP delivers packets in the order in which they were sent",
        source="TS 38.323 clause 5.2.2",
    )
    reordering_s: float | None = quantity(
        None,
        "how long a packet that is missing holds up later ones with in_order; by default 0.1 in "
        "unacknowledged and 1 in acknowledged mode",
        unit="s",
        source="t-Reordering, TS 38.323 clause 7.3",
        gt=0.0,
        le=10.0,
    )
    discard_timer_s: float | None = quantity(
        None,
        "time in the queue after which a packet is discarded; by default never",
        unit="s",
        source="discardTimer, TS 38.323 clause 7.3",
        gt=0.0,
        le=100.0,
    )
    queue_bytes: int | None = quantity(
        None,
        "RLC queue of the flow; by default mac.queue_limit_bytes",
        unit="bytes",
        ge=100,
        le=2**32 - 1,
    )
    prioritised_bps: float = quantity(
        0.0,
        "rate that the flow gets of its UE's blocks before priority alone decides; 0: it gets what "
        "flows with a better priority level leave",
        unit="bit/s",
        source="prioritisedBitRate, TS 38.321 clause 5.4.3.1",
        ge=0.0,
        le=1e9,
    )
    bucket_s: float = quantity(
        0.1,
        "for how long the flow may save prioritised_bps up",
        unit="s",
        source="bucketSizeDuration, TS 38.321 clause 5.4.3.1",
        ge=0.005,
        le=1.0,
    )
    bandwidth_part: int = quantity(
        0,
        "which bandwidth part carries the flow: 0 is the carrier's first, 1 the first of "
        "carrier.parts",
        source="TS 38.211 clause 4.4.5",
        ge=0,
        le=7,
    )
    dscp: int = quantity(
        0,
        "DiffServ code point that the flow's IP packets are marked with",
        source="RFC 2474",
        ge=0,
        le=63,
    )
    packet_filter: Literal["port", "dscp"] = quantity(
        "port",
        "which of its UE's packets the bearer takes: those to the flow's own port, or all that "
        "bear its dscp",
        source="TS 24.501 clause 9.11.4.13",
    )


def bearer_options(bearer: BearerSection) -> str:
    """Return the options of a flow's statement for ns-3, each with a space before it."""
    options: dict[str, Any] = {}
    if bearer.rlc != "um":
        options["rlc"] = bearer.rlc
    if bearer.sn_bits != 12:
        options["sn_bits"] = bearer.sn_bits
    if bearer.in_order:
        options["in_order"] = 1
    if bearer.reordering_s is not None:
        options["reordering_ms"] = repr(bearer.reordering_s * 1e3)
    if bearer.discard_timer_s is not None:
        options["discard_timer_ms"] = repr(bearer.discard_timer_s * 1e3)
    if bearer.queue_bytes is not None:
        options["queue_bytes"] = bearer.queue_bytes
    if bearer.prioritised_bps > 0.0:
        options["prioritised_bps"] = repr(bearer.prioritised_bps)
        options["bucket_ms"] = repr(bearer.bucket_s * 1e3)
    if bearer.bandwidth_part:
        options["part"] = bearer.bandwidth_part
    if bearer.dscp:
        options["dscp"] = bearer.dscp
    if bearer.packet_filter != "port":
        options["filter"] = bearer.packet_filter
    return "".join(f" {name}={value}" for name, value in options.items())


def check_bearer(bearer: BearerSection, at: str, *, patterns: Sequence[str]) -> Iterator[Problem]:
    """Yield what is wrong with a flow's bearer.

    Args:
        bearer: of the traffic table.
        at: the table's path.
        patterns: TDD pattern of each bandwidth part, empty with FDD.
    """
    if bearer.bandwidth_part >= len(patterns):
        yield Problem(
            f"{at}.bandwidth_part",
            show(bearer.bandwidth_part),
            f"0 to {len(patterns) - 1}: there are {len(patterns)} bandwidth parts",
            "add a [[carrier.parts]] table for each further one",
        )
        return
    pattern = patterns[bearer.bandwidth_part]
    name = f"carrier.parts.{bearer.bandwidth_part - 1}" if bearer.bandwidth_part else "carrier"
    if bearer.packet_filter == "dscp" and bearer.dscp == 0:
        yield Problem(
            f"{at}.dscp",
            show(bearer.dscp),
            '1 to 63 with packet_filter = "dscp": all packets that are not marked bear 0',
        )
    for direction, letters, carries in (("uplink", "U", "downlink"), ("downlink", "DS", "uplink")):
        if bearer.rlc == "am" and pattern and not set(pattern) & set(letters):
            yield Problem(
                f"{at}.rlc",
                show(bearer.rlc),
                f'only "um": status reports of {carries} data travel in the {direction}, and '
                f"{name}.tdd_pattern = {show(pattern)} has none",
            )
    if bearer.reordering_s is not None and not bearer.in_order:
        yield Problem(f"{at}.reordering_s", show(bearer.reordering_s), "only with in_order = true")
