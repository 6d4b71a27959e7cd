# SPDX-License-Identifier: MIT
"""Checks of the carrier and its bandwidth parts: frequencies, numbers of PRBs, frame structure."""

from collections.abc import Iterator

from cosim.scenario.carrier import BandwidthPart, CarrierSection
from cosim.scenario.errors import Problem, show
from cosim.scenario.model import Scenario
from cosim.scenario.wording import listed

TDD_PERIODS_MS = (0.5, 0.625, 1.0, 1.25, 2.0, 2.5, 3.0, 4.0, 5.0, 10.0)
"""dl-UL-TransmissionPeriodicity, TS 38.331 (TDD-UL-DL-ConfigCommon)."""


def frequency_range(frequency_hz: float) -> int | None:
    """Return 1 or 2 for FR1 or FR2 (TS 38.104 table 5.1-1), None between and beyond them."""
    if 410e6 <= frequency_hz <= 7125e6:
        return 1
    if 24.25e9 <= frequency_hz <= 71e9:
        return 2
    return None


def prbs(bandwidth_mhz: int, numerology: int, fr: int | None) -> int | None:
    """Return the number of PRBs of a carrier, None if the standard has no such carrier."""
    from sionna_phy.carrier import prb_count

    if fr is None:
        return None
    try:
        return int(prb_count(bandwidth_mhz, numerology, fr))
    except (ValueError, KeyError):
        return None


def carrier_problems(scenario: Scenario) -> Iterator[Problem]:
    """Yield what no carrier of the standard has."""
    carrier = scenario.carrier
    fr = frequency_range(carrier.frequency_hz)
    if fr is None:
        yield Problem(
            "carrier.frequency_hz",
            show(carrier.frequency_hz),
            "410e6 to 7125e6 (FR1) or 24.25e9 to 71e9 (FR2)",
        )
        return
    for part, at in named_parts(carrier):
        yield from _part(part, at, fr)


def named_parts(carrier: CarrierSection) -> Iterator[tuple[BandwidthPart, str]]:
    """Yield each bandwidth part and the path of its table."""
    for number, part in enumerate(carrier.all_parts):
        yield part, "carrier" if number == 0 else f"carrier.parts.{number - 1}"


def _part(part: BandwidthPart, at: str, fr: int) -> Iterator[Problem]:
    if prbs(part.bandwidth_mhz, part.numerology, fr) is not None:
        return
    numerologies = [mu for mu in range(7) if any(prbs(b, mu, fr) for b in _BANDWIDTHS_MHZ)]
    if part.numerology not in numerologies:
        yield Problem(
            f"{at}.numerology",
            show(part.numerology),
            f"FR{fr} has {listed(numerologies)} (TS 38.101)",
        )
        return
    allowed = [b for b in _BANDWIDTHS_MHZ if prbs(b, part.numerology, fr)]
    yield Problem(
        f"{at}.bandwidth_mhz",
        show(part.bandwidth_mhz),
        f"numerology {part.numerology} in FR{fr} has {listed(allowed)} MHz (TS 38.101)",
    )


# Every bandwidth of TS 38.101-1 and -2 tables 5.3.2-1, for the list of what is allowed.
_BANDWIDTHS_MHZ = (
    3, 5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 60, 70, 80, 90, 100, 200, 400, 800, 1600, 2000,
)  # fmt: skip


def tdd_problems(scenario: Scenario) -> Iterator[Problem]:
    """Yield what is wrong with the patterns; the carrier itself must be one of the standard."""
    if scenario.carrier.duplex == "tdd":
        for part, at in named_parts(scenario.carrier):
            yield from _pattern(scenario, part, at)


def _pattern(scenario: Scenario, part: BandwidthPart, at: str) -> Iterator[Problem]:
    pattern = part.tdd_pattern
    path, given = f"{at}.tdd_pattern", show(pattern)
    wrong = sorted(set(pattern) - set("DSU"))
    if wrong:
        hint = (
            f"did you mean {show(pattern.upper())}?"
            if not set(pattern.upper()) - set("DSU")
            else None
        )
        yield Problem(path, given, "letters D, S and U, one a slot", hint)
        return
    if "U" not in pattern:
        users = [i for i, t in enumerate(scenario.traffic) if t.direction != "dl"]
        why = f"traffic.{users[0]} is uplink" if users else "HARQ feedback needs it"
        yield Problem(path, given, f"at least one U slot ({why})")
    if "D" not in pattern:
        yield Problem(path, given, "at least one D slot (control and downlink data need it)")
    period_ms = len(pattern) * part.slot_s * 1e3
    if not any(abs(period_ms - p) < 1e-9 for p in TDD_PERIODS_MS):
        lengths = [p / (part.slot_s * 1e3) for p in TDD_PERIODS_MS]
        whole = [round(n) for n in lengths if abs(n - round(n)) < 1e-9 and n >= 1]
        yield Problem(
            path,
            given,
            f"{listed(whole)} letters at numerology {part.numerology} (TS 38.331: the pattern "
            f"lasts {listed(TDD_PERIODS_MS)} ms, not {period_ms:g})",
        )
