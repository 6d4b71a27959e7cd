# SPDX-License-Identifier: MIT
"""Random and Latin-hypercube designs over ranges of fields."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from cosim.campaign.fields import flatten
from cosim.scenario import Problem, ScenarioError
from cosim.scenario.errors import show

METHODS = ("lhs", "random")
MAX_SAMPLES = 100_000


def is_range(value: Any) -> bool:
    """Return whether a table describes the values of a field and is no part of its path."""
    return isinstance(value, Mapping) and ("low" in value or "choices" in value)


def sample_points(
    table: Mapping[str, Any], path_of: Callable[[str], str], *, source: str
) -> list[dict[str, Any]]:
    """Return the settings of a `[sample]` table, an empty list for an empty table.

    `method` is "lhs" (a Latin hypercube: with n samples each field has one value in each n-th of
    its range; McKay, Beckman, Conover, Technometrics 21(2), 1979) or "random"; `count` how many;
    `seed` makes them repeatable. `fields` has for each field `{low, high}`, with `scale = "log"`
    for equal steps of the logarithm and `integer = true` for whole numbers (both ends included),
    or `{choices = […]}`.

    Args:
        table: as read from TOML.
        path_of: gives the whole path of a field's name.
        source: what is read, for errors.

    Raises:
        ScenarioError: a value is wrong; it names the key.
    """
    if not table:
        return []

    def refuse(key: str, value: Any, what: str) -> ScenarioError:
        return ScenarioError([Problem(f"sample.{key}", show(value), what)], source=source)

    for key in table:
        if key not in ("method", "count", "seed", "fields"):
            raise refuse(key, table[key], "is no key: they are method, count, seed and fields")
    method = table.get("method", "lhs")
    if method not in METHODS:
        raise refuse("method", method, f"must be one of {', '.join(METHODS)}")
    count, seed = table.get("count"), table.get("seed", 0)
    if type(count) is not int or not 1 <= count <= MAX_SAMPLES:
        raise refuse("count", count, f"must be a whole number from 1 to {MAX_SAMPLES}")
    if type(seed) is not int or seed < 0:
        raise refuse("seed", seed, "must be a whole number from 0")
    fields = table.get("fields")
    if not isinstance(fields, Mapping) or not fields:
        raise refuse("fields", fields, 'must name fields, such as "traffic.0.rate_hz" = {low = 1, '
                     "high = 9}")  # fmt: skip
    ranges = {path_of(key): value for key, value in flatten(fields, is_range).items()}
    for path, value in ranges.items():
        wrong = _wrong(value)
        if wrong:
            raise refuse(f"fields.{path}", value, wrong)
    unit = _unit_cube(method, count, len(ranges), seed)
    return [
        {path: _value(ranges[path], float(u)) for path, u in zip(ranges, row, strict=True)}
        for row in unit
    ]


def _unit_cube(method: str, count: int, fields: int, seed: int) -> np.ndarray:
    """Return points in [0, 1), shape [count, fields]."""
    rng = np.random.default_rng(seed)
    if method == "random":
        return rng.random((count, fields))
    from scipy.stats import qmc

    return np.asarray(qmc.LatinHypercube(d=fields, rng=rng).random(count))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _wrong(value: Any) -> str | None:
    """Return what is wrong with a field's range, None if nothing is."""
    if not is_range(value):
        return "must be {low = …, high = …} or {choices = […]}"
    if "choices" in value:
        good = isinstance(value["choices"], list) and value["choices"] and len(value) == 1
        return None if good else "choices must be a list of values, without other keys"
    unknown = set(value) - {"low", "high", "scale", "integer"}
    if unknown:
        return f"{min(unknown)} is no key: they are low, high, scale and integer"
    low, high = value["low"], value.get("high")
    if not _is_number(low) or not _is_number(high) or low >= high:
        return "low and high must be numbers, low the smaller"
    if value.get("scale", "linear") not in ("linear", "log"):
        return 'scale must be "linear" or "log"'
    if value.get("scale") == "log" and low <= 0:
        return "a logarithmic range begins above 0"
    if not isinstance(value.get("integer", False), bool):
        return "integer must be true or false"
    if value.get("integer") and (type(low) is not int or type(high) is not int):
        return "low and high of a range of integers must be integers"
    return None


def _value(span: Mapping[str, Any], u: float) -> Any:
    """Return the value at `u` in [0, 1) of a range."""
    if "choices" in span:
        return span["choices"][int(u * len(span["choices"]))]
    low, high = span["low"], span["high"]
    whole = span.get("integer", False)
    top = high + 1 if whole else high
    value = low * (top / low) ** u if span.get("scale") == "log" else low + (top - low) * u
    return min(math.floor(value), high) if whole else float(value)
