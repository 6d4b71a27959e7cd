# SPDX-License-Identifier: MIT
"""One seed, the same bytes, whatever the timing of the processes."""

import os
import random
import signal
import time

import pytest

from cosim.traces import trace_hashes
from tests.cosim.conftest import children

SETTINGS = ("run.duration_s=3.0",)


def run_disturbed(start, victims, seed=1):
    """Run `hello` while stopping and continuing the processes that `victims` picks."""
    process = start("hello", *SETTINGS, seed=seed)
    rng = random.Random(7)
    while process.poll() is None:
        for pid in victims(process.pid):
            try:
                os.kill(pid, signal.SIGSTOP)
                time.sleep(rng.uniform(0.001, 0.03))
                os.kill(pid, signal.SIGCONT)
            except ProcessLookupError:
                pass
        time.sleep(rng.uniform(0.001, 0.02))
    assert process.returncode == 0, process.stderr.read()
    return trace_hashes(process.run_dir)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bytes_with_either_process_slowed(run, start):
    undisturbed = trace_hashes(run("hello", *SETTINGS))
    assert undisturbed["messages"] and undisturbed["slots"] and undisturbed["packets"]
    assert run_disturbed(start, children) == undisturbed  # ns-3 and the channel producer
    assert run_disturbed(start, lambda pid: [pid]) == undisturbed  # the engine


def test_another_seed_gives_other_traces(run):
    first, second = (trace_hashes(run("hello", *SETTINGS, seed=seed)) for seed in (1, 2))
    for table in ("messages", "slots", "packets"):
        assert first[table] != second[table]
