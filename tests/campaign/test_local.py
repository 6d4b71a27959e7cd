# SPDX-License-Identifier: MIT
"""Campaigns on this machine: nothing twice, nothing lost, whatever dies."""

import json
import os
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest
from campaign_tools import STAND_IN, starts

from cosim import cli
from cosim.campaign import load_design, run_campaign
from cosim.campaign.attempt import Outcome, Task
from cosim.campaign.local import LocalPool
from cosim.campaign.memory import available_mb, tree_mb
from cosim.campaign.progress import Counts, duration
from cosim.traces import TraceError

pytestmark = pytest.mark.usefixtures("stand_in")


def design(seeds=2, description="", **grid):
    overrides = [f'description="{description}"'] if description else []
    return load_design("hello", grid=list(grid.items()), seeds=seeds, overrides=overrides, name="c")


def test_runs_are_done_once_and_their_table_has_a_row_each(tmp_path):
    wanted = design(2, scheduler=["pf", "rr"])
    result = run_campaign(wanted, tmp_path / "c", workers=2)
    assert (result.total, result.finished, result.started) == (4, 4, 4)
    assert not result.failed and not result.interrupted
    table = pd.read_parquet(result.table)
    assert list(table["mac.scheduler"]) == ["pf", "pf", "rr", "rr"]
    assert list(table["seed"]) == [1, 2, 1, 2]
    assert set(table["status"]) == {"finished"} and set(table["accuracy"]) == {0.75}
    assert set(table["cell_throughput_dl_bps"]) == {100.0}
    again = run_campaign(wanted, tmp_path / "c")
    assert (again.finished, again.started) == (4, 0) and len(starts(tmp_path / "c")) == 4
    assert not list((tmp_path / "c" / "attempts").iterdir())


def test_a_larger_design_runs_what_is_new_alone(tmp_path):
    run_campaign(design(2), tmp_path / "c")
    result = run_campaign(design(3), tmp_path / "c")
    assert (result.total, result.started) == (3, 1)
    assert sorted(starts(tmp_path / "c")) == [1, 2, 3]


