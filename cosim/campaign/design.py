# SPDX-License-Identifier: MIT
"""Which runs a campaign has: grid x list x samples x seeds, each a validated scenario."""

import copy
import functools
import hashlib
import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cosim.campaign.fields import flatten, full_path
from cosim.campaign.sampling import is_range, sample_points
from cosim.scenario import Problem, Scenario, ScenarioError, find_scenario, suggest
from cosim.scenario.errors import show
from cosim.scenario.loader import apply_override, parse_override, read_toml, validate
from cosim.traces.manifest import versions

MAX_RUNS = 100_000
KEYS = ("name", "scenario", "seeds", "set", "grid", "list", "sample")
_UNUSED = (
    "campaign",
    "campaign_commands.py",
    "cli.py",
    "command_error.py",
    "doctor.py",
    "progress.py",
)


@dataclass(frozen=True)
class Point:
    """One run of a campaign.

    Attributes:
        key: SHA-256 (hex) of all that the result depends on: the scenario's content hash, the
            versions of the packages and the fingerprint of our own code.
        fields: dotted path → value of what the campaign varies.
        scenario: what is run; its `run.seed` is the seed.
    """

    key: str
    fields: Mapping[str, Any]
    scenario: Scenario


@dataclass(frozen=True)
class Design:
    """All runs of a campaign, none twice.

    Attributes:
        name: the campaign's name.
        definition: as written, plain JSON types.
        source: the file that it came from.
        base: the folder that the scenario's path is relative to.
        fields: what is varied, in order.
        points: in the order of the design, the seeds of one setting together.
        plugins: Python files that every run loads first.
    """

    name: str
    definition: dict[str, Any]
    source: str
    base: Path
    fields: tuple[str, ...]
    points: tuple[Point, ...]
    plugins: tuple[str, ...] = ()


def load_design(
    path: str,
    *,
    grid: Sequence[tuple[str, list[Any]]] = (),
    seeds: int | list[int] | None = None,
    overrides: Sequence[str] = (),
    name: str | None = None,
    plugins: Sequence[Path] = (),
) -> Design:
    """Return the runs that a campaign file, or a scenario with `grid` and `seeds`, stands for.

    Args:
        path: a campaign's TOML file, a campaign's folder, a scenario file or a shipped scenario.
        grid: further fields and their values; they replace those of the file.
        seeds: as in the file, instead of the file's.
        overrides: `path.to.field=value` for all runs.
        name: instead of the file's.
        plugins: Python files, already run here, that every run loads first.

    Raises:
        ScenarioError: the file, a field or a value is wrong; it names the setting.
    """
    definition, base, source = _read(path)
    definition["grid"] = _table(definition, "grid", source) | dict(grid)
    definition["set"] = flatten(_table(definition, "set", source))
    for override in overrides:
        parts, value = parse_override(override)
        definition["set"][".".join(parts)] = value
    if seeds is not None:
        definition["seeds"] = seeds
    if name is not None:
        definition["name"] = name
    # Never from a file: naming a plugin is saying that its code may run.
    definition["plugins"] = [str(plugin.resolve()) for plugin in plugins]
    return _expand(definition, base, source)


def _read(path: str) -> tuple[dict[str, Any], Path, str]:
    """Return a definition, the folder that its scenario is relative to, and the source's name."""
    folder = Path(path)
    if folder.is_dir() and (folder / "campaign.json").is_file():
        try:
            data = json.loads((folder / "campaign.json").read_text(encoding="utf-8"))
            return dict(data["definition"]), Path(data["base"]), str(folder / "campaign.json")
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ScenarioError(
                [Problem("", "", f"is damaged ({error}); start from the campaign's file")],
                source=str(folder / "campaign.json"),
            ) from None
    file = find_scenario(path)
    raw = read_toml(file)
    if "scenario" in raw:
        unknown = next((key for key in raw if key not in KEYS), None)
        if unknown is not None:
            near = suggest.nearest(unknown, KEYS)
            raise ScenarioError(
                [
                    Problem(
                        unknown,
                        "",
                        f"is no key of a campaign; keys are {', '.join(KEYS)}",
                        f"did you mean {near}?" if near else "changes to all runs go under [set]",
                    )
                ],
                source=str(file),
            )
        return {"name": file.stem, **raw}, file.resolve().parent, str(file)
    scenario = str(file.resolve()) if Path(path).exists() else path
    return {"name": str(raw.get("name", file.stem)), "scenario": scenario}, Path.cwd(), str(file)


