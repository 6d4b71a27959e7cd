# SPDX-License-Identifier: MIT
"""Runs tasks on this machine: as many at a time as cores and memory allow."""

import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence

from cosim.campaign.attempt import Attempt, Outcome, Task, stop_all
from cosim.campaign.memory import available_mb

POLL_S = 0.1
FIRST_GUESS_MB = 1500.0
"""Assumed of a run until one has been seen (engine and channel producer load torch, each about 500
MiB, and a language model may come on top)."""
MARGIN = 1.2


class LocalPool:
    """Keeps up to `workers` attempts running while memory lasts.

    A further run is started only when the memory that is free, less what those under way may still
    take, holds one more; at least one always runs. When a run is killed from outside, which is what
    a machine without memory does, it is tried again with one worker fewer.

    Args:
        workers: at most so many at a time; by default the cores that this process may use.
        memory_mb: assumed of each run, instead of measuring it.
        retries: further attempts at a run that was killed.
        free_mb: tells the free memory.
    """

    def __init__(
        self,
        workers: int | None = None,
        memory_mb: float | None = None,
        retries: int = 1,
        free_mb: Callable[[], float] = available_mb,
    ) -> None:
        self.workers = workers or len(os.sched_getaffinity(0))
        self._fixed_mb = memory_mb
        self._peak_mb = 0.0
        self._retries = retries
        self._free_mb = free_mb
        self.running: list[Attempt] = []

    @property
    def need_mb(self) -> float:
        """Return the memory that a run is assumed to take."""
        if self._fixed_mb is not None:
            return self._fixed_mb
        return MARGIN * self._peak_mb if self._peak_mb else FIRST_GUESS_MB

    def may_start(self) -> bool:
        """Return whether one more attempt may be started now."""
        if not self.running:
            return True
        if len(self.running) >= self.workers:
            return False
        growing = sum(max(self.need_mb - attempt.now_mb, 0.0) for attempt in self.running)
        return self._free_mb() - growing >= self.need_mb

    def run(self, tasks: Sequence[Task], tick: Callable[[int], None]) -> Iterator[Outcome]:
        """Yield outcomes as runs end; closing the iterator ends what is under way.

        Args:
            tasks: what to run, in order.
            tick: called about ten times a second with the number of runs under way.
        """
        queue = deque(tasks)
        attempts: dict[str, int] = {}
        try:
            while queue or self.running:
                while queue and self.may_start():
                    task = queue.popleft()
                    attempts[task.key] = attempts.get(task.key, 0) + 1
                    self.running.append(Attempt(task))
                for attempt in list(self.running):
                    outcome = attempt.poll()
                    if outcome is None:
                        continue
                    self.running.remove(attempt)
                    self._peak_mb = max(self._peak_mb, outcome.peak_mb)
                    if outcome.status == "killed":
                        self.workers = max(self.workers - 1, 1)
                        if attempts[outcome.key] <= self._retries:
                            queue.append(attempt.task)
                            continue
                    yield outcome
                tick(len(self.running))
                time.sleep(POLL_S)
        finally:
            stop_all(self.running)
            self.running.clear()
