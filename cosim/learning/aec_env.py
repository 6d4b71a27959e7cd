# SPDX-License-Identifier: MIT
"""Rate control as a PettingZoo AEC environment: a UE acts when it has a message."""

from typing import Any

import gymnasium
import numpy as np
from pettingzoo import AECEnv

from cosim.learning.episode import OBSERVATION, Decision, Episode
from cosim.learning.options import RateControlOptions


class RateControlAec(AECEnv):  # type: ignore[misc, unused-ignore]
    """The same task as `RateControlEnv`, decided by each UE for itself.

    Agents are "ue_0", "ue_1", …; which one acts next follows from whose message comes next. Rewards
    are each UE's own.

    Args:
        **options: see `RateControlOptions`.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012 - PettingZoo's own form
        "render_modes": [],
        "name": "rate_control_v0",
        "is_parallelizable": False,
    }

    def __init__(self, **options: Any) -> None:
        super().__init__()
        self.render_mode = None
        self._options = RateControlOptions(**options)
        self.rungs = self._options.ladder()
        self._number = {f"ue_{ue}": ue for ue in self._options.ues()}
        self.possible_agents = list(self._number)
        self._actions = {a: gymnasium.spaces.Discrete(len(self.rungs)) for a in self._number}
        self._observations = {
            a: gymnasium.spaces.Box(0.0, 1.0, (OBSERVATION,), np.float32) for a in self._number
        }
        self._episode: Episode | None = None
        self._random = np.random.default_rng()

    def observation_space(self, agent: str) -> gymnasium.spaces.Space[Any]:
        """Return the space of an agent's observations."""
        return self._observations[agent]

    def action_space(self, agent: str) -> gymnasium.spaces.Space[Any]:
        """Return the space of an agent's actions."""
        return self._actions[agent]

    def observe(self, agent: str) -> np.ndarray:
        """Return what an agent saw last; zeros before its first message."""
        return self._seen[agent]

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> None:
        """End the run under way and begin another."""
        self.close()
        if seed is not None:
            self._random = np.random.default_rng(seed)
        run_seed = int(self._random.integers(2**32)) if seed is None else seed % 2**32
        self.agents = list(self.possible_agents)
        self.rewards = dict.fromkeys(self.agents, 0.0)
        self._cumulative_rewards = dict.fromkeys(self.agents, 0.0)
        self.terminations = dict.fromkeys(self.agents, False)
        self.truncations = dict.fromkeys(self.agents, False)
        self.infos: dict[str, dict[str, Any]] = {agent: {} for agent in self.agents}
        self._seen = {a: np.zeros(OBSERVATION, np.float32) for a in self.agents}
        self.agent_selection = self.agents[0]
        self._episode = self._options.episode(run_seed)
        self._turn(self._episode.start())

    def step(self, action: Any) -> None:
        """Send the selected agent's message with a rung; None takes an agent out at the end."""
        if self.terminations[self.agent_selection] or self.truncations[self.agent_selection]:
            self._was_dead_step(action)
            return
        assert self._episode is not None
        self._cumulative_rewards[self.agent_selection] = 0.0
        decision = self._episode.step(int(action))
        self.rewards = {a: self._episode.take_reward(self._number[a]) for a in self.agents}
        self._accumulate_rewards()
        self._turn(decision)

    def close(self) -> None:
        """End the run under way with all its processes."""
        if self._episode is not None:
            self._episode.close()
            self._episode = None

    def _turn(self, decision: Decision | None) -> None:
        if decision is None:
            self.terminations = dict.fromkeys(self.agents, True)
            self._deads_step_first()
            return
        agent = f"ue_{decision.ue}"
        self._seen[agent] = decision.observation
        self.infos[agent] = {"t_s": decision.t_s}
        self.agent_selection = agent
