# SPDX-License-Identifier: MIT
"""The interface of a scheduler written in Python."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

Records = npt.NDArray[np.void]
Numbers = npt.NDArray[np.float64] | npt.NDArray[np.int64]


class SchedulerError(RuntimeError):
    """A scheduler's answer that cannot be carried out; the text says which and why."""


class Direction(IntEnum):
    """Which way the data go."""

    DOWNLINK = 0
    UPLINK = 1


@dataclass(frozen=True, kw_only=True)
class SchedulerContext:
    """What a factory gets.

    Attributes:
        cells: number of cells; with bandwidth parts, part p of cell c is cell c + p x (cells of a
            part).
        ues: number of UEs.
        prbs: PRBs of each cell, shape [cells].
        slot_s: duration of a slot of each cell in seconds, shape [cells].
        action: "prbs" or "weights", what `SlotScheduler.decide` has to return.
        seed: derived from the scenario's seed: the only source of randomness.
    """

    cells: int
    ues: int
    prbs: tuple[int, ...]
    slot_s: tuple[float, ...]
    action: Literal["prbs", "weights"]
    seed: int


class SlotView(NamedTuple):  # quicker to make than a frozen dataclass, once a slot
    """A cell and direction in a slot, after its retransmissions were served.

    Attributes:
        t_s: simulated time in seconds.
        cell: the cell.
        direction: see `Direction`.
        prbs: PRBs that can be given.
        ues: the UEs with data, ascending by number, shape [candidates], read-only and valid until
            `decide` returns. Fields: `ue`; `demand_bytes` that would empty its queues (uplink: as
            far as the gNB knows); `bytes_per_prb` at its MCS and `layers`; `max_prbs` that its
            power reaches; `average_bytes` a slot that it got lately; `priority` (1 first);
            `delay_budget_s` and `loss_target` of the flow of its oldest packet; of that packet
            `head_delay_s` (age), `head_budget_s` (left to its deadline, may be infinite),
            `head_importance`, `head_utility` (what it adds to the receiver's expected accuracy),
            `head_bytes`, `head_message`; `semantic_value` (accuracy above chance a byte).
    """

    t_s: float
    cell: int
    direction: Direction
    prbs: int
    ues: Records


class SlotScheduler(ABC):
    """Shares out the PRBs of all cells.

    What it decides must follow from its constructor's arguments and the views alone, never from
    the wall clock, or the run is not reproducible.
    """

    @abstractmethod
    def decide(self, view: SlotView) -> Numbers:
        """Return one number a UE of `view.ues`, in their order, shape [candidates].

        With `mac.python_action = "prbs"`: whole PRBs, 0 or more, together at most `view.prbs`;
        what a UE cannot use stays idle. With "weights": 0 or more; until the next question UEs are
        served in the order of weight x r/T.
        """


def wanted_prbs(ues: Records) -> npt.NDArray[np.int64]:
    """Return the PRBs that would empty each UE's queues, within its power, shape [candidates]."""
    with np.errstate(divide="ignore", invalid="ignore"):
        prbs = np.ceil(ues["demand_bytes"] / ues["bytes_per_prb"])
    prbs = np.where(np.isfinite(prbs), prbs, 0.0)
    return np.asarray(np.minimum(prbs, ues["max_prbs"]), dtype=np.int64)
