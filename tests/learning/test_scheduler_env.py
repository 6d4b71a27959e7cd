# SPDX-License-Identifier: MIT
"""`cosim/Scheduler-v0` on real runs, under the official checker."""

import contextlib
import os
from pathlib import Path

import numpy as np
import pytest

gymnasium = pytest.importorskip("gymnasium", reason="the extra `rl` is not installed")

from cosim.learning import SCHEDULER_ENV_ID, SchedulerEnv  # noqa: E402

WEIGHTED = str(Path(__file__).parents[2] / "ns3_scenarios" / "examples" / "weighted.toml")
SMALL = {
    "scenario": WEIGHTED,
    # 4 UEs that want more than the cell has, each
    "overrides": ("mac.scheduler=pf", "run.duration_s=0.2", "ues.count=4",
                  "traffic.0.rate_bps=2e8"),
    "period_slots": 40,
    "direction": "dl",
}  # fmt: skip


def children():
    found = []
    for task in Path(f"/proc/{os.getpid()}/task").iterdir():
        with contextlib.suppress(FileNotFoundError):  # a thread that has ended meanwhile
            found += (task / "children").read_text().split()
    return found


def play(env, weights, seed):
    seen, _ = env.reset(seed=seed)
    rows, done = [seen], False
    while not done:
        seen, reward, done, _, _ = env.step(np.asarray(weights, np.float32))
        rows.append((seen, reward))
    return rows


def test_weights_decide_who_is_served_and_runs_repeat():
    before = set(children())  # of other tests in this process
    env = SchedulerEnv(**SMALL)
    fair = play(env, [1, 1, 1, 1], seed=3)
    again = play(env, [1, 1, 1, 1], seed=3)
    assert len(fair) == len(again) > 4
    assert all(
        np.array_equal(a[0], b[0]) and a[1] == b[1]
        for a, b in zip(fair[1:], again[1:], strict=True)
    )
    unfair = play(env, [1, 0, 0, 0], seed=3)
    # column 3 is the share of slots that the average rate is worth
    share = np.array([row[0][:, 3] for row in unfair[2:-1]])[-1]
    assert share[0] > 0.5 > share[1:].max()
    # the sum of logarithms is greater if everybody has something
    assert fair[-2][1] > unfair[-2][1]
    env.reset(seed=4)  # left in the middle
    env.close()
    assert set(children()) <= before


def test_wrong_options_are_named():
    with pytest.raises(ValueError, match="direction"):
        SchedulerEnv(**SMALL | {"direction": "sideways"})
    with pytest.raises(ValueError, match="cell=3"):
        SchedulerEnv(**SMALL, cell=3)
    with pytest.raises(RuntimeError, match="call reset"):
        SchedulerEnv(**SMALL).step(np.ones(4, np.float32))


@pytest.mark.slow
def test_gymnasiums_checker():
    before = set(children())  # of other tests in this process
    from gymnasium.utils.env_checker import check_env

    env = gymnasium.make(SCHEDULER_ENV_ID, **SMALL)
    check_env(env.unwrapped, skip_render_check=True)
    env.close()
    assert set(children()) <= before


def test_a_run_in_which_nobody_has_data_is_one_step_long():
    env = SchedulerEnv(
        scenario="hello",
        overrides=["channel.model=constant", "run.duration_s=0.02", "traffic.0.rate_hz=0.01",
                   "traffic.1.rate_hz=0.01"],
    )  # fmt: skip
    env.reset(seed=1)
    observation, reward, ended, cut, info = env.step(np.ones(2, np.float32))
    assert ended and not cut and reward == 0.0 and not observation.any()
    assert info == {"correct": 0, "decided": 0}
    env.close()
