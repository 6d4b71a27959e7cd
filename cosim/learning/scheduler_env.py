# SPDX-License-Identifier: MIT
"""`cosim/Scheduler-v0`: the learner weighs the UEs of a cell every few slots."""

from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np

from cosim.learning.slot_episode import (
    FEATURES,
    Reward,
    SlotEpisode,
    SlotQuestion,
    unused_factory,
)
from cosim.scenario import Scenario, load_scenario
from cosim.schedulers import Direction, register_scheduler, scheduler_names

LEARNER = "learner"


class SchedulerEnv(gymnasium.Env):  # type: ignore[misc, type-arg, unused-ignore]
    """A step is a slot in which weights are asked for; the action is a weight a UE.

    Until the next step ns-3 serves the UEs in the order of weight x r/T. The observation
    (`cosim.learning.slot_episode.observe`) has a row a UE. An episode is one run; its end is a
    termination. `reset(seed=s)` simulates with `run.seed = s`.

    Args:
        scenario: a scenario file or a shipped scenario's name.
        overrides: `path.to.field=value`, as `cosim run --set`.
        period_slots: slots of the direction from one step to the next.
        cell: the cell that is controlled; the others are served by proportional fair.
        direction: "dl" or "ul", the direction that is controlled.
        reward: "rate" (mean of log2(1 + average bytes a slot) over the UEs with data) or "answers"
            (right and timely answers that were decided since the last step).

    Raises:
        ScenarioError: the scenario is wrong.
        ValueError: an option is.
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012 - gymnasium's own form

    def __init__(
        self,
        *,
        scenario: str = "hello",
        overrides: Sequence[str] = (),
        period_slots: int = 20,
        cell: int = 0,
        direction: str = "ul",
        reward: Reward = "rate",
        render_mode: str | None = None,
    ) -> None:
        if direction not in ("dl", "ul"):
            raise ValueError(f'direction={direction!r}: "dl" or "ul"')
        if reward not in ("rate", "answers"):
            raise ValueError(f'reward={reward!r}: "rate" or "answers"')
        self.render_mode = render_mode
        if LEARNER not in scheduler_names():
            register_scheduler(LEARNER, unused_factory)
        key = "mac.scheduler" if direction == "dl" else "mac.ul_scheduler"
        self._name = scenario
        self._overrides = (
            *overrides,
            f"{key}=python",
            f"mac.python_scheduler={LEARNER}",
            "mac.python_action=weights",
            f"mac.python_period_slots={period_slots}",
        )
        self._direction = Direction.DOWNLINK if direction == "dl" else Direction.UPLINK
        self._reward: Reward = reward
        loaded = self._load(None)
        if not 0 <= cell < len(loaded.cells):
            raise ValueError(f"cell={cell}: {loaded.name} has 0 to {len(loaded.cells) - 1}")
        self._cell = cell
        self._ues = loaded.ues.count
        self.action_space = gymnasium.spaces.Box(0.0, 1.0, (self._ues,), np.float32)
        self.observation_space = gymnasium.spaces.Box(0.0, 1.0, (self._ues, FEATURES), np.float32)
        self._episode: SlotEpisode | None = None
        self._empty = False

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """End the run under way and begin another; see `gymnasium.Env.reset`."""
        super().reset(seed=seed)
        self.close()
        run_seed = int(self.np_random.integers(2**32)) if seed is None else seed % 2**32
        self._episode = SlotEpisode(
            self._load(run_seed), cell=self._cell, direction=self._direction, reward=self._reward
        )
        first = self._episode.start()
        self._empty = first is None
        return self._seen(first)

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Serve UEs with the weights until the next step; see `gymnasium.Env.step`."""
        if self._episode is None:
            raise RuntimeError("call reset() before step()")
        weights = np.asarray(action, dtype=np.float64)
        if weights.shape != (self._ues,) or not np.isfinite(weights).all() or weights.min() < 0:
            raise ValueError(f"the action is a weight of 0 or more for each of {self._ues} UEs")
        if self._empty:  # a run in which no UE ever had data: its one step does nothing
            self._empty = False
            question = None
        else:
            question = self._episode.step(weights)
        observation, info = self._seen(question)
        reward = self._episode.take_reward(question)
        return observation, reward, question is None, False, info

    def close(self) -> None:
        """End the run under way with all its processes."""
        if self._episode is not None:
            self._episode.close()
            self._episode = None

    def _load(self, seed: int | None) -> Scenario:
        return load_scenario(self._name, self._overrides, seed)

    def _seen(self, question: SlotQuestion | None) -> tuple[np.ndarray, dict[str, Any]]:
        assert self._episode is not None
        info: dict[str, Any] = {"correct": self._episode.correct, "decided": self._episode.decided}
        if question is None:
            return np.zeros((self._ues, FEATURES), np.float32), info
        return question.observation, info | {"t_s": question.t_s}
