# SPDX-License-Identifier: MIT
"""Steps a second of the learning environments, with the start of a run and without it.

    python benchmarks/learning/steps.py --episodes 2

`start_s` is the time of `reset` (ns-3's start, the plan, the encoding of messages); `steps_s`
counts only steps, with a random action each.
"""

import argparse
import json
import time

import gymnasium

ENVIRONMENTS = {
    "cosim/Scheduler-v0": {
        "scenario": "ns3_scenarios/examples/weighted.toml",
        "overrides": ["mac.scheduler=pf"],
        "direction": "dl",
        "period_slots": 20,
    },
    "cosim/RateControl-v0": {
        "scenario": "hello",
        "overrides": ["channel.model=constant", "run.duration_s=2.0"],
        "traffic": 1,
        "rungs": ("d4-int4", "default"),
        "byte_cost": 0.5,
    },
}


def measure(name: str, options: dict, episodes: int) -> dict[str, float]:
    env = gymnasium.make(f"cosim.learning:{name}", **options)
    start_s = step_s = 0.0
    steps = 0
    env.action_space.seed(1)
    for episode in range(episodes):
        begin = time.perf_counter()
        env.reset(seed=episode + 1)
        start_s += time.perf_counter() - begin
        begin, done = time.perf_counter(), False
        while not done:
            _, _, done, _, _ = env.step(env.action_space.sample())
            steps += 1
        step_s += time.perf_counter() - begin
    env.close()
    return {
        "steps_per_episode": steps / episodes,
        "start_s": round(start_s / episodes, 3),
        "steps_s": round(steps / step_s, 1),
        "steps_s_with_start": round(steps / (start_s + step_s), 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--episodes", type=int, default=2)
    episodes = parser.parse_args().episodes
    for name, options in ENVIRONMENTS.items():
        print(json.dumps({"environment": name} | measure(name, options, episodes)), flush=True)


if __name__ == "__main__":
    main()
