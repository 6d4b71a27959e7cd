# SPDX-License-Identifier: MIT
"""Names and values of scenario fields as campaign files and the command line write them."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from cosim.scenario import Problem, ScenarioError, suggest
from cosim.scenario.errors import show
from cosim.scenario.loader import parse_override


def flatten(
    table: Mapping[str, Any], is_leaf: Callable[[Any], bool] = lambda value: False
) -> dict[str, Any]:
    """Return dotted path → value; `"mac.scheduler" = …` and `mac.scheduler = …` mean the same.

    Args:
        table: as read from TOML.
        is_leaf: which tables are values and not part of the path.
    """
    flat: dict[str, Any] = {}
    for key, value in table.items():
        if isinstance(value, Mapping) and value and not is_leaf(value):
            flat |= {f"{key}.{rest}": inner for rest, inner in flatten(value, is_leaf).items()}
        else:
            flat[key] = value
    return flat


def _paths(data: Any, prefix: str = "") -> Iterator[str]:
    entries = data.items() if isinstance(data, dict) else enumerate(data)
    for key, value in entries:
        path = f"{prefix}{key}"
        yield path
        if isinstance(value, dict) or (isinstance(value, list) and any(map(_is_table, value))):
            yield from _paths(value, f"{path}.")


def _is_table(value: Any) -> bool:
    return isinstance(value, dict)


def full_path(name: str, resolved: Mapping[str, Any], *, source: str) -> str:
    """Return the dotted path of a field; a name without a dot may be the end of one.

    Args:
        name: `mac.scheduler`, or `scheduler` where only one field of the scenario has this name.
        resolved: the scenario with its defaults (`Scenario.resolved`).
        source: what is read, for the error.

    Raises:
        ScenarioError: several fields, or none, end in this name.
    """
    if "." in name or name in resolved:
        return name
    paths = [path for path in _paths(dict(resolved)) if "." in path]
    found = [path for path in paths if path.rsplit(".", 1)[1] == name]
    if len(found) == 1:
        return found[0]
    if found:
        what = f"is several fields: {', '.join(found[:6])}; write the whole path"
        raise ScenarioError([Problem(name, "", what)], source=source)
    near = suggest.nearest(name, {path.rsplit(".", 1)[1] for path in paths})
    # A field without a value (an optional limit) is not in the scenario; its whole path works.
    what = "is no field of the scenario; write the whole path, such as mac.scheduler"
    hint = f"did you mean {near}?" if near else None
    raise ScenarioError([Problem(name, "", what, hint)], source=source)


def split_values(text: str) -> list[str]:
    """Split `a,b,[1,2]` at the commas outside of brackets and quotes."""
    parts, depth, quote = [""], 0, ""
    for character in text:
        if quote:
            quote = "" if character == quote else quote
        elif character in "\"'":
            quote = character
        elif character in "[{":
            depth += 1
        elif character in "]}":
            depth -= 1
        if character == "," and depth == 0 and not quote:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts]


def parse_grid(text: str) -> tuple[str, list[Any]]:
    """Return field and values of `--grid path=a,b`.

    Raises:
        ScenarioError: it has no `=`, no value, or a value that is not TOML.
    """
    name, equals, values = text.partition("=")
    if not equals or not name.strip() or not values.strip():
        raise ScenarioError(
            [Problem("", show(text), "is not field=value,value, such as mac.scheduler=pf,rr")],
            source="--grid",
        )
    parsed = [parse_override(f"{name.strip()}={value}")[1] for value in split_values(values)]
    return name.strip(), parsed


def parse_seeds(text: str) -> int | list[int]:
    """Return `10` as the number of seeds, `3,5,8` as these seeds.

    Raises:
        ScenarioError: it is neither.
    """
    try:
        numbers = [int(part) for part in text.split(",")]
    except ValueError:
        raise ScenarioError(
            [Problem("", show(text), "is neither a number of seeds (10) nor a list (1,2,5)")],
            source="--seeds",
        ) from None
    return numbers if "," in text else numbers[0]
