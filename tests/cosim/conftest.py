# SPDX-License-Identifier: MIT
"""Runs of the command line as a user starts it, in processes of their own."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

FLAT = ["channel.model=constant", "ues.count=2", "run.duration_s=2.0"]


def command(scenario: str, out: Path, *settings: str, seed: int = 1) -> list[str]:
    """Return the command line of a quiet run."""
    sets = [word for setting in settings for word in ("--set", setting)]
    python = [sys.executable, "-m", "cosim.cli", "run", scenario]
    return [*python, "--quiet", "--json", "--seed", str(seed), "--out", str(out), *sets]


def children(pid: int) -> list[int]:
    """Return the living children of a process."""
    try:
        tasks = Path(f"/proc/{pid}/task").iterdir()
        return [int(c) for task in tasks for c in (task / "children").read_text().split()]
    except FileNotFoundError:
        return []


def alive(pid: int) -> bool:
    """Return whether a process exists and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.fixture
def start(tmp_path: Path):
    """Start a run; every one still alive at the end of the test is killed."""
    started: list[subprocess.Popen[str]] = []

    def launch(scenario: str, *settings: str, seed: int = 1, out: Path | None = None):
        folder = out or tmp_path / f"run{len(started)}"
        process = subprocess.Popen(
            command(scenario, folder, *settings, seed=seed),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        process.run_dir = folder  # type: ignore[attr-defined]
        started.append(process)
        return process

    yield launch
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Run a scenario to its end and return its folder; equal calls share one run."""
    done: dict[tuple[object, ...], Path] = {}

    def finish(scenario: str, *settings: str, seed: int = 1) -> Path:
        key = (scenario, *settings, seed)
        if key not in done:
            folder = tmp_path_factory.mktemp("runs") / "run"
            result = subprocess.run(
                command(scenario, folder, *settings, seed=seed),
                capture_output=True,
                text=True,
                timeout=280,
                check=False,
            )
            assert result.returncode == 0, result.stderr
            assert json.loads(result.stdout)["status"] == "finished"
            done[key] = folder
        return done[key]

    return finish
