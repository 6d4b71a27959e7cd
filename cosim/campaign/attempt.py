# SPDX-License-Identifier: MIT
"""One attempt at one run: a `cosim run` process, its memory, and where its folder ends up."""

import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cosim.campaign.folder import KEY_DIGITS
from cosim.campaign.memory import tree_mb
from cosim.traces import Manifest, TraceError
from cosim.traces.files import write_atomically

STOP_S = 10.0
REASON_CHARACTERS = 600
PROGRAM = (sys.executable, "-m", "cosim.cli", "run")
"""What runs a scenario; `SCENARIO --quiet --json --out FOLDER` follows."""


@dataclass(frozen=True)
class Task:
    """What an attempt needs to know; plain types, so that it can travel to another machine.

    Attributes:
        key: the run's key.
        scenario: the scenario file.
        campaign: the campaign's folder, the same path everywhere.
        plugins: Python files that the run loads first.
    """

    key: str
    scenario: str
    campaign: str
    plugins: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """How an attempt ended.

    Attributes:
        status: "finished"; "failed", for a reason of its own, which another attempt would meet
            again; "killed", from outside; "stopped", by us.
        reason: why it did not finish.
        wall_s: how long it took.
        peak_mb: private memory of all its processes together at most, as far as it was sampled.
    """

    key: str
    status: Literal["finished", "failed", "killed", "stopped"]
    reason: str = ""
    wall_s: float = 0.0
    peak_mb: float = 0.0
    host: str = ""


class Attempt:
    """A running attempt."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.folder = (
            Path(task.campaign) / "attempts" / f"{task.key[:KEY_DIGITS]}-{secrets.token_hex(4)}"
        )
        self.folder.mkdir(parents=True)
        self.peak_mb = 0.0
        self.now_mb = 0.0
        self._stopped = False
        self._started = time.monotonic()
        guard = Path(__file__).with_name("guard.py")
        plugins = [word for plugin in task.plugins for word in ("--plugin", plugin)]
        with (self.folder / "log.txt").open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, str(guard), str(os.getpid()), *PROGRAM, task.scenario,
                 "--quiet", "--json", "--out", str(self.folder / "run"), *plugins],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                env={"OMP_NUM_THREADS": "1", **os.environ},
                start_new_session=True,
            )  # fmt: skip

    @property
    def pid(self) -> int:
        """Return the process number of `cosim run`."""
        return self._process.pid

    def poll(self) -> Outcome | None:
        """Return the outcome once the attempt has ended; sample its memory until then."""
        code = self._process.poll()
        if code is None:
            self.now_mb = tree_mb(self._process.pid)
            self.peak_mb = max(self.peak_mb, self.now_mb)
            return None
        return self._settle(code)

    def stop(self) -> None:
        """Ask the attempt to end; `poll` tells when it has."""
        self._stopped = True
        if self._process.poll() is None:
            self._process.terminate()

    def kill(self) -> None:
        """End the attempt with everything that it started."""
        self._stopped = True
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _settle(self, code: int) -> Outcome:
        run = self.folder / "run"
        status, reason = self._verdict(code, run)
        campaign = Path(self.task.campaign)
        short = self.task.key[:KEY_DIGITS]
        if status == "finished":
            # Whole or not at all. Where another worker was faster, its folder is as good as ours.
            with contextlib.suppress(OSError):
                run.rename(campaign / "runs" / short)
            shutil.rmtree(campaign / "failed" / short, ignore_errors=True)
        elif status == "failed":
            data = {"reason": reason, "exit_code": code, "host": socket.gethostname()}
            write_atomically(self.folder / "failure.json", json.dumps(data, indent=1).encode())
            shutil.rmtree(campaign / "failed" / short, ignore_errors=True)
            with contextlib.suppress(OSError):
                self.folder.rename(campaign / "failed" / short)
        shutil.rmtree(self.folder, ignore_errors=True)
        wall_s = time.monotonic() - self._started
        return Outcome(self.task.key, status, reason, wall_s, self.peak_mb, socket.gethostname())

    def _verdict(
        self, code: int, run: Path
    ) -> tuple[Literal["finished", "failed", "killed", "stopped"], str]:
        told = ""
        try:
            manifest = Manifest.read(run).data
            if code == 0 and manifest["status"] == "finished":
                return "finished", ""
            told = str(manifest.get("reason") or "")
        except TraceError:
            pass
        if self._stopped:
            return "stopped", "stopped with its campaign"
        if code in (-signal.SIGKILL, -signal.SIGTERM, -signal.SIGHUP, 130):
            name = "interrupted" if code == 130 else f"killed by signal {-code}"
            return "killed", f"{name} from outside (by hand, or for want of memory)"
        return "failed", (told or self._words() or f"ended with status {code}")[-REASON_CHARACTERS:]

    def _words(self) -> str:
        """Return what `cosim run` said last on standard error."""
        try:
            text = (self.folder / "log.txt").read_bytes()[-4000:].decode(errors="replace")
        except OSError:
            return ""
        lines = [line for line in text.splitlines() if line.startswith("cosim: ")]
        return lines[-1].removeprefix("cosim: ") if lines else text.strip()


def wait(attempt: Attempt, poll_s: float = 0.1) -> Outcome:
    """Return an attempt's outcome once it has ended."""
    while (outcome := attempt.poll()) is None:
        time.sleep(poll_s)
    return outcome


def stop_all(attempts: list[Attempt]) -> None:
    """End attempts: politely first, by force after `STOP_S`."""
    for attempt in attempts:
        attempt.stop()
    deadline = time.monotonic() + STOP_S
    for attempt in attempts:
        while attempt.poll() is None:
            if time.monotonic() > deadline:
                attempt.kill()
            time.sleep(0.05)
