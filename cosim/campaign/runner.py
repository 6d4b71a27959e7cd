# SPDX-License-Identifier: MIT
"""Does what a campaign has left to do, and writes its table."""

import contextlib
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from cosim.campaign.attempt import Task
from cosim.campaign.cluster import ClusterPool
from cosim.campaign.design import Design
from cosim.campaign.folder import KEY_DIGITS, CampaignFolder
from cosim.campaign.local import LocalPool
from cosim.campaign.progress import CampaignProgress, NoProgress
from cosim.campaign.results import FILE_NAME, write_results

TABLE_EVERY_S = 10.0


@dataclass(frozen=True)
class CampaignResult:
    """Where a campaign stands.

    Attributes:
        folder: its folder.
        total: runs of the design.
        finished: of these, runs whose traces are there.
        started: runs that this call did, whatever came of them.
        failed: short key → reason.
        interrupted: whether the user stopped it.
        table: the Parquet file of results.
    """

    folder: Path
    total: int
    finished: int
    started: int
    failed: dict[str, str]
    interrupted: bool
    table: Path


def run_campaign(
    design: Design,
    out: Path | str,
    *,
    workers: int | None = None,
    memory_mb: float | None = None,
    cluster: str | None = None,
    retries: int = 1,
    retry_failed: bool = False,
    progress: CampaignProgress | None = None,
) -> CampaignResult:
    """Run what is not there yet; Ctrl-C and SIGTERM end it in order, to be resumed by another call.

    Args:
        design: the runs.
        out: the campaign's folder; an existing one is gone on with, or extended.
        workers: local runs at a time; by default one a core, as far as memory goes.
        memory_mb: memory of a run, instead of measuring it.
        cluster: address of a Dask scheduler, instead of this machine.
        retries: further attempts at runs that were killed from outside.
        retry_failed: try failed runs again.
        progress: where to report.

    Raises:
        TraceError: the folder is in use, cannot be written to, or the cluster cannot be reached.
    """
    folder = CampaignFolder(out)
    folder.prepare(design)
    sink = progress or NoProgress()
    started, interrupted = 0, False
    try:
        failed = {p.key: reason for p in design.points if (reason := folder.failure(p.key))}
        left = []
        for point in design.points:
            if folder.is_finished(point):
                failed.pop(point.key, None)
            elif point.key not in failed or retry_failed:
                failed.pop(point.key, None)
                left.append(point)
        done = len(design.points) - len(left) - len(failed)
        sink.begin(len(design.points), done, len(failed))
        path = folder.path.resolve()
        tasks = [
            Task(
                point.key,
                str(folder.scenario_file(point).resolve()),
                str(path),
                design.plugins,
            )
            for point in left
        ]
        pool = ClusterPool(cluster, retries) if cluster else LocalPool(workers, memory_mb, retries)
        written = time.monotonic()
        outcomes = pool.run(tasks, sink.tick)
        try:
            with _sigterm_interrupts():
                for outcome in outcomes:
                    started += 1
                    if outcome.status == "finished":
                        done += 1
                    else:
                        failed[outcome.key] = outcome.reason
                    sink.ended(outcome)
                    if time.monotonic() - written > TABLE_EVERY_S:
                        write_results(folder, design)
                        written = time.monotonic()
        except KeyboardInterrupt:
            interrupted = True
        finally:
            outcomes.close()  # type: ignore[attr-defined]
            write_results(folder, design)
    finally:
        sink.end()
        folder.release()
    return CampaignResult(
        folder=folder.path,
        total=len(design.points),
        finished=done,
        started=started,
        failed={key[:KEY_DIGITS]: reason for key, reason in failed.items()},
        interrupted=interrupted,
        table=folder.path / FILE_NAME,
    )


@contextlib.contextmanager
def _sigterm_interrupts() -> Iterator[None]:
    """Let SIGTERM end a campaign as Ctrl-C does; only the main thread may set that."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(signum: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    previous = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
