# SPDX-License-Identifier: MIT
"""Schedulers by name: a scenario stays data, code is registered by whoever starts the run."""

from collections.abc import Callable

from cosim.schedulers.api import SchedulerContext, SlotScheduler

SchedulerFactory = Callable[[SchedulerContext], SlotScheduler]

_FACTORIES: dict[str, SchedulerFactory] = {}


def register_scheduler(name: str, factory: SchedulerFactory) -> None:
    """Make a scheduler available to scenarios as `mac.python_scheduler = "name"`.

    Args:
        name: what scenarios call it; a second registration replaces the first.
        factory: called once a run; the scheduler decides for all cells.
    """
    _FACTORIES[name] = factory


def scheduler_names() -> tuple[str, ...]:
    """Return the names of all registered schedulers."""
    return tuple(_FACTORIES)


def make_scheduler(name: str, context: SchedulerContext) -> SlotScheduler:
    """Return a run's scheduler.

    Raises:
        KeyError: nothing is registered under this name.
        TypeError: the factory returned something else than a scheduler.
    """
    scheduler = _FACTORIES[name](context)
    if not isinstance(scheduler, SlotScheduler):
        raise TypeError(
            f"the factory of scheduler {name!r} returned a {type(scheduler).__name__}: "
            "return a cosim.schedulers.SlotScheduler"
        )
    return scheduler
