# SPDX-License-Identifier: MIT
"""Schedulers written in Python: what they see, what they answer, and how they are registered."""

from cosim.schedulers.api import (
    Direction,
    SchedulerContext,
    SchedulerError,
    SlotScheduler,
    SlotView,
    wanted_prbs,
)
from cosim.schedulers.registry import make_scheduler, register_scheduler, scheduler_names

__all__ = [
    "Direction",
    "SchedulerContext",
    "SchedulerError",
    "SlotScheduler",
    "SlotView",
    "make_scheduler",
    "register_scheduler",
    "scheduler_names",
    "wanted_prbs",
]
