# SPDX-License-Identifier: MIT
"""Training beside the simulation: a result is not needed before the device's latency is over."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


class Worker:
    """Computes in a thread of its own, one thing after the other.

    What begins to compute at one simulated time has its result at a later one, and until then ns-3
    need not wait. Because things are done in the order in which they were begun, and looked at only
    when they are done, a run's values do not depend on how fast the thread is. What one worker
    changes, nobody else may read but by `call`.
    """

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="training")

    def begin(self, compute: Callable[[], T]) -> "Future[T]":
        """Begin to compute something; `result` of what is returned waits for it."""
        return self._pool.submit(compute)

    def call(self, compute: Callable[[], T]) -> T:
        """Compute something after all that was begun before, and wait for it."""
        return self.begin(compute).result()
