# SPDX-License-Identifier: MIT
"""What a campaign says while it goes on: done, failed, under way, time left."""

import sys
import time
from typing import Any, Protocol

from cosim.campaign.attempt import Outcome

LINE_EVERY_S = 10.0


class CampaignProgress(Protocol):
    """Where a campaign reports to."""

    def begin(self, total: int, done: int, failed: int) -> None:
        """Learn how many runs there are and how many are done or failed already."""

    def tick(self, running: int) -> None:
        """Learn how many runs are under way; called often."""

    def ended(self, outcome: Outcome) -> None:
        """Learn how a run ended."""

    def end(self) -> None:
        """Stop reporting."""


class NoProgress:
    """Says nothing."""

    def begin(self, total: int, done: int, failed: int) -> None:
        """Say nothing."""

    def tick(self, running: int) -> None:
        """Say nothing."""

    def ended(self, outcome: Outcome) -> None:
        """Say nothing."""

    def end(self) -> None:
        """Say nothing."""


class Counts:
    """The numbers of a campaign and how long the rest will take."""

    def __init__(self, total: int, done: int, failed: int, now_s: float) -> None:
        self.total, self.done, self.failed = total, done, failed
        self._started_s = now_s
        self._ended = 0

    def ended(self, outcome: Outcome) -> None:
        """Count a run that ended."""
        self._ended += 1
        if outcome.status == "finished":
            self.done += 1
        else:
            self.failed += 1

    @property
    def left(self) -> int:
        """Return how many runs have not ended."""
        return max(self.total - self.done - self.failed, 0)

    def eta_s(self, now_s: float) -> float | None:
        """Return the seconds to the end at the pace so far, None before the first run ended.

        The pace is runs ended over time passed, so it holds for any number at a time.
        """
        passed = now_s - self._started_s
        return self.left * passed / self._ended if self._ended and passed > 0 else None

    def text(self, running: int, now_s: float) -> str:
        """Return the numbers in one line."""
        eta = self.eta_s(now_s)
        words = [f"{self.done} of {self.total} done", f"{running} under way"]
        if self.failed:
            words.insert(1, f"{self.failed} failed")
        if self.left:
            words.append("ETA " + ("?" if eta is None else duration(eta)))
        return ", ".join(words)


def duration(seconds: float) -> str:
    """Return 75 as "1:15", 3675 as "1:01:15"."""
    hours, rest = divmod(round(seconds), 3600)
    minutes, left = divmod(rest, 60)
    return f"{hours}:{minutes:02d}:{left:02d}" if hours else f"{minutes}:{left:02d}"


class TextProgress:
    """A status line on a terminal; elsewhere a line every ten seconds and for each failure."""

    def __init__(self, stream: Any = None) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._live = bool(getattr(self._stream, "isatty", lambda: False)())
        self._counts: Counts | None = None
        self._said_s = -LINE_EVERY_S
        self._running = 0

    def begin(self, total: int, done: int, failed: int) -> None:
        """Say where the campaign stands."""
        self._counts = Counts(total, done, failed, time.monotonic())
        self._say()

    def tick(self, running: int) -> None:
        """Show the number of runs under way."""
        self._running = running
        if self._live or time.monotonic() - self._said_s >= LINE_EVERY_S:
            self._say()

    def ended(self, outcome: Outcome) -> None:
        """Count a run; say why one failed."""
        assert self._counts is not None
        self._counts.ended(outcome)
        if outcome.status != "finished":
            reason = " ".join(outcome.reason.split())[:300]
            self._line(f"{outcome.key[:16]} {outcome.status}: {reason}", keep=True)

    def end(self) -> None:
        """Say where the campaign stands at its end."""
        if self._counts is not None:
            self._running = 0
            self._line(self._counts.text(0, time.monotonic()), keep=True)

    def _say(self) -> None:
        assert self._counts is not None
        now = time.monotonic()
        self._line(self._counts.text(self._running, now), keep=not self._live)
        self._said_s = now

    def _line(self, text: str, *, keep: bool) -> None:
        if self._live:
            self._stream.write(f"\r\x1b[K{text}" + ("\n" if keep else ""))
        else:
            self._stream.write(text + "\n")
        self._stream.flush()
