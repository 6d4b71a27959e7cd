# SPDX-License-Identifier: MIT
"""Between ns-3's questions and a scheduler written in Python."""

import contextlib

import numpy as np

from cosim.bridge import BridgeError, Exchange
from cosim.bridge.channels import Records
from cosim.schedulers.api import Direction, SchedulerError, SlotScheduler, SlotView

BURST_S = 0.0005
"""The next slot's question is mostly closer than this: it is waited for without looking at
anything else."""


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
            Direction(int(first["direction"])),
            int(first["prbs"]),
            records,
        )
        numbers = np.asarray(self._scheduler.decide(view))
        if numbers.shape != records.shape:
            raise SchedulerError(
                f"{type(self._scheduler).__name__}.decide returned shape {numbers.shape} for "
                f"{len(records)} UEs: one number each is needed"
            )
        # Two reductions and no more: this is done for every slot.
        if self._by_weight:
            wrong = not (numbers.min() >= 0 and numbers.max() < np.inf)  # NaN is neither
        else:
            whole = numbers.dtype.kind in "iu"
            wrong = not whole or numbers.min() < 0 or numbers.sum() > view.prbs
        if wrong:
            allowed = (
                "finite weights of 0 or more"
                if self._by_weight
                else f"whole PRBs of 0 or more, {view.prbs} together at most"
            )
            raise SchedulerError(
                f"{type(self._scheduler).__name__}.decide returned {numbers.tolist()[:20]} at "
                f"{view.t_s:g} s: {allowed}"
            )
        reply = exchange.reply(len(records))
        reply["ue"] = records["ue"]
        reply[self._field] = numbers
        exchange.send()
        self.questions += 1
