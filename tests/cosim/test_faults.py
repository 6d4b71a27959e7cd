# SPDX-License-Identifier: MIT
"""What happens when something is killed, interrupted or full."""

import json
import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from cosim.traces import read_trace
from tests.cosim.conftest import alive, children

LONG = ("channel.model=constant", "run.duration_s=600.0")


def wait_for_trace(process, table="slots", timeout_s=90.0):
    """Wait until the run has written a first part file, so that it is in its simulation."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise AssertionError(f"the run ended early: {process.communicate()}")
        if (process.run_dir / f"{table}.parquet").is_dir() and len(
            read_trace(process.run_dir, table, ["t_s"])
        ):
            return
        time.sleep(0.05)
    raise AssertionError("no trace was written")


def ns3_of(process) -> int:
    for pid in children(process.pid):
        if "cosim-ns3" in Path(f"/proc/{pid}/cmdline").read_text():
            return pid
    raise AssertionError("ns-3 is not running")


def assert_readable(run_dir: Path) -> None:
    assert len(read_trace(run_dir, "slots")) > 0
    assert len(read_trace(run_dir, "packets")) > 0


def shared_memory() -> set[str]:
    # Semaphores of other programs come and go; a run makes none.
    return {name for name in os.listdir("/dev/shm") if not name.startswith("sem.")}


@pytest.mark.parametrize("attempt", range(3))
def test_killing_ns3_ends_the_run_within_a_second_with_its_traces_kept(start, attempt):
    before = shared_memory()
    process = start("hello", *LONG)
    wait_for_trace(process)
    family = children(process.pid)
    time.sleep(random.Random(attempt).uniform(0.0, 0.5))
    os.kill(ns3_of(process), signal.SIGKILL)
    killed = time.monotonic()
    # One second to notice; then the traces are closed and the summary is written.
    while json.loads((process.run_dir / "run.json").read_text())["status"] == "running":
        assert time.monotonic() - killed < 5.0
        time.sleep(0.02)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "ns-3" in errors and "Traceback" not in errors
    manifest = json.loads((process.run_dir / "run.json").read_text())
    assert manifest["status"] == "failed" and "ns-3" in manifest["reason"]
    assert not any(alive(pid) for pid in family)
    assert shared_memory() == before
    assert_readable(process.run_dir)


@pytest.mark.parametrize("attempt", range(3))
def test_killing_the_engine_takes_its_children_along_and_leaves_readable_traces(start, attempt):
    before = shared_memory()
    process = start("hello", *LONG)
    wait_for_trace(process)
    family = children(process.pid)
    assert family
    time.sleep(random.Random(attempt).uniform(0.0, 0.5))
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    deadline = time.monotonic() + 1.0
    while any(alive(pid) for pid in family):
        assert time.monotonic() < deadline, "an orphan is alive after a second"
        time.sleep(0.01)
    assert shared_memory() == before
    assert_readable(process.run_dir)


def test_ctrl_c_ends_cleanly_and_marks_the_run(start):
    process = start("hello", *LONG)
    wait_for_trace(process)
    family = children(process.pid)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in errors
    manifest = json.loads((process.run_dir / "run.json").read_text())
    assert manifest["status"] == "interrupted"
    assert not any(alive(pid) for pid in family)
    assert_readable(process.run_dir)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small tmpfs needs root")
def test_a_full_disk_is_a_clear_error_and_keeps_what_was_written(start, tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", str(small)], check=True)
    try:
        process = start("hello", *LONG, out=small / "run")
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 1
        assert "No space left" in errors or "full" in errors
        assert "Traceback" not in errors
        assert_readable(small / "run")
        manifest = json.loads((small / "run" / "run.json").read_text())
        assert manifest["status"] == "failed" and "space" in manifest["reason"]
        assert not (small / "run" / ".reserve").exists()
    finally:
        subprocess.run(["umount", str(small)], check=True)


@pytest.mark.slow
def test_sixteen_runs_at_once_are_each_the_run_alone(run, start):
    from cosim.traces import trace_hashes

    settings = ("channel.model=constant", "run.duration_s=1.0")
    alone = trace_hashes(run("hello", *settings))
    together = [start("hello", *settings) for _ in range(16)]
    for process in together:
        _, errors = process.communicate(timeout=280)
        assert process.returncode == 0, errors
        assert trace_hashes(process.run_dir) == alone
