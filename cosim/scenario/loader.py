# SPDX-License-Identifier: MIT
"""Finds, reads and checks scenario files, and applies overrides."""

import os
import re
import stat
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from cosim.scenario import suggest
from cosim.scenario.errors import Problem, ScenarioError, show
from cosim.scenario.model import Scenario
from cosim.scenario.problems import problems_of

MAX_FILE_BYTES = 1_000_000
_BARE_WORD = re.compile(r"(?:[A-Za-z]|\.{0,2}/)[A-Za-z0-9_./:-]*")
"""Names, and paths of files."""


def _folders() -> list[Path]:
    """Return where shipped scenarios may lie: in the installed package, or in a checkout."""
    package = Path(__file__).resolve().parent.parent
    return [package / "scenarios", package.parent / "ns3_scenarios" / "scenarios"]


def shipped_scenarios() -> dict[str, Path]:
    """Return name → file of the scenarios that come with SemCoSim."""
    found: dict[str, Path] = {}
    for folder in _folders():
        if folder.is_dir():
            for path in sorted(folder.glob("*.toml")):
                found.setdefault(path.stem, path)
    return found


def find_scenario(path_or_name: str | os.PathLike[str]) -> Path:
    """Return the file of a scenario that is given by its path or a shipped one's name.

    Raises:
        ScenarioError: there is none; the error lists the shipped ones.
    """
    text = os.fspath(path_or_name)
    if "\0" in text or not text:
        raise ScenarioError([Problem("", show(text), "is no file name")])
    path = Path(text)
    shipped = shipped_scenarios()
    if text in shipped and not path.is_file():
        return shipped[text]
    try:
        exists = path.exists()
    except OSError as error:
        raise ScenarioError([Problem("", "", error.strerror or str(error))], source=text) from None
    if exists:
        return path
    near = suggest.nearest(path.stem, shipped)
    raise ScenarioError(
        [
            Problem(
                "",
                "",
                "no such file, and no shipped scenario of this name "
                f"({', '.join(shipped) or 'none found'})",
                f"did you mean {near}?" if near else None,
            )
        ],
        source=text if len(text) <= 100 else text[:99] + "…",
    )


def read_toml(path: Path) -> dict[str, Any]:
    """Return what a TOML file holds.

    Raises:
        ScenarioError: not a regular text file of at most 1 MB, or not TOML (with line and column).
    """

    def refuse(what: str, hint: str | None = None) -> ScenarioError:
        return ScenarioError([Problem("", "", what, hint)], source=str(path))

    try:
        info = path.stat()
        if stat.S_ISDIR(info.st_mode):
            inside = sorted(p.name for p in path.glob("*.toml"))[:5]
            hint = f"it holds {', '.join(inside)}" if inside else None
            raise refuse("is a folder, not a scenario file", hint)
        if not stat.S_ISREG(info.st_mode):
            raise refuse("is not a regular file")
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise refuse(f"cannot be read: {error.strerror or error}") from None
    if len(data) > MAX_FILE_BYTES:
        raise refuse(f"has {info.st_size} bytes, a scenario at most {MAX_FILE_BYTES}")
    if b"\0" in data:
        raise refuse("is a binary file, not TOML text")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise refuse(f"is not UTF-8 text (byte {error.start})") from None
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise refuse("is nested too deeply") from None
    except ValueError as error:  # TOMLDecodeError, and numbers that are too long
        raise refuse(f"is not valid TOML: {error}") from None


def parse_override(text: str) -> tuple[list[str], Any]:
    """Split `path.to.field=value` into the key's parts and the value.

    The value is TOML; a bare word or path counts as text, so that quotes need not be escaped in a
    shell.

    Raises:
        ScenarioError: it has no `=`, an empty key part, or a value that is not TOML.
    """

    def refuse(what: str) -> ScenarioError:
        return ScenarioError([Problem("", show(text), what)], source="--set")

    key, equals, value_text = text.partition("=")
    parts = [part.strip() for part in key.split(".")]
    if not equals or not all(parts) or len(parts) > 10:
        raise refuse("is not key=value, such as run.duration_s=2 or traffic.0.rate_hz=3")
    value_text = value_text.strip()
    if _BARE_WORD.fullmatch(value_text) and value_text not in ("true", "false", "inf", "nan"):
        return parts, value_text
    if "\n" in value_text or "\r" in value_text:
        raise refuse("has more than one line")
    try:
        return parts, tomllib.loads(f"value = {value_text}")["value"]
    except (ValueError, RecursionError):
        raise refuse('has no TOML value after "=": a number, true, "text" or [a, list]') from None


def apply_override(raw: dict[str, Any], parts: Sequence[str], value: Any) -> None:
    """Set one value in `raw`, in place; sections that are absent are made.

    Raises:
        ScenarioError: the path goes through something that is no table, or beyond a list's end.
    """
    at: Any = raw
    for depth, part in enumerate(parts):
        path = ".".join(parts[: depth + 1])
        last = depth == len(parts) - 1
        if isinstance(at, list):
            if not (part.isascii() and part.isdigit() and len(part) < 8 and int(part) < len(at)):
                entries = f"0 to {len(at) - 1}" if at else "none"
                raise ScenarioError(
                    [Problem(path, "", f"is no entry of {'.'.join(parts[:depth])}: {entries}")],
                    source="--set",
                )
            if last:
                at[int(part)] = value
            else:
                at = at[int(part)]
        elif isinstance(at, dict):
            if last:
                at[part] = value
            else:
                at = at.setdefault(part, {})
        else:
            raise ScenarioError(
                [
                    Problem(
                        ".".join(parts[:depth]), show(at), f"is a value, so {path} cannot be set"
                    )
                ],
                source="--set",
            )


def validate(raw: dict[str, Any], *, source: str = "scenario") -> Scenario:
    """Return the scenario that `raw` (as read from TOML) describes.

    Raises:
        ScenarioError: with every problem that was found.
    """
    try:
        return Scenario.model_validate(raw)
    except ValidationError as error:
        raise ScenarioError(problems_of(error, raw), source=source) from None
    except RecursionError:
        raise ScenarioError([Problem("", "", "is nested too deeply")], source=source) from None


def load_scenario(
    path_or_name: str | os.PathLike[str],
    overrides: Sequence[str] = (),
    seed: int | None = None,
) -> Scenario:
    """Read a scenario file or a shipped scenario.

    Args:
        path_or_name: a path, or a name that `shipped_scenarios` lists.
        overrides: `path.to.field=value`, applied in order; list entries by their number.
        seed: replaces run.seed.

    Raises:
        ScenarioError: the file or a value is wrong; the message has a line for each problem.
    """
    path = find_scenario(path_or_name)
    raw = read_toml(path)
    for override in overrides:
        apply_override(raw, *parse_override(override))
    if seed is not None:
        apply_override(raw, ["run", "seed"], seed)
    return validate(raw, source=str(path))
