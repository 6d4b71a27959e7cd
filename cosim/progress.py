# SPDX-License-Identifier: MIT
"""How a run says how far it is: nothing, lines, or a bar, always on standard error."""

import sys
import time
from types import TracebackType
from typing import IO, Protocol, Self


class ProgressSink(Protocol):
    """What the engine reports to. Calls come from one thread and are cheap to make often."""

    def start(self, total_s: float) -> None:
        """Begin; the simulation will last `total_s` simulated seconds."""

    def phase(self, name: str, total: int | None = None) -> None:
        """Enter a phase ("encoding", "simulating", …) of `total` steps if known."""

    def step(self, count: int = 1) -> None:
        """Complete steps of the phase."""

    def update(
        self,
        t_s: float,
        messages: int = 0,
        correct: int = 0,
        decided: int = 0,
        delivered_bytes: int = 0,
    ) -> None:
        """Report simulated time and, all since the beginning: messages sent, decided and correct.

        Args:
            t_s: simulated time.
            messages: sent so far.
            correct: of the decided ones.
            decided: decoded so far.
            delivered_bytes: application bytes delivered so far.
        """

    def finish(self) -> None:
        """End; calling it twice does nothing."""


class NullProgress:
    """Says nothing."""

    def start(self, total_s: float) -> None:
        """Do nothing."""

    def phase(self, name: str, total: int | None = None) -> None:
        """Do nothing."""

    def step(self, count: int = 1) -> None:
        """Do nothing."""

    def update(
        self,
        t_s: float,
        messages: int = 0,
        correct: int = 0,
        decided: int = 0,
        delivered_bytes: int = 0,
    ) -> None:
        """Do nothing."""

    def finish(self) -> None:
        """Do nothing."""


def describe(t_s: float, messages: int, correct: int, decided: int, delivered_bytes: int) -> str:
    """Return the run's state in a few words: messages, accuracy and throughput so far."""
    accuracy = f"{correct / decided:.3f}" if decided else "-"
    rate_mbps = delivered_bytes * 8e-6 / t_s if t_s > 0 else 0.0
    return f"{messages} messages, accuracy {accuracy}, {rate_mbps:.2f} Mbit/s"


class LineProgress:
    """One line a phase and a tenth of the run: for logs and pipes.

    Args:
        stream: where to, standard error by default.
    """

    def __init__(self, stream: IO[str] | None = None) -> None:
        self._stream = stream or sys.stderr
        self._total_s = 0.0
        self._tenth = 0

    def _line(self, text: str) -> None:
        print(text, file=self._stream, flush=True)

    def start(self, total_s: float) -> None:
        """Remember the total."""
        self._total_s = total_s
        self._tenth = 0

    def phase(self, name: str, total: int | None = None) -> None:
        """Write the phase's name."""
        self._line(f"{name} ({total})" if total else name)

    def step(self, count: int = 1) -> None:
        """Do nothing: steps are too many for lines."""

    def update(
        self,
        t_s: float,
        messages: int = 0,
        correct: int = 0,
        decided: int = 0,
        delivered_bytes: int = 0,
    ) -> None:
        """Write a line at every tenth of the simulated time."""
        tenth = int(10 * t_s / self._total_s) if self._total_s > 0 else 0
        if tenth > self._tenth:
            self._tenth = tenth
            state = describe(t_s, messages, correct, decided, delivered_bytes)
            self._line(f"{t_s:.1f} of {self._total_s:.1f} s: {state}")

    def finish(self) -> None:
        """Do nothing."""


class BarProgress:
    """A bar in simulated time with messages, accuracy and throughput, for a terminal.

    A context manager: whatever happens, the terminal is left as it was.
    """

    _REFRESH_S = 0.1

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        self._progress = Progress(
            TextColumn("{task.description:<16}"),
            BarColumn(),
            TextColumn("{task.fields[clock]}"),
            TextColumn("{task.fields[state]}"),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            transient=False,
        )
        self._total_s = 0.0
        self._task = self._progress.add_task("starting", total=None, clock="", state="")
        self._simulating = False
        self._drawn = 0.0
        self._steps: int | None = None
        self._done = 0
        self._live = False

    def start(self, total_s: float) -> None:
        """Show the bar."""
        self._total_s = total_s
        if not self._live:
            self._live = True
            self._progress.start()

    def phase(self, name: str, total: int | None = None) -> None:
        """Name the phase and begin its bar anew."""
        if not self._live:
            self.start(self._total_s)
        self._simulating = False
        self._steps, self._done = total, 0
        self._progress.reset(self._task, total=total, description=name, clock="", state="")
        if total is None:
            self._progress.update(self._task, total=None)

    def step(self, count: int = 1) -> None:
        """Move the phase's bar on."""
        self._done += count
        clock = f"{self._done}/{self._steps}" if self._steps else str(self._done)
        self._progress.update(self._task, completed=self._done, clock=clock)

    def update(
        self,
        t_s: float,
        messages: int = 0,
        correct: int = 0,
        decided: int = 0,
        delivered_bytes: int = 0,
    ) -> None:
        """Move the bar of simulated time on."""
        now = time.monotonic()
        if now - self._drawn < self._REFRESH_S and t_s < self._total_s:
            return
        self._drawn = now
        if not self._simulating:
            self._simulating = True
            self._progress.reset(self._task, total=self._total_s, clock="", state="")
        self._progress.update(
            self._task,
            completed=min(t_s, self._total_s),
            clock=f"{t_s:.1f}/{self._total_s:.1f} s",
            state=describe(t_s, messages, correct, decided, delivered_bytes),
        )

    def finish(self) -> None:
        """Stop drawing."""
        if self._live:
            self._live = False
            self._progress.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.finish()


def make_progress(*, quiet: bool = False) -> ProgressSink:
    """Return what suits standard error: nothing if quiet, a bar on a terminal, else lines."""
    if quiet:
        return NullProgress()
    return BarProgress() if sys.stderr.isatty() else LineProgress()
