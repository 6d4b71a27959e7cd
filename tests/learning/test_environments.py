# SPDX-License-Identifier: MIT
"""The environments on real runs, under the official checkers."""

import contextlib
import gc
import os
import threading
from pathlib import Path

import numpy as np
import pytest

gymnasium = pytest.importorskip("gymnasium", reason="the extra `rl` is not installed")

from cosim.learning import ENV_ID, RateControlEnv  # noqa: E402
from cosim.learning.options import RateControlOptions  # noqa: E402

SMALL = {
    "scenario": "hello",
    "overrides": ("channel.model=constant", "run.duration_s=0.5", "ues.count=2"),
    "rungs": ("d4-int4", "default"),
}


@pytest.fixture(scope="module")
def entry():
    """Return the number of hello's llm-token traffic."""
    loaded = RateControlOptions().load()
    return next(i for i, t in enumerate(loaded.traffic) if t.codec == "llm-token")


def children():
    found = []
    for task in Path(f"/proc/{os.getpid()}/task").iterdir():
        with contextlib.suppress(FileNotFoundError):  # a thread that has ended meanwhile
            found += (task / "children").read_text().split()
    return found


def play(env, actions, seed):
    seen, info = env.reset(seed=seed)
    rows, done, number = [seen], False, 0
    while not done:
        seen, reward, done, _, info = env.step(actions[number % len(actions)])
        rows.append(np.append(seen, reward))
        number += 1
    return rows, info, number


def test_an_episode_is_a_run_and_repeats_with_its_seed(entry):
    before = threading.active_count()
    env = RateControlEnv(**SMALL, traffic=entry)
    first, info, steps = play(env, [0, 1], seed=3)
    again, _, _ = play(env, [0, 1], seed=3)
    assert len(first) == len(again) and all(map(np.array_equal, first, again))
    # every message is decided, and the reward is right answers less half a point a kilobyte
    assert info["decided"] == steps > 0
    dear, _, _ = play(env, [1], seed=3)
    assert sum(r[-1] for r in dear[1:]) != sum(r[-1] for r in first[1:])
    env.reset(seed=4)  # left in the middle
    env.close()
    env.close()
    assert not children() and threading.active_count() == before


def test_wrong_options_are_named(entry):
    with pytest.raises(ValueError, match="no rung 'd99'"):
        RateControlEnv(**(SMALL | {"rungs": ("d99",)}), traffic=entry)
    with pytest.raises(ValueError, match="entries 0 to"):
        RateControlEnv(**SMALL, traffic=9)
    with pytest.raises(RuntimeError, match="call reset"):
        RateControlEnv(**SMALL, traffic=entry).step(0)


@pytest.mark.slow
def test_gymnasiums_checker(entry):
    from gymnasium.utils.env_checker import check_env

    env = gymnasium.make(ENV_ID, **SMALL, traffic=entry)
    check_env(env.unwrapped, skip_render_check=True)
    env.close()
    assert not children()


@pytest.mark.slow
def test_pettingzoos_checker(entry):
    test = pytest.importorskip("pettingzoo.test")
    from cosim.learning import rate_control_aec

    env = rate_control_aec(**SMALL, traffic=entry)
    test.api_test(env, num_cycles=30)
    env.close()
    assert not children()


@pytest.mark.slow
def test_pettingzoos_seeds(entry):
    # Two environments with the same seed must see, earn and end alike.
    test = pytest.importorskip("pettingzoo.test")
    from cosim.learning import rate_control_aec

    test.seed_test(lambda: rate_control_aec(**SMALL, traffic=entry), num_cycles=30)
    gc.collect()  # it closes nothing
    assert not children()


@pytest.mark.slow
def test_environments_in_parallel_processes(entry):
    make = [lambda: RateControlEnv(**SMALL, traffic=entry)] * 2
    envs = gymnasium.vector.AsyncVectorEnv(make, context="forkserver")
    try:
        seen, _ = envs.reset(seed=[1, 2])
        assert seen.shape == (2, 6)
        seen, reward, *_ = envs.step(np.array([0, 1]))
        assert seen.shape == (2, 6) and reward.shape == (2,)
    finally:
        envs.close()
