# SPDX-License-Identifier: MIT
"""Block error curves on a Dask cluster are those of this machine."""

import os
import socket
import subprocess
import sys

import pytest

from sionna_phy.abstraction.campaign import Campaign, run_campaign
from sionna_phy.abstraction.pool import CampaignError

CAMPAIGN = Campaign(1, (5, 12), (24,), effort=0.05)


@pytest.fixture
def scheduler(tmp_path):
    """A scheduler's address, and a function that starts a worker."""
    pytest.importorskip("distributed", reason="the extra `cluster` is not installed")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"
    processes = []

    def dask(*words):
        code = "import sys; from dask.__main__ import main; sys.argv[0] = 'dask'; main()"
        with (tmp_path / "dask.log").open("ab") as log:
            processes.append(
                subprocess.Popen(
                    [sys.executable, "-c", code, *words],
                    stdout=log,
                    stderr=log,
                    cwd=tmp_path,
                    env={**os.environ, "OMP_NUM_THREADS": "1"},
                )
            )

    def worker(threads):
        import distributed

        dask("worker", address, "--nthreads", str(threads), "--no-nanny", "--no-dashboard")
        with distributed.Client(address, timeout=60, set_as_default=False) as client:
            client.wait_for_workers(1, timeout=60)

    dask("scheduler", "--port", str(port), "--no-dashboard")
    yield address, worker
    for process in reversed(processes):
        process.terminate()
        process.wait(20)


@pytest.mark.slow
def test_curves_do_not_depend_on_where_they_are_measured(scheduler, tmp_path):
    address, worker = scheduler
    worker(1)
    there = run_campaign(CAMPAIGN, tmp_path / "there.json", cluster=address)
    here = run_campaign(CAMPAIGN, tmp_path / "here.json")
    assert len(there["curves"]) == 2
    assert there["curves"] == here["curves"]
    assert there["versions"] == here["versions"]


@pytest.mark.slow
def test_workers_with_threads_are_refused(scheduler, tmp_path):
    address, worker = scheduler
    worker(2)
    with pytest.raises(CampaignError, match="--nthreads 1"):
        run_campaign(CAMPAIGN, tmp_path / "no.json", cluster=address)


@pytest.mark.slow
def test_a_cluster_that_is_not_there_is_named(tmp_path):
    pytest.importorskip("distributed", reason="the extra `cluster` is not installed")
    with pytest.raises(CampaignError, match="dask scheduler"):
        run_campaign(CAMPAIGN, tmp_path / "no.json", cluster="tcp://127.0.0.1:1")
