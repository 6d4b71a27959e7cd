# SPDX-License-Identifier: MIT
"""Where a run's files go. Nothing that exists is ever overwritten."""

import itertools
from pathlib import Path

from cosim.scenario import Scenario
from cosim.traces.files import TraceError


def create_run_folder(
    scenario: Scenario, out: Path | str | None = None, *, root: Path | str = "runs"
) -> Path:
    """Make and return the folder of a run.

    Args:
        scenario: gives the name `<name>-<seed>-<first 8 digits of its hash>`, with `-2`, `-3`, …
            when that exists.
        out: this very folder instead; it must be empty or absent.
        root: where named folders are made.

    Raises:
        TraceError: `out` is not empty or no folder, or the folder cannot be made.
    """
    try:
        if out is not None:
            return _given(Path(out))
        stem = f"{scenario.name}-{scenario.run.seed}-{scenario.content_hash()[:8]}"
        base = Path(root)
        base.mkdir(parents=True, exist_ok=True)
        for number in itertools.count(1):
            folder = base / (stem if number == 1 else f"{stem}-{number}")
            try:
                folder.mkdir()
            except FileExistsError:
                continue
            return folder
    except OSError as error:
        where = error.filename or out or root
        raise TraceError(
            f"cannot make the run's folder {where}: {error.strerror or error}. "
            "Choose another one with --out."
        ) from None
    raise AssertionError("unreachable")


def _given(folder: Path) -> Path:
    if folder.exists() and not folder.is_dir():
        raise TraceError(f"--out {folder} is a file, not a folder")
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise TraceError(
            f"--out {folder} is not empty: a run never overwrites anything. "
            "Choose an empty or a new folder."
        )
    return folder
