# SPDX-License-Identifier: MIT
"""Campaigns on a real Dask scheduler with workers, each a process of its own."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pandas as pd
import pytest
from campaign_tools import STAND_IN, starts

from cosim.campaign import load_design, run_campaign
from cosim.campaign.attempt import Task
from cosim.campaign.cluster import execute
from cosim.traces import TraceError

pytest.importorskip("distributed", reason="the extra `cluster` is not installed")
# What a worker preloads, so that it runs the stand-in.
PRELOAD = f"from cosim.campaign import attempt\nattempt.PROGRAM = {STAND_IN!r}\n"


class Cluster:
    """A scheduler and its workers."""

    def __init__(self, folder: Path, workers: int) -> None:
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.address = f"tcp://127.0.0.1:{port}"
        (folder / "preload.py").write_text(PRELOAD)
        self.processes = [self._dask("scheduler", "--port", str(port), "--no-dashboard")]
        for _ in range(workers):
            self.add_worker()

    def add_worker(self) -> subprocess.Popen:
        worker = self._dask(
            "worker", self.address, "--nthreads", "1", "--no-nanny", "--no-dashboard",
            "--preload", str(self.folder / "preload.py"),
        )  # fmt: skip
        self.processes.append(worker)
        return worker

    def _dask(self, *words: str) -> subprocess.Popen:
        log = (self.folder / "dask.log").open("ab")
        code = "import sys; from dask.__main__ import main; sys.argv[0] = 'dask'; main()"
        return subprocess.Popen(
            [sys.executable, "-c", code, *words], stdout=log, stderr=log, cwd=self.folder,
            env={**os.environ, "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "3"},
        )  # fmt: skip

    def close(self) -> None:
        for process in reversed(self.processes):
            process.terminate()
        for process in self.processes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
            process.kill()


@pytest.fixture
def cluster(tmp_path):
    made = Cluster(tmp_path, workers=2)
    yield made
    made.close()


def design(seeds, description=""):
    overrides = [f'description="{description}"'] if description else []
    return load_design("hello", seeds=seeds, overrides=overrides, name="c")


def test_a_cluster_does_each_run_once(cluster, tmp_path):
    result = run_campaign(design(4), tmp_path / "c", cluster=cluster.address)
    assert result.finished == 4 and sorted(starts(result.folder)) == [1, 2, 3, 4]
    assert set(pd.read_parquet(result.table)["status"]) == {"finished"}
    assert run_campaign(design(4), tmp_path / "c", cluster=cluster.address).started == 0


def test_a_killed_worker_loses_nothing(cluster, tmp_path):
    folder = tmp_path / "c"
    results = []
    thread = threading.Thread(
        target=lambda: results.append(
            run_campaign(design(3, "slow"), folder, cluster=cluster.address)
        )
    )
    thread.start()
    deadline = time.monotonic() + 40
    while len(starts(folder)) < 2:
        assert time.monotonic() < deadline, (tmp_path / "dask.log").read_text()[-2000:]
        time.sleep(0.1)
    victim = cluster.processes[1]
    (folder / "fixed").touch()  # whoever starts from now on is not slow
    # Two runs are under way and would sleep for a minute: one worker dies, its run with it.
    os.kill(victim.pid, signal.SIGKILL)
    survivors = [int(line.split()[1]) for line in (folder / "starts.log").read_text().splitlines()]
    time.sleep(1.0)
    for pid in survivors:  # the other run, still asleep, is killed from outside
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    thread.join(60)
    (result,) = results
    assert result.finished == 3 and not result.failed
    assert len(list((folder / "runs").iterdir())) == 3
    # Three runs, and what was killed once more: both, or one if the other had logged its start but
    # looked for `fixed` only after it was there, and so was not asleep.
    assert sorted(set(starts(folder))) == [1, 2, 3] and len(starts(folder)) in (4, 5)


def test_a_run_ends_when_its_campaign_has_died(tmp_path, stand_in):
    from cosim.campaign import CampaignFolder
    from cosim.campaign.folder import LEASE

    wanted = design(1, "slow")
    folder = CampaignFolder(tmp_path / "c")
    folder.prepare(wanted)
    point = wanted.points[0]
    task = Task(point.key, str(folder.scenario_file(point)), str(folder.path))
    (folder.path / LEASE).touch()
    began = time.monotonic()
    outcome = execute(task, lease_s=1.0)
    assert outcome.status == "stopped" and time.monotonic() - began < 20
    folder.release()


def test_a_folder_that_is_not_shared_is_said(tmp_path):
    outcome = execute(Task("k" * 64, "/nowhere/x.toml", str(tmp_path)))
    assert outcome.status == "failed" and "folder that all machines share" in outcome.reason


def test_no_scheduler_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr("cosim.campaign.cluster.CONNECT_S", 1.0)
    with pytest.raises(TraceError, match="no Dask scheduler answers at tcp"):
        run_campaign(design(1), tmp_path / "c", cluster="tcp://127.0.0.1:9")
