# SPDX-License-Identifier: MIT
"""Between ns-3's questions and a scheduler written in Python."""

import contextlib
import sys

import numpy as np

from cosim.bridge import BridgeError, Exchange
from cosim.bridge.channels import Records
from cosim.schedulers.api import Direction, SchedulerError, SlotScheduler, SlotView

BURST_S = 0.0005
"""The next slot's question is mostly closer than this: it is waited for without looking at
anything else."""

DIRECTIONS = tuple(Direction)


class SchedulerHost:
    """Answers the questions of one run.

    Attributes:
        questions: how many were answered.
    """

    def __init__(self, scheduler: SlotScheduler, *, by_weight: bool) -> None:
        self._scheduler = scheduler
        self._field = "weight" if by_weight else "prbs"
        self._by_weight = by_weight
        self.questions = 0

    def answer(self, exchange: Exchange, records: Records) -> None:
        """Answer a question, and those that follow it at once.

        Raises:
            SchedulerError: the scheduler's answer cannot be carried out.
        """
        exchange.eager_s = BURST_S
        pending: Records | None = records
        while pending is not None:
            self._decide(exchange, pending)
            pending = None
            # Nothing came in time, or something else wants attention: the session looks at it.
            with contextlib.suppress(BridgeError):
                pending = exchange.receive(BURST_S)

    def _decide(self, exchange: Exchange, records: Records) -> None:
        first = records[0]
        view = SlotView(
            float(first["t_s"]),
            int(first["cell"]),
            DIRECTIONS[first["direction"]],
            int(first["prbs"]),
            records,
        )
        numbers = np.asarray(self._scheduler.decide(view))
        if numbers.shape != records.shape:
            raise SchedulerError(
                f"{type(self._scheduler).__name__}.decide returned shape {numbers.shape} for "
                f"{len(records)} UEs: one number each is needed"
            )
        # This is done for every slot, and for a cell's UEs a list is faster than a reduction.
        values = numbers.tolist()
        total = sum(values)  # not finite if one is not
        most = sys.float_info.max if self._by_weight else view.prbs
        whole = self._by_weight or numbers.dtype.kind in "iu"
        wrong = not whole or not total <= most or min(values) < 0
        if wrong:
            allowed = (
                "finite weights of 0 or more"
                if self._by_weight
                else f"whole PRBs of 0 or more, {view.prbs} together at most"
            )
            raise SchedulerError(
                f"{type(self._scheduler).__name__}.decide returned {values[:20]} at "
                f"{view.t_s:g} s: {allowed}"
            )
        reply = exchange.reply(len(records))
        reply["ue"] = records["ue"]
        reply[self._field] = numbers
        exchange.send()
        self.questions += 1
