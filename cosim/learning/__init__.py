# SPDX-License-Identifier: MIT
"""Learning environments on the co-simulation (extra `rl`).

`gymnasium.make("cosim.learning:cosim/RateControl-v0")` is one controller of all UEs;
`rate_control_aec()` is PettingZoo's AEC environment with one agent a UE. In both, a step is a
message that is about to be encoded, and the action is the codec's rung.
`gymnasium.make("cosim.learning:cosim/Scheduler-v0")` weighs the UEs of a cell every few slots.
"""

from typing import Any

import gymnasium

from cosim.learning.gym_env import RateControlEnv
from cosim.learning.scheduler_env import SchedulerEnv

ENV_ID = "cosim/RateControl-v0"
SCHEDULER_ENV_ID = "cosim/Scheduler-v0"

if ENV_ID not in gymnasium.registry:
    gymnasium.register(id=ENV_ID, entry_point="cosim.learning.gym_env:RateControlEnv")
if SCHEDULER_ENV_ID not in gymnasium.registry:
    gymnasium.register(id=SCHEDULER_ENV_ID, entry_point="cosim.learning.scheduler_env:SchedulerEnv")


def rate_control_aec(**options: Any) -> Any:
    """Return the PettingZoo environment; see `cosim.learning.aec_env.RateControlAec`."""
    from cosim.learning.aec_env import RateControlAec

    return RateControlAec(**options)


__all__ = [
    "ENV_ID",
    "SCHEDULER_ENV_ID",
    "RateControlEnv",
    "SchedulerEnv",
    "rate_control_aec",
]
