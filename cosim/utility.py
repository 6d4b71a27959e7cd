# SPDX-License-Identifier: MIT
"""What a codec's messages are worth in part: measured accuracy over the share of units received.

Schedulers that look at the receiver's task (semantic-efficiency, marginal-utility, python) are told
this curve before the simulation starts. It is measured on validation samples, which simulations
never send: what a scheduler knows must not come from the answers that it is judged by.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from cosim.plan import Plan
from cosim.scenario import SemanticTraffic
from cosim.scenario.names import AUTO, SERVICE_CODEC
from cosim.traffic_codec import TrafficCodecs
from models.codecs import Codec
from models.codecs.base import ReceivedMessage
from models.codecs.judging import judge
from models.tasks import get_task

STEPS = 8
"""Shares of units at which accuracy is measured: 0, 1/8, ... 1."""
SCHEDULERS = ("semantic-efficiency", "marginal-utility", "python")
_BATCH = 64


@dataclass(frozen=True)
class UtilityCurve:
    """Expected accuracy over the share of a message's units, the most important first.

    Attributes:
        message_bytes: of a message's units on average.
        accuracy: at shares 0, 1/8, ... 1; it never falls: a measured dip is levelled with what lies
            before it, as a receiver is free not to use a unit.
    """

    message_bytes: float
    accuracy: tuple[float, ...]


def measure_utility(
    codec: Codec, task: str, *, rung: str, budget_bytes: int | None, samples: int
) -> UtilityCurve:
    """Encode validation samples and decode them with the first units only.

    Args:
        codec: under test.
        task: name of the task.
        rung: operating point.
        budget_bytes: bytes that a message's units may take at most.
        samples: how many validation samples, the first by their hash.
    """
    chosen = get_task(task).validation[:samples]
    correct = np.zeros(STEPS + 1)
    size = 0
    for first in range(0, len(chosen), _BATCH):
        batch = chosen[first : first + _BATCH]
        messages = codec.encode(batch, task=task, rung=rung, budget_bytes=budget_bytes)
        size += sum(len(unit) for message in messages for unit in message.units)
        for step in range(STEPS + 1):
            kept = [round(step / STEPS * len(message.units)) for message in messages]
            received = [
                ReceivedMessage(len(message.units), dict(enumerate(message.units[:count])))
                for message, count in zip(messages, kept, strict=True)
            ]
            answers = codec.decode(received, task=task, rung=rung)
            correct[step] += sum(
                judged.decoded.prediction == sample.label
                for judged, sample in zip(judge(task, batch, answers), batch, strict=True)
            )
    accuracy = np.maximum.accumulate(correct / len(chosen))
    return UtilityCurve(size / len(chosen), tuple(float(a) for a in accuracy))


def needs_utilities(plan: Plan) -> bool:
    """Return whether a scheduler of the plan looks at the receivers' accuracy."""
    mac = plan.scenario.mac
    return mac.scheduler in SCHEDULERS or mac.ul_scheduler in SCHEDULERS


def measure_utilities(plan: Plan) -> Mapping[int, UtilityCurve]:
    """Return the curve of every semantic flow, by its number; nothing if no scheduler asks."""
    if not needs_utilities(plan):
        return {}
    codecs = TrafficCodecs(plan.scenario)
    known: dict[tuple[int, str, str, int | None], UtilityCurve] = {}
    curves: dict[int, UtilityCurve] = {}
    for flow in plan.flows:
        traffic = flow.traffic
        if not isinstance(traffic, SemanticTraffic) or traffic.codec == SERVICE_CODEC:
            continue  # what is trained during the run has no accuracy beforehand
        # Where each message's rung is chosen, the default one stands for them.
        rung = "default" if traffic.rung == AUTO else traffic.rung
        codec = codecs.get(traffic)
        key = (id(codec), traffic.task, rung, traffic.budget_bytes)
        if key not in known:
            known[key] = measure_utility(
                codec,
                traffic.task,
                rung=rung,
                budget_bytes=traffic.budget_bytes,
                samples=plan.scenario.mac.utility_samples,
            )
        curves[flow.number] = known[key]
    return curves