def test_failures_are_listed_with_their_reason_and_can_be_retried(tmp_path, capsys):
    folder = tmp_path / "c"
    command = ["campaign", "hello", "--seeds", "1", "--set", "description=fail", "--out",
               str(folder)]  # fmt: skip
    assert cli.main([*command, "--quiet"]) == 1
    assert "the channel is on fire" in capsys.readouterr().err
    table = pd.read_parquet(folder / "results.parquet")
    assert list(table["status"]) == ["failed"] and table["reason"][0] == "the channel is on fire"
    # without --retry a failure stays: it would only be met again
    assert cli.main([*command, "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["started"] == 0
    (folder / "fixed").touch()
    assert cli.main([*command, "--retry", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["finished"] == 1 and data["failed"] == {}
    assert list(pd.read_parquet(folder / "results.parquet")["status"]) == ["finished"]
    assert not list((folder / "failed").iterdir())


def test_a_run_without_manifest_tells_what_it_said(tmp_path):
    result = run_campaign(design(1, "crash"), tmp_path / "c")
    assert list(result.failed.values()) == ["no language model in the cache"]


def test_a_killed_run_is_tried_again(tmp_path):
    result = run_campaign(design(1, "killed-once"), tmp_path / "c")
    assert result.finished == 1 and starts(tmp_path / "c") == [1, 1]


def test_a_run_that_is_killed_each_time_is_a_failure_with_its_reason(tmp_path):
    result = run_campaign(design(1, "killed-once"), tmp_path / "c", retries=0)
    assert "killed by signal 9" in next(iter(result.failed.values()))
    # a kill is no property of the run: the next call tries again
    assert run_campaign(design(1, "killed-once"), tmp_path / "c").finished == 1


def test_a_damaged_run_is_done_again(tmp_path):
    result = run_campaign(design(1), tmp_path / "c")
    (run,) = (result.folder / "runs").iterdir()
    (run / "run.json").write_text("{")
    assert run_campaign(design(1), tmp_path / "c").started == 1


def start(tmp_path, description):
    code = (
        "import sys; from cosim.campaign import attempt; from cosim import cli;"
        f"attempt.PROGRAM = {STAND_IN!r}; sys.exit(cli.main(sys.argv[1:]))"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code, "campaign", "hello", "--seeds", "2", "--workers", "2",
         "--set", f"description={description}", "--out", str(tmp_path / "c"), "--json"],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip


def wait_for(condition, timeout_s=30.0):
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


def pids(folder):
    log = folder / "starts.log"
    return [int(line.split()[1]) for line in log.read_text().splitlines()] if log.exists() else []


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_campaign_leaves_no_process_and_goes_on(tmp_path, end):
    folder = tmp_path / "c"
    process = start(tmp_path, "slow")
    try:
        wait_for(lambda: len(pids(folder)) == 2)
        os.kill(process.pid, end)
        out, _ = process.communicate(timeout=30)
    finally:
        process.kill()
    if end is not signal.SIGKILL:
        assert process.returncode == 130 and json.loads(out)["interrupted"]
        assert not [p for p in (folder / "attempts").iterdir() if p.is_dir()]
    # the parent-death signal ends the runs even when the campaign could not
    wait_for(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in pids(folder)))
    (folder / "fixed").touch()
    result = run_campaign(design(2, "slow"), folder)
    assert (result.finished, result.started) == (2, 2)
    assert not list((folder / "attempts").iterdir())


def test_one_folder_is_one_campaigns(tmp_path):
    process = start(tmp_path, "slow")
    try:
        wait_for(lambda: pids(tmp_path / "c"))
        with pytest.raises(TraceError, match="another process works on the campaign"):
            run_campaign(design(2, "slow"), tmp_path / "c")
    finally:
        process.terminate()
        process.communicate(timeout=30)
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "thesis.tex").touch()
    with pytest.raises(TraceError, match="not the folder of a campaign"):
        run_campaign(design(1), tmp_path / "d")


def test_a_campaigns_folder_says_what_is_to_do(tmp_path, capsys):
    folder = tmp_path / "c"
    run_campaign(design(2), folder)
    assert cli.main(["campaign", str(folder), "--seeds", "3", "--dry-run", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["runs"]
    assert [row["state"] for row in rows] == ["finished", "finished", "to do"]
    assert cli.main(["campaign", str(folder), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["started"] == 0


class Running:
    """An attempt that holds some memory."""

    def __init__(self, now_mb):
        self.now_mb = now_mb


def test_memory_bounds_how_many_run():
    free = {"mb": 3000.0}
    pool = LocalPool(workers=8, memory_mb=1000, free_mb=lambda: free["mb"])
    assert pool.may_start()
    # One under way holds 400 of its 1000: 600 of the 3000 are spoken for, 2400 are left.
    pool.running = [Running(400)]
    assert pool.may_start()
    # Two of them: 3000 - 2 x 600 = 1800 are left, one more fits; with three 1200 and with four 600.
    pool.running = [Running(400)] * 3
    assert pool.may_start()
    pool.running = [Running(400)] * 4
    assert not pool.may_start()
    # One run always goes on, or a small machine would never begin.
    free["mb"] = 10.0
    pool.running = []
    assert pool.may_start()
    pool.running = [Running(1000)]
    assert not pool.may_start()
    pool = LocalPool(workers=1, free_mb=lambda: 1e9)
    pool.running = [Running(1)]
    assert not pool.may_start()


def test_memory_is_measured():
    assert 10.0 < available_mb() < 1e8
    block = bytearray(os.urandom(1)) * (64 << 20)
    assert tree_mb(os.getpid()) > 64.0 and len(block)
    assert tree_mb(2**22 + 1) == 0.0


def test_the_time_left_is_at_the_pace_so_far():
    counts = Counts(10, 2, 0, now_s=100.0)
    assert counts.eta_s(105.0) is None
    counts.ended(Outcome("a", "finished"))
    counts.ended(Outcome("b", "failed"))
    # two in 10 s, six are left: 30 s
    assert counts.eta_s(110.0) == 30.0
    assert counts.text(2, 110.0) == "3 of 10 done, 1 failed, 2 under way, ETA 0:30"
    assert [duration(s) for s in (5, 75, 3675)] == ["0:05", "1:15", "1:01:15"]


def test_closing_the_pool_ends_its_runs(tmp_path):
    from cosim.campaign import CampaignFolder

    wanted = design(1, "slow")
    folder = CampaignFolder(tmp_path / "c")
    folder.prepare(wanted)
    point = wanted.points[0]
    task = Task(point.key, str(folder.scenario_file(point)), str(folder.path))
    pool = LocalPool()
    seen = []
    outcomes = pool.run([task], seen.append)
    with pytest.raises(RuntimeError, match="enough"):

        def stop(running):
            if pids(folder.path):
                raise RuntimeError("enough")

        for _ in pool.run([task], stop):
            pass
    outcomes.close()
    assert not pool.running
    wait_for(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in pids(folder.path)))
    folder.release()


@pytest.mark.slow
def test_real_runs(tmp_path, monkeypatch):
    monkeypatch.undo()
    wanted = load_design(
        "hello", seeds=2, overrides=["channel.model=constant", "run.duration_s=0.5"], name="real"
    )
    result = run_campaign(wanted, tmp_path / "c")
    assert result.finished == 2 and not result.failed
    table = pd.read_parquet(result.table)
    assert (table["accuracy"] >= 0.0).all() and (table["messages"] > 0).all()
