# SPDX-License-Identifier: MIT
"""`run.json`: what was run, with what, how it ended. The only place with wall-clock times."""

import contextlib
import datetime
import json
import math
import os
import platform
import time
from importlib import metadata
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cosim.scenario import Scenario
from cosim.traces.files import TraceError, write_atomically
from cosim.traces.reader import trace_hashes

Status = Literal["running", "finished", "interrupted", "failed"]
FILE_NAME = "run.json"
RESERVE_NAME = ".reserve"
RESERVE_BYTES = 32_768
"""Held on the disk while a run goes on, so that a full one still takes the note of how it ended."""
FORMAT = 1
PACKAGES = (
    "semcosim", "ns3", "sionna", "torch", "transformers", "numpy", "pandas", "pyarrow", "pydantic",
)  # fmt: skip
EXTRAS = ("torchao", "ai-edge-litert")
"""Whose results some rungs send; nobody needs them otherwise."""


class _RunShape(BaseModel):
    """The part of a resolved scenario that readers of traces calculate with."""

    duration_s: float = Field(0.0, ge=0, allow_inf_nan=False)
    drain_s: float = Field(0.0, ge=0, allow_inf_nan=False)


class _ScenarioShape(BaseModel):
    model_config = ConfigDict(extra="allow")
    run: _RunShape = Field(default_factory=lambda: _RunShape.model_validate({}))


class _LayoutShape(BaseModel):
    cells_m: list[tuple[float, float, float]] = []
    ues_m: list[tuple[float, float, float]] = []
    serving_cell: list[int] = []


class _Shape(BaseModel):
    """What a manifest must look like for its readers; entries that are missing are missing."""

    model_config = ConfigDict(extra="allow")
    status: str
    reason: str | None = None
    name: str | None = None
    seed: int | None = None
    scenario_hash: str | None = None
    scenario: _ScenarioShape = Field(default_factory=_ScenarioShape)
    versions: dict[str, str | None] = {}
    hashes: dict[str, str] = {}
    wall: dict[str, Any] = {}
    facts: dict[str, Any] = {}
    offline: dict[str, Any] | None = None
    channel: dict[str, Any] | None = None
    counters: list[dict[str, Any]] | None = None
    layout: _LayoutShape | None = None


def versions() -> dict[str, str | None]:
    """Return the versions of Python and of the packages that results depend on, without imports."""
    found: dict[str, str | None] = {"python": platform.python_version()}
    for name in (*PACKAGES, *EXTRAS):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = None
    return found


def _plain(value: Any) -> Any:
    """Return JSON types: NumPy scalars unpacked, NaN and infinities as null."""
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if hasattr(value, "item") and not hasattr(value, "__len__"):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Path):
        return str(value)
    return value


class Manifest:
    """The manifest of one run.

    Attributes:
        run_dir: the run's folder.
        data: the contents, plain JSON types: `status`, `reason`, `name`, `seed`, `scenario_hash`,
            `scenario` (resolved), `versions`, `hashes` (of each table), `wall` and what the engine
            adds (`offline`, `counters`, `stalls`, …).
    """

    def __init__(self, run_dir: Path, data: dict[str, Any]) -> None:
        self.run_dir = run_dir
        self.data = data
        self._started = time.perf_counter()

    @classmethod
    def start(cls, run_dir: Path | str, scenario: Scenario, **extra: Any) -> Self:
        """Write the manifest of a run that begins, and the resolved scenario as `scenario.toml`.

        Raises:
            TraceError: the folder cannot be written to.
        """
        folder = Path(run_dir)
        manifest = cls(
            folder,
            {
                "format": FORMAT,
                "status": "running",
                "reason": None,
                "name": scenario.name,
                "seed": scenario.run.seed,
                "scenario_hash": scenario.content_hash(),
                "scenario": scenario.resolved(),
                "versions": versions(),
                "wall": {"started": _now(), "pid": os.getpid()},
            },
        )
        write_atomically(folder / "scenario.toml", scenario.resolved_toml().encode())
        with contextlib.suppress(OSError), (folder / RESERVE_NAME).open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, RESERVE_BYTES)
        manifest.update(**extra)
        return manifest

    @classmethod
    def read(cls, run_dir: Path | str) -> Self:
        """Return the manifest in a run's folder.

        Raises:
            TraceError: there is none, or it is damaged.
        """
        path = Path(run_dir) / FILE_NAME
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise TraceError(
                f"{run_dir} is not the folder of a run: it has no {FILE_NAME}"
            ) from None
        except (OSError, ValueError) as error:
            raise TraceError(f"cannot read {path}: {error}") from None
        if not isinstance(data, dict) or not isinstance(data.get("status"), str):
            raise TraceError(f"{path} is no manifest of a run")
        try:
            _Shape.model_validate(data)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise TraceError(f"{path}: {where}: {first['msg']}; the file was changed") from None
        return cls(Path(run_dir), data)

    def update(self, **entries: Any) -> None:
        """Set entries and write the file; a dictionary is merged into one that is there."""
        for key, value in entries.items():
            value = _plain(value)
            if isinstance(value, dict) and isinstance(self.data.get(key), dict):
                self.data[key] = self.data[key] | value
            else:
                self.data[key] = value
        text = json.dumps(self.data, indent=2, ensure_ascii=False, allow_nan=False)
        write_atomically(self.run_dir / FILE_NAME, text.encode() + b"\n")

    def finish(self, status: Status, reason: str | None = None, **entries: Any) -> None:
        """Write how the run ended, with the tables' hashes and the wall time.

        Args:
            status: "finished", "interrupted" or "failed".
            reason: why it did not finish.
            **entries: as in `update`.
        """
        with contextlib.suppress(OSError):
            (self.run_dir / RESERVE_NAME).unlink(missing_ok=True)
        self.update(
            **entries,
            status=status,
            reason=reason,
            hashes=trace_hashes(self.run_dir),
            wall={"ended": _now(), "total_s": round(time.perf_counter() - self._started, 3)},
        )


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
