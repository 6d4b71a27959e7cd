# SPDX-License-Identifier: MIT
"""Train a scheduler with Stable-Baselines3's PPO and compare it with proportional fair.

    pip install "semcosim[train]"
    python ns3_scenarios/examples/train_scheduler.py --steps 4096 --out learned.json

The learner gets 1 for each answer that was right and in time. Equal weights are proportional fair.
Training and evaluation use different seeds; the evaluation's seeds are the same for all.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np

from analysis.intervals import mean_interval

SCENARIO = Path(__file__).with_name("learned-scheduler.toml")
Policy = Callable[[np.ndarray], np.ndarray]


class MeaningFirst(gymnasium.Wrapper):
    """One action from -1 to 1: how far UEs that were seen to send messages go before the others.

    At 0 all weights are equal (proportional fair), at 1 the others' are a hundredth, at -1 those
    of the UEs with messages are. A UE has messages if a packet of it has added to expected
    accuracy (column 6 of the observation) since the episode's beginning.
    """

    def __init__(self, env: gymnasium.Env) -> None:
        super().__init__(env)
        self.action_space = gymnasium.spaces.Box(-1.0, 1.0, (1,), np.float32)
        self._semantic = np.zeros(env.observation_space.shape[0], bool)

    def reset(self, **options: Any) -> tuple[np.ndarray, dict[str, Any]]:
        """Begin an episode in which nothing was seen."""
        seen, info = self.env.reset(**options)
        self._semantic = seen[:, 6] > 0
        return seen, info

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Serve UEs with the weights that follow from the action."""
        lead = 2.0 * float(np.clip(action[0], -1.0, 1.0))
        exponent = np.where(self._semantic, min(lead, 0.0), -max(lead, 0.0))
        seen, reward, ended, cut, info = self.env.step(np.power(10.0, exponent).astype(np.float32))
        self._semantic |= seen[:, 6] > 0
        return seen, float(reward), ended, cut, info


def make(duration_s: float) -> gymnasium.Env:
    """Return the environment."""
    env = gymnasium.make(
        "cosim.learning:cosim/Scheduler-v0",
        scenario=str(SCENARIO),
        overrides=[f"run.duration_s={duration_s}"],
        direction="ul",
        period_slots=20,
        reward="answers",
    )
    return MeaningFirst(env)


def play(env: gymnasium.Env, policy: Policy, seed: int) -> float:
    """Return the right and timely answers of an episode as a share of those decided."""
    seen, _ = env.reset(seed=seed)
    done = False
    while not done:
        seen, _, done, _, info = env.step(policy(seen))
    return float(info["correct"] / max(info["decided"], 1))


def main() -> None:
    """Train, evaluate, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=16384)
    parser.add_argument("--duration-s", type=float, default=2.0, help="of an episode")
    parser.add_argument("--seeds", type=int, default=10, help="of the evaluation, how many")
    parser.add_argument("--first-seed", type=int, default=2001, help="of the evaluation")
    parser.add_argument("--training-seed", type=int, default=1, help="of the learner")
    parser.add_argument("--limit-s", type=float, default=600.0, help="of training, wall clock")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    from stable_baselines3 import PPO

    env = make(options.duration_s)
    begin = time.perf_counter()
    model = PPO(
        "MlpPolicy", env, n_steps=256, batch_size=64, learning_rate=1e-3, gamma=0.9,
        seed=options.training_seed, device="cpu", policy_kwargs={"log_std_init": 0.0},
    )  # fmt: skip
    model.learn(options.steps, callback=lambda *_: time.perf_counter() - begin < options.limit_s)
    trained_s = time.perf_counter() - begin
    policies: dict[str, Policy] = {
        "pf": lambda seen: np.zeros(1, np.float32),
        "by hand": lambda seen: np.ones(1, np.float32),
        "learned": lambda seen: model.predict(seen, deterministic=True)[0],
    }
    shares = {
        name: [play(env, policy, options.first_seed + k) for k in range(options.seeds)]
        for name, policy in policies.items()
    }
    env.close()
    gain = mean_interval(np.subtract(shares["learned"], shares["pf"]))
    result = shares | {"gain": vars(gain), "training_s": trained_s, "steps": model.num_timesteps}
    print(json.dumps(result, indent=1))
    if options.out:
        options.out.write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
