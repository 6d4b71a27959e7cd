# SPDX-License-Identifier: MIT
"""`cosim/RateControl-v0`: one controller chooses the rung of every message of all UEs."""

from typing import Any

import gymnasium
import numpy as np

from cosim.learning.episode import OBSERVATION, Decision, Episode
from cosim.learning.options import RateControlOptions


class RateControlEnv(gymnasium.Env):  # type: ignore[misc, type-arg, unused-ignore]
    """A step is a message that is about to be encoded; the action is its codec's rung.

    The observation (`cosim.learning.episode.observe`) is of the UE whose message it is; `info` has
    its number and the simulated time. The reward is 1 for each answer that was right and in time,
    decided since the last step, less `byte_cost` for each 1000 bytes sent. An episode is one run;
    its end is a termination. `reset(seed=s)` simulates with `run.seed = s`.

    Args:
        **options: see `RateControlOptions`.
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012 - gymnasium's own form

    def __init__(self, **options: Any) -> None:
        options.pop("render_mode", None)
        self._options = RateControlOptions(**options)
        self.rungs = self._options.ladder()
        self.action_space = gymnasium.spaces.Discrete(len(self.rungs))
        self.observation_space = gymnasium.spaces.Box(0.0, 1.0, (OBSERVATION,), np.float32)
        self._episode: Episode | None = None
        self._decision: Decision | None = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """End the run under way and begin another; see `gymnasium.Env.reset`."""
        super().reset(seed=seed)
        self._end()
        run_seed = int(self.np_random.integers(2**32)) if seed is None else seed % 2**32
        self._episode = self._options.episode(run_seed)
        self._decision = self._episode.start()
        return self._seen()

    def step(self, action: np.int64) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Send the message with a rung; see `gymnasium.Env.step`."""
        if self._episode is None:
            raise RuntimeError("call reset() before step()")
        self._decision = self._episode.step(int(action))
        reward = self._episode.take_reward()
        observation, info = self._seen()
        return observation, reward, self._decision is None, False, info

    def close(self) -> None:
        """End the run under way with all its processes."""
        self._end()

    def _end(self) -> None:
        if self._episode is not None:
            self._episode.close()
            self._episode = None

    def _seen(self) -> tuple[np.ndarray, dict[str, Any]]:
        assert self._episode is not None
        info: dict[str, Any] = {"correct": self._episode.correct, "decided": self._episode.decided}
        if self._decision is None:
            return np.zeros(OBSERVATION, np.float32), info
        return self._decision.observation, info | {
            "ue": self._decision.ue,
            "t_s": self._decision.t_s,
        }
