# SPDX-License-Identifier: MIT
"""One run as an episode in which the learner weighs the UEs of a cell every few slots."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from cosim.evaluation import Evaluator, Verdict
from cosim.learning.turns import Turns
from cosim.ledger import Message
from cosim.plan import make_plan
from cosim.progress import NullProgress
from cosim.scenario import Scenario
from cosim.schedulers import Direction, SchedulerContext, SlotScheduler, SlotView
from cosim.session import Session
from cosim.traces import TraceSet
from cosim.workload import build_workload

FEATURES = 7
Reward = Literal["rate", "answers"]
Weights = npt.NDArray[np.float64]


@dataclass(frozen=True)
class SlotQuestion:
    """What the simulation waits for: the weights of the UEs.

    Attributes:
        t_s: simulated time.
        observation: shape [ues, 7], see `observe`.
        rate: mean over the UEs with data of log2(1 + their average bytes a slot).
    """

    t_s: float
    observation: npt.NDArray[np.float32]
    rate: float


def observe(view: SlotView, ues: int) -> npt.NDArray[np.float32]:
    """Return what is known of every UE, float32, shape [ues, 7], each from 0 to 1; 0 without data.

    It has data (1); its demand in full slots of its own rate, over 10; bytes a PRB, over 200; the
    share of the cell's slots that its average rate is worth; how much of its oldest packet's budget
    is used up, 0 without a deadline; that packet's importance; what it adds to expected accuracy.
    """
    seen = np.zeros((ues, FEATURES), np.float32)
    own = view.ues
    slot_bytes = np.maximum(own["bytes_per_prb"] * view.prbs, 1e-9)
    total = own["head_delay_s"] + own["head_budget_s"]
    used = np.where(np.isfinite(total), own["head_delay_s"] / np.maximum(total, 1e-9), 0.0)
    columns = (
        np.ones(len(own)),
        own["demand_bytes"] / slot_bytes / 10,
        own["bytes_per_prb"] / 200,
        own["average_bytes"] / slot_bytes,
        np.where(own["head_budget_s"] <= 0, 1.0, used),
        own["head_importance"],
        own["head_utility"],
    )
    seen[own["ue"]] = np.clip(np.stack(columns, axis=1), 0.0, 1.0)
    return seen


class SlotEpisode(Turns[SlotQuestion, Weights]):
    """A run whose scheduler is a learner.

    Args:
        scenario: with `mac.scheduler` (or `mac.ul_scheduler`) "python" and weights as its action.
        cell: the cell that is controlled; others are served by proportional fair.
        direction: the direction that is controlled.
        reward: "rate" or "answers", see `take_reward`.
    """

    def __init__(
        self, scenario: Scenario, *, cell: int, direction: Direction, reward: Reward
    ) -> None:
        super().__init__()
        self._scenario = scenario
        self._cell = cell
        self._direction = direction
        self._kind = reward
        self._reward = 0.0
        self.correct = 0
        self.decided = 0

    def take_reward(self, question: SlotQuestion | None) -> float:
        """Return the reward since this was last called.

        "rate" is the question's rate, the sum of logarithms that proportional fairness maximises;
        "answers" counts right and timely answers, whose verdicts come after their deadlines.
        """
        if self._kind == "rate":
            return question.rate if question is not None else 0.0
        reward, self._reward = self._reward, 0.0
        return reward

    def simulate(self) -> None:
        """Run the scenario under the learner's scheduler."""
        plan = make_plan(self._scenario)
        sink = NullProgress()
        learner = _Learner(self, self._cell, self._direction, len(plan.ue_positions_m))
        workload = build_workload(plan, progress=sink, scheduler=learner)
        workload.evaluator = _Counting(workload.evaluator, self)
        with tempfile.TemporaryDirectory(prefix="cosim-episode-") as folder:
            traces = TraceSet(folder, tables=("messages",))
            with Session(plan, workload, traces, sink) as session:
                session.run()
            traces.close()

    def credit(self, verdict: Verdict) -> None:
        """Count a verdict."""
        good = verdict.correct and verdict.on_time
        self.decided += 1
        self.correct += good
        self._reward += float(good)


class _Learner(SlotScheduler):
    """Asks the episode about its cell and direction."""

    def __init__(self, episode: SlotEpisode, cell: int, direction: Direction, ues: int) -> None:
        self._episode = episode
        self._cell = cell
        self._direction = direction
        self._ues = ues

    def decide(self, view: SlotView) -> Weights:
        if (view.cell, view.direction) != (self._cell, self._direction):
            return np.ones(len(view.ues))
        rate = float(np.log2(1.0 + view.ues["average_bytes"]).mean())
        question = SlotQuestion(view.t_s, observe(view, self._ues), rate)
        weights = self._episode.ask(question)
        return np.asarray(weights[view.ues["ue"]], dtype=np.float64)


class _Counting(Evaluator):
    """Tells the episode of every verdict."""

    def __init__(self, inner: Evaluator, episode: SlotEpisode) -> None:
        super().__init__(inner.profile)
        self._episode = episode

    def decide(self, messages: Sequence[Message]) -> list[Verdict]:
        verdicts = super().decide(messages)
        for verdict in verdicts:
            self._episode.credit(verdict)
        return verdicts


def unused_factory(context: SchedulerContext) -> SlotScheduler:
    """Refuse: the scenario names the learner's scheduler, but no learner runs it."""
    raise RuntimeError(
        'mac.python_scheduler = "learner" stands for the learner of cosim/Scheduler-v0: run the '
        "scenario through that environment"
    )
