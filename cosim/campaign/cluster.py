# SPDX-License-Identifier: MIT
"""Runs tasks on a Dask cluster whose workers see the campaign's folder under the same path.

Each Dask task is one `cosim run` on the worker's machine. When a worker dies, Dask gives its task
to another one; the run that it had under way dies with it (see `guard.py`). While the campaign is
alive it renews a lease in the folder; a worker that sees no renewal ends its run, so that nothing
computes for nobody.
"""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from cosim.campaign.attempt import Attempt, Outcome, Task, stop_all
from cosim.campaign.folder import LEASE
from cosim.traces import TraceError

RENEW_S = 5.0
LEASE_S = 60.0
POLL_S = 0.2
CONNECT_S = 20.0


def execute(task: Task, lease_s: float = LEASE_S) -> Outcome:
    """Do one run on this machine; what a Dask worker is asked to do.

    Args:
        task: the run.
        lease_s: end it when the campaign has not renewed its lease for so long.
    """
    lease = Path(task.campaign) / LEASE
    if not Path(task.scenario).is_file():
        reason = (
            f"the worker {os.uname().nodename} does not see {task.scenario}: "
            "campaigns on a cluster need a folder that all machines share"
        )
        return Outcome(task.key, "failed", reason)
    attempt = Attempt(task)
    try:
        seen, changed_at = _mtime(lease), time.monotonic()
        while (outcome := attempt.poll()) is None:
            time.sleep(POLL_S)
            # Compared with itself only: the clocks of two machines may differ.
            if (now := _mtime(lease)) != seen:
                seen, changed_at = now, time.monotonic()
            if now is None or time.monotonic() - changed_at > lease_s:
                stop_all([attempt])
                return Outcome(task.key, "stopped", "the campaign has ended")
        return outcome
    except BaseException:
        stop_all([attempt])
        raise


def _mtime(path: Path) -> int | None:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return None


class ClusterPool:
    """Hands tasks to a Dask scheduler.

    Args:
        address: of the scheduler, such as tcp://10.0.0.1:8786.
        retries: further attempts at a run that was killed, and further workers when one dies.

    Raises:
        TraceError: `distributed` is not installed, or no scheduler answers.
    """

    def __init__(self, address: str, retries: int = 1) -> None:
        try:
            import distributed
        except ImportError:
            raise TraceError(
                "--cluster needs Dask: pip install 'semcosim[cluster]' (or distributed)"
            ) from None
        try:
            self._client = distributed.Client(address, timeout=CONNECT_S, set_as_default=False)
        except (OSError, TimeoutError, ValueError) as error:
            raise TraceError(
                f"no Dask scheduler answers at {address}: {error}. Start one with `dask scheduler` "
                "and workers with `dask worker ADDRESS`"
            ) from None
        self._distributed = distributed
        self._retries = retries

    def run(self, tasks: Sequence[Task], tick: Callable[[int], None]) -> Iterator[Outcome]:
        """Yield outcomes as runs end; closing the iterator ends what is under way."""
        if not tasks:
            self._client.close()
            return
        lease = Path(tasks[0].campaign) / LEASE
        lease.touch()
        renewed = time.monotonic()
        attempts: dict[str, int] = {task.key: 0 for task in tasks}
        pending: dict[Any, Task] = {}
        try:
            for task in tasks:
                pending[self._submit(task)] = task
            while pending:
                if time.monotonic() - renewed > RENEW_S:
                    os.utime(lease)
                    renewed = time.monotonic()
                for future in [future for future in pending if future.done()]:
                    task = pending.pop(future)
                    outcome = self._outcome(future, task)
                    attempts[task.key] += 1
                    if outcome.status in ("killed", "stopped") and (
                        attempts[task.key] <= self._retries
                    ):
                        pending[self._submit(task)] = task
                        continue
                    yield outcome
                tick(min(len(pending), self._slots()))
                time.sleep(POLL_S)
        finally:
            lease.unlink(missing_ok=True)
            if pending:
                self._client.cancel(list(pending), force=True)
                # Let the workers see that the lease is gone before the folder is cleaned.
                time.sleep(2 * POLL_S)
            self._client.close()

    def _submit(self, task: Task) -> Any:
        return self._client.submit(execute, task, pure=False, retries=self._retries)

    def _slots(self) -> int:
        return sum(self._client.nthreads().values())

    def _outcome(self, future: Any, task: Task) -> Outcome:
        try:
            outcome: Outcome = future.result()
            return outcome
        except self._distributed.KilledWorker as error:
            return Outcome(task.key, "killed", f"its workers died: {error}")
        except Exception as error:  # whatever the worker raised is this run's failure
            return Outcome(task.key, "failed", f"{type(error).__name__}: {error}")
