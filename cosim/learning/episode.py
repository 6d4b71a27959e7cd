# SPDX-License-Identifier: MIT
"""One run as an episode: the simulation waits for a decision at every message; see `turns`."""

import tempfile
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cosim.agents.api import Action, Event, EventKind
from cosim.agents.semantic_source import SemanticSource
from cosim.evaluation import Evaluator, Verdict
from cosim.learning.turns import Turns
from cosim.ledger import Ledger, Message
from cosim.plan import make_plan
from cosim.progress import NullProgress
from cosim.scenario import Scenario, SemanticTraffic
from cosim.session import Session
from cosim.traces import TraceSet
from cosim.workload import Workload, build_workload

OBSERVATION = 6


@dataclass(frozen=True)
class Decision:
    """What the simulation waits for: the rung of a message.

    Attributes:
        t_s: simulated time.
        ue: the UE that is about to encode.
        observation: shape [6], see `observe`.
    """

    t_s: float
    ue: int
    observation: np.ndarray


def observe(messages: Sequence[Message], now_s: float, rungs: Sequence[str]) -> np.ndarray:
    """Return what a UE knows of its own messages, float32, shape [6], each from 0 to 1.

    Time since its last message (in deadlines); of the last message: share of units that have
    arrived, delay of the latest of them (in deadlines), rung (position on the ladder); share of
    units that have arrived over the last eight messages; messages whose deadline is not over (in
    eighths). Arrivals are told to the UE without delay or cost: an idealised feedback channel.
    """
    if not messages:
        return np.zeros(OBSERVATION, np.float32)
    last = messages[-1]
    deadline_s = last.deadline_s - last.created_s
    times = [at for at, _ in last.received.values()]
    recent = messages[-8:]
    sent = sum(len(m.encoded.units) for m in recent)
    values = [
        (now_s - last.created_s) / deadline_s,
        len(last.received) / len(last.encoded.units),
        (max(times) - last.created_s) / deadline_s if times else 1.0,
        rungs.index(last.rung) / max(len(rungs) - 1, 1),
        sum(len(m.received) for m in recent) / sent,
        sum(m.deadline_s > now_s for m in recent) / 8,
    ]
    return np.asarray(np.clip(values, 0.0, 1.0), dtype=np.float32)


class _Tap(Ledger):
    """Passes messages on to the ledger and keeps a UE's own."""

    def __init__(self, ledger: Ledger) -> None:
        super().__init__()
        self._ledger = ledger
        self.messages: list[Message] = []

    def sent(self, message: Message) -> None:
        self.messages.append(message)
        self._ledger.sent(message)


class _ControlledSource(SemanticSource):
    """A source that asks for the rung of every message."""

    def __init__(self, episode: "Episode", encoded: dict[str, Any], **fields: Any) -> None:
        self._tap = _Tap(fields.pop("ledger"))
        super().__init__(ledger=self._tap, **fields)
        self._episode = episode
        self._by_rung = encoded

    def handle(self, event: Event) -> list[Action]:
        if event.kind is EventKind.TIMER:
            seen = observe(self._tap.messages, event.t_s, self._episode.rungs)
            action = self._episode.ask(Decision(event.t_s, self.node, seen))
            self.rung = self._episode.rungs[action]
            self._encoded = self._by_rung[self.rung]
            actions = list(super().handle(event))
            message = self._tap.messages[-1]
            self._episode.charge(self.node, message.bytes_app)
            return actions
        return list(super().handle(event))


class _Rewarding(Evaluator):
    """Tells the episode of every verdict."""

    def __init__(self, inner: Evaluator, episode: "Episode") -> None:
        super().__init__(inner.profile)
        self._episode = episode

    def decide(self, messages: Sequence[Message]) -> list[Verdict]:
        verdicts = super().decide(messages)
        for verdict in verdicts:
            self._episode.credit(verdict)
        return verdicts


class Episode(Turns[Decision, int]):
    """A run under the control of a learner.

    Args:
        scenario: what to simulate.
        entry: which `[[traffic]]` entry is controlled; it must be semantic.
        rungs: the actions' rungs, in order.
        byte_cost: taken off the reward for each 1000 bytes sent.

    Attributes:
        rewards: UE → reward since it was last taken: 1 for each right and timely answer, less the
            cost of bytes. Verdicts come in batches after deadlines, so rewards are delayed.
    """

    def __init__(
        self, scenario: Scenario, entry: int, rungs: Sequence[str], byte_cost: float
    ) -> None:
        super().__init__()
        self.rungs = tuple(rungs)
        self.rewards: dict[int, float] = defaultdict(float)
        self.correct = 0
        self.decided = 0
        self._scenario = scenario
        self._entry = entry
        self._cost = byte_cost
        self._flows: set[int] = set()

    def take_reward(self, ue: int | None = None) -> float:
        """Return the reward of a UE (of all by default) since this was last called."""
        if ue is not None:
            return self.rewards.pop(ue, 0.0)
        total = sum(self.rewards.values())
        self.rewards.clear()
        return total

    def charge(self, ue: int, size_bytes: int) -> None:
        """Take the cost of a message off its UE's reward."""
        self.rewards[ue] -= self._cost * size_bytes / 1000.0

    def credit(self, verdict: Verdict) -> None:
        """Reward a verdict on a controlled message."""
        if verdict.message.flow in self._flows:
            self.decided += 1
            good = verdict.correct and verdict.on_time
            self.correct += good
            self.rewards[verdict.message.node] += float(good)

    def simulate(self) -> None:
        """Run the scenario with controlled sources."""
        plan = make_plan(self._scenario)
        sink = NullProgress()
        workload = build_workload(plan, progress=sink)
        self._take_control(plan, workload)
        with tempfile.TemporaryDirectory(prefix="cosim-episode-") as folder:
            traces = TraceSet(folder, tables=("messages",))
            with Session(plan, workload, traces, sink) as session:
                session.run()
            traces.close()

    def _take_control(self, plan: Any, workload: Workload) -> None:
        traffic = self._scenario.traffic[self._entry]
        assert isinstance(traffic, SemanticTraffic)
        self._flows = {flow.number for flow in plan.flows if flow.traffic is traffic}
        workload.evaluator = _Rewarding(workload.evaluator, self)
        for index, agent in enumerate(workload.agents):
            if not isinstance(agent, SemanticSource) or agent._flow not in self._flows:
                continue
            encoded = {
                rung: agent.codec.encode(
                    agent.samples, task=agent.task, rung=rung, budget_bytes=agent.budget_bytes
                )
                if agent.samples
                else []
                for rung in self.rungs
            }
            controlled = _ControlledSource(
                self,
                encoded,
                node=agent.node,
                flow=agent._flow,
                arrivals_s=np.array(agent._arrivals_s),
                samples=agent.samples,
                codec=agent.codec,
                task=agent.task,
                rung=agent.rung,
                budget_bytes=agent.budget_bytes,
                profile=agent._profile,
                deadline_s=agent._deadline_s,
                max_packet_bytes=agent._max_packet_bytes,
                ledger=workload.ledger,
            )
            controlled.set_encoded(encoded[self.rungs[0]])
            workload.agents[index] = controlled
