# SPDX-License-Identifier: MIT
"""Guesses at what was meant: near keys, keys in another unit, numbers written with their unit."""

import difflib
import re
from collections.abc import Iterable

# suffix -> (what it measures, how many of the base unit)
_UNITS: dict[str, tuple[str, float]] = {
    "ns": ("time", 1e-9), "us": ("time", 1e-6), "ms": ("time", 1e-3), "s": ("time", 1.0),
    "sec": ("time", 1.0), "seconds": ("time", 1.0), "min": ("time", 60.0), "h": ("time", 3600.0),
    "hz": ("frequency", 1.0), "khz": ("frequency", 1e3), "mhz": ("frequency", 1e6),
    "ghz": ("frequency", 1e9),
    "bps": ("rate", 1.0), "kbps": ("rate", 1e3), "mbps": ("rate", 1e6), "gbps": ("rate", 1e9),
    "bit/s": ("rate", 1.0), "kbit/s": ("rate", 1e3), "mbit/s": ("rate", 1e6),
    "gbit/s": ("rate", 1e9),
    "bits": ("size", 0.125), "bytes": ("size", 1.0), "byte": ("size", 1.0), "b": ("size", 1.0),
    "kb": ("size", 1e3), "kib": ("size", 1024.0), "mb": ("size", 1e6), "mib": ("size", 1024.0**2),
    "cm": ("length", 0.01), "m": ("length", 1.0), "km": ("length", 1e3),
    "m_s": ("speed", 1.0), "m/s": ("speed", 1.0), "mps": ("speed", 1.0),
    "km_h": ("speed", 1 / 3.6), "kmh": ("speed", 1 / 3.6), "km/h": ("speed", 1 / 3.6),
    "kph": ("speed", 1 / 3.6),
    "db": ("level", 1.0), "dbm": ("power", 1.0),
}  # fmt: skip

_NUMBER_WITH_UNIT = re.compile(
    r"\s*([-+]?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*([A-Za-z/]+)\s*"
)


def split_unit(key: str) -> tuple[str, str]:
    """Return a key's stem and its unit suffix (`("deadline", "ms")`), the suffix empty if none."""
    for parts in (2, 1):
        pieces = key.rsplit("_", parts)
        unit = "_".join(pieces[1:])
        if len(pieces) == parts + 1 and pieces[0] and unit.lower() in _UNITS:
            return pieces[0], unit.lower()
    return key, ""


def converted(value: object, unit: str, target: str) -> str | None:
    """Return `value` in another unit as TOML text, None if it cannot be converted."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if unit not in _UNITS or target not in _UNITS or _UNITS[unit][0] != _UNITS[target][0]:
        return None
    try:
        return f"{value * _UNITS[unit][1] / _UNITS[target][1]:.9g}"
    except OverflowError:
        return None


def nearest(word: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """Return the known word most like `word`, None if none is."""
    close = difflib.get_close_matches(word[:100].lower(), list(known), n=1, cutoff=cutoff)
    return close[0] if close else None


def unknown_key(
    key: str, value: object, known: Iterable[str], elsewhere: dict[str, str]
) -> str | None:
    """Return a suggestion for a key that a section does not have.

    Args:
        key: as in the file.
        value: its value, converted where only the unit differs.
        known: the section's keys.
        elsewhere: keys of other sections → their dotted path.
    """
    known = list(known)
    key = key[:100]
    stem, unit = split_unit(key.lower())
    for candidate in known:
        candidate_stem, candidate_unit = split_unit(candidate)
        if candidate_unit and candidate_stem == stem and candidate != key:
            number = converted(value, unit, candidate_unit) if unit else None
            if number is not None:
                return f"units are in the names: did you mean {candidate} = {number}?"
            if unit and _UNITS[unit][0] != _UNITS[candidate_unit][0]:
                continue
            return f"units are in the names: did you mean {candidate}?"
    close = nearest(key, known)
    if close:
        return f"did you mean {close}?"
    if key in elsewhere:
        return f"did you mean {elsewhere[key]}?"
    close = nearest(key, elsewhere, cutoff=0.85)
    return f"did you mean {elsewhere[close]}?" if close else None


def number_with_unit(key: str, value: str) -> str | None:
    """Return a suggestion for a number written as text, such as deadline_s = "100ms"."""
    match = _NUMBER_WITH_UNIT.fullmatch(value[:100])
    _, target = split_unit(key)
    if match and target:
        number = converted(float(match[1].replace("_", "")), match[2].lower(), target)
        if number is not None:
            return f"the unit is in the name: did you mean {key} = {number}?"
    try:
        float(value[:100])
    except ValueError:
        return None
    return "write the number without quotes"