def _table(definition: Mapping[str, Any], key: str, source: str) -> dict[str, Any]:
    value = definition.get(key, {})
    if not isinstance(value, dict):
        raise ScenarioError([Problem(key, show(value), "must be a table")], source=source)
    return dict(value)


def _scenario_file(definition: Mapping[str, Any], base: Path, source: str) -> Path:
    given = definition["scenario"]
    if not isinstance(given, str) or not given:
        what = "must be a scenario file or a shipped scenario's name"
        raise ScenarioError([Problem("scenario", show(given), what)], source=source)
    beside = base / given
    return beside if beside.is_file() else find_scenario(given)


def _seeds(definition: Mapping[str, Any], source: str) -> list[int] | None:
    value = definition.get("seeds")
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MAX_RUNS:
        return list(range(1, value + 1))
    if isinstance(value, list) and value and all(type(v) is int for v in value):
        return value
    what = f"must be a number of seeds from 1 to {MAX_RUNS}, or a list of them"
    raise ScenarioError([Problem("seeds", show(value), what)], source=source)


def _grid(table: Mapping[str, Any], source: str) -> list[dict[str, Any]]:
    """Return the settings of a grid: every combination, the last field changing fastest."""
    for path, values in table.items():
        if not isinstance(values, list) or not values:
            what = "must be a list of values, such as [10, 20]"
            raise ScenarioError([Problem(f"grid.{path}", show(values), what)], source=source)
    size = 1
    for values in table.values():
        size *= len(values)
    _limit(size, source)
    return [dict(zip(table, combo, strict=True)) for combo in itertools.product(*table.values())]


def _limit(size: int, source: str) -> None:
    if size > MAX_RUNS:
        what = f"the design has {size} runs or more, {MAX_RUNS} are allowed"
        raise ScenarioError([Problem("", "", what)], source=source)


def _expand(definition: dict[str, Any], base: Path, source: str) -> Design:
    name = definition["name"]
    if not isinstance(name, str) or not name or set(name) & set("/\\\0") or name.startswith("."):
        what = "must be a short text without slashes"
        raise ScenarioError([Problem("name", show(name), what)], source=source)
    file = _scenario_file(definition, base, source)
    raw = read_toml(file)
    fixed = definition["set"]
    resolved = validate(_changed(raw, fixed, source), source=f"{source}, [set]").resolved()
    path_of = functools.partial(full_path, resolved=resolved, source=source)
    fixed = {path_of(key): value for key, value in fixed.items()}
    grid = {path_of(key): value for key, value in flatten(definition["grid"]).items()}
    rows = definition.get("list", [])
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ScenarioError([Problem("list", "", "must be [[list]] tables")], source=source)
    listed = [{path_of(k): v for k, v in flatten(row).items()} for row in rows]
    sample = _table(definition, "sample", source)
    sampled = sample_points(sample, path_of, source=source)
    settings = _grid(grid, source)
    seeds = _seeds(definition, source)
    groups = [settings, listed or [{}], sampled or [{}]]
    _limit(len(groups[0]) * len(groups[1]) * len(groups[2]) * len(seeds or [0]), source)
    fields = _disjoint(grid, [key for row in listed for key in row], _sampled_names(sample, path_of)
                       , fixed, source)  # fmt: skip
    if seeds is not None and "run.seed" in {*fields, *fixed}:
        raise ScenarioError(
            [Problem("seeds", "", "and run.seed both set the seed; leave one out")], source=source
        )
    plugins = tuple(definition["plugins"])
    points: dict[str, Point] = {}
    every_seed: list[int | None] = list(seeds) if seeds else [None]
    for parts in itertools.product(*groups):
        setting = {key: value for part in parts for key, value in part.items()}
        for seed in every_seed:
            point = _point(raw, fixed, setting, seed, source, plugins)
            points.setdefault(point.key, point)
    return Design(name, _plain(definition), source, base, fields, tuple(points.values()), plugins)


