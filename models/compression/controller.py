# SPDX-License-Identifier: MIT
"""Which rung, and how many units: the node's choice, message by message.

A rung is a way to work that has been measured: its accuracy, its bytes, what it costs the device.
From the device's profile, how long it is still busy, what it may spend, the rate that the radio
gives and the time to the deadline, the controller takes the rung with the highest expected number
of right answers in time. Everything is simulated time and measured numbers; nothing is drawn.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from models.compression.profile import DeviceProfile

_WEIGHTS = Path(__file__).resolve().parent.parent / "weights"


class LadderError(ValueError):
    """A ladder that is missing or empty, or a state that no node has; the text says a remedy."""


@dataclass(frozen=True, slots=True)
class LadderRung:
    """A measured operating point.

    Attributes:
        name: of the codec's rung.
        accuracy: without loss, on test samples.
        floor: accuracy without any unit (the prior's).
        bytes_mean: bytes of a message's units.
        units_mean: units of a message.
        operations: of the device for a message.
        memory_bytes: memory traffic of the device for a message.
    """

    name: str
    accuracy: float
    floor: float
    bytes_mean: float
    units_mean: float
    operations: float
    memory_bytes: float


@dataclass(frozen=True, slots=True)
class NodeState:
    """What a node knows when a sample arrives.

    Attributes:
        deadline_s: time left to the decision, s.
        device_busy_s: until the device begins, s.
        queue_bytes: bytes waiting in front at the radio.
        rate_bps: what the radio has given lately, bit/s.
        unit_loss: share of units lost lately, 0 to 1.
        battery_j: what may be spent on this message, J; infinity on the mains.
        edge_s: latency of the edge and the way to it, s.
    """

    deadline_s: float
    rate_bps: float
    device_busy_s: float = 0.0
    queue_bytes: float = 0.0
    unit_loss: float = 0.0
    battery_j: float = math.inf
    edge_s: float = 0.0

    def __post_init__(self) -> None:
        for name in ("device_busy_s", "queue_bytes", "rate_bps", "battery_j", "edge_s"):
            value = getattr(self, name)
            if math.isnan(value) or value < 0:
                raise LadderError(f"{name} = {value} must be at least 0")
        if not 0.0 <= self.unit_loss <= 1.0:
            raise LadderError(f"unit_loss = {self.unit_loss} must be from 0 to 1")


@dataclass(frozen=True, slots=True)
class Choice:
    """What to do with a sample.

    Attributes:
        rung: name.
        budget_bytes: bytes that fit before the deadline, None: all of the rung's.
        utility: expected accuracy; the prior's where nothing fits.
        ready_s: when the device has encoded, s from now.
        energy_j: what the device spends.
    """

    rung: str
    budget_bytes: int | None
    utility: float
    ready_s: float
    energy_j: float


def choose(ladder: Sequence[LadderRung], profile: DeviceProfile, state: NodeState) -> Choice:
    """Return the rung and the budget with the highest expected accuracy at the deadline.

    A share x of a rung's units gives floor + (accuracy − floor)·√x: units are sent in order of
    importance, so the first add most; the measured curves over lost units lie at or above it where
    units are redundant, and a wrong choice costs only accuracy. Ties go to less energy, then to
    fewer bytes.

    Raises:
        LadderError: there is no rung.
    """
    if not ladder:
        raise LadderError("a controller needs at least one rung")
    scored = [(_outcome(rung, profile, state), rung) for rung in ladder]
    best = min(scored, key=lambda s: (-round(s[0].utility, 9), s[0].energy_j, s[1].bytes_mean))
    return best[0]


def _outcome(rung: LadderRung, profile: DeviceProfile, state: NodeState) -> Choice:
    latency_s = profile.latency_s(rung.operations, rung.memory_bytes)
    energy_j = profile.energy_j(rung.operations, rung.memory_bytes)
    ready_s = state.device_busy_s + latency_s
    left_s = state.deadline_s - ready_s - state.edge_s
    if energy_j > state.battery_j or left_s <= 0:
        return Choice(rung.name, 1, rung.floor, ready_s, energy_j)
    room = state.rate_bps / 8 * left_s - state.queue_bytes
    share = min(1.0, max(0.0, room) / rung.bytes_mean)
    useful = share * (1.0 - state.unit_loss)
    utility = rung.floor + (rung.accuracy - rung.floor) * math.sqrt(useful)
    budget = None if share == 1.0 else max(1, int(room))
    return Choice(rung.name, budget, utility, ready_s, energy_j)


def measured_ladder(
    task: str,
    codec: str,
    *,
    operations: float,
    memory_bytes: float,
    folder: Path = _WEIGHTS,
) -> tuple[LadderRung, ...]:
    """Return a codec's rungs with the accuracies that were measured and shipped.

    Args:
        task: name of the task.
        codec: name of the codec.
        operations: of the device for a typical message.
        memory_bytes: memory traffic of the device for it.
        folder: with TASK.json, as `python -m models.codecs.evaluate` writes it.

    Raises:
        LadderError: nothing was measured for the task or the codec.
    """
    path = folder / f"{task}.json"
    try:
        data = json.loads(path.read_text())
        rungs = data["codecs"][codec]["rungs"]
    except (OSError, KeyError):
        raise LadderError(
            f"no measured rungs of {codec} for {task} in {folder}: run "
            f"`python -m models.codecs.evaluate --task {task}`"
        ) from None
    floor = float(data["prior_accuracy_test"])
    return tuple(
        LadderRung(
            name,
            float(row["accuracy"]),
            floor,
            float(row["bytes_mean"]),
            float(row["units_mean"]),
            operations,
            memory_bytes,
        )
        for name, row in rungs.items()
        if name != "default"
    )
