# SPDX-License-Identifier: MIT
"""A scheduler in Python: PRBs in proportion to what waits, the urgent twice as much.

cosim run ns3_scenarios/examples/weighted.toml --plugin ns3_scenarios/examples/weighted_scheduler.py
"""

import numpy as np

from cosim.schedulers import (
    SchedulerContext,
    SlotScheduler,
    SlotView,
    register_scheduler,
    wanted_prbs,
)

URGENT_S = 0.02


class WeightedScheduler(SlotScheduler):
    """Shares the PRBs of a slot by demand."""

    def decide(self, view: SlotView) -> np.ndarray:
        """Return whole PRBs, what is left over by largest remainders."""
        wanted = wanted_prbs(view.ues)
        weight = wanted * np.where(view.ues["head_budget_s"] < URGENT_S, 2.0, 1.0)
        total = weight.sum()
        if wanted.sum() <= view.prbs or total == 0:
            return wanted
        exact = np.minimum(weight / total * view.prbs, wanted)
        prbs = np.floor(exact).astype(np.int64)
        rest = np.argsort(prbs - exact, kind="stable")[: view.prbs - prbs.sum()]
        prbs[rest] += prbs[rest] < wanted[rest]
        return prbs


def make(context: SchedulerContext) -> WeightedScheduler:
    """Return the scheduler of a run."""
    return WeightedScheduler()


register_scheduler("weighted", make)