def _sampled_names(sample: Mapping[str, Any], path_of: Any) -> list[str]:
    return [path_of(key) for key in flatten(sample.get("fields", {}), is_range)]


def _disjoint(
    grid: Iterable[str],
    listed: Iterable[str],
    sampled: Iterable[str],
    fixed: Iterable[str],
    source: str,
) -> tuple[str, ...]:
    """Return all varied fields; one that two parts of the design set is an error."""
    owner: dict[str, str] = {}
    parts = (("grid", grid), ("list", listed), ("sample", sampled), ("set", fixed))
    for part, fields in parts:
        for field in fields:
            if owner.setdefault(field, part) != part:
                what = f"is set by both [{owner[field]}] and [{part}]; leave one out"
                raise ScenarioError([Problem(field, "", what)], source=source)
    return tuple(field for field, part in owner.items() if part != "set")


def _changed(raw: dict[str, Any], changes: Mapping[str, Any], source: str) -> dict[str, Any]:
    changed = copy.deepcopy(raw)
    for path, value in changes.items():
        try:
            apply_override(changed, path.split("."), copy.deepcopy(value))
        except ScenarioError as error:
            raise ScenarioError(error.problems, source=source) from None
    return changed


def _point(
    raw: dict[str, Any],
    fixed: Mapping[str, Any],
    setting: dict[str, Any],
    seed: int | None,
    source: str,
    plugins: tuple[str, ...],
) -> Point:
    changes = {**fixed, **setting} | ({} if seed is None else {"run.seed": seed})
    where = ", ".join(f"{key} = {show(value)}" for key, value in setting.items())
    scenario = validate(
        _changed(raw, changes, source), source=f"{source} with {where}" if where else source
    )
    return Point(run_key(scenario, plugins), setting, scenario)


def _plain(value: Any) -> Any:
    """Return JSON types: TOML's dates, which no scenario field takes, as text."""
    return json.loads(json.dumps(value, default=str))


def run_key(scenario: Scenario, plugins: Sequence[str] = ()) -> str:
    """Return what a run is recognised by; see `Point.key`. The plugins' bytes count too."""
    parts: list[Any] = [scenario.content_hash(), versions(), code_fingerprint()]
    parts += [hashlib.sha256(Path(plugin).read_bytes()).hexdigest() for plugin in plugins]
    text = json.dumps(parts, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


@functools.cache
def code_fingerprint() -> str:
    """Return a SHA-256 (hex) of our own files that a result depends on.

    Sources and weights of `cosim`, `sionna_phy` and `models`, and the simulator's executable, so
    that a changed scheduler is never answered with the results of the old one. Files that only talk
    to the user or run campaigns are left out.
    """
    import importlib.util

    from cosim.ns3_setup import find_executable

    digest = hashlib.sha256()
    files: list[tuple[str, Path]] = []
    for package in ("cosim", "models", "sionna_phy"):
        spec = importlib.util.find_spec(package)
        root = Path(next(iter(spec.submodule_search_locations or ()))) if spec else None
        if root is None:
            continue
        for path in root.rglob("*"):
            relative = path.relative_to(root)
            if path.suffix in (".py", ".json", ".safetensors") and not (
                package == "cosim" and relative.parts[0] in _UNUSED
            ):
                files.append((f"{package}/{relative.as_posix()}", path))
    try:
        files.append(("cosim-ns3", find_executable()))
    except Exception:  # not compiled: each run will say so with its remedy
        digest.update(b"no executable")
    for name, path in sorted(files):
        digest.update(f"{name}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
