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
from typing import Protocol

from models.compression.profile import DeviceProfile
from models.fingerprint import SHIPPED, weights_fingerprint

LADDERS = SHIPPED / "ladders.json"
_HOPELESS = 0.05
"""Packets that are less likely than this to be in time are not sent."""


class LadderError(ValueError):
    """A ladder that is missing, empty or of other weights, or a state that no node has.

    The text says a remedy.
    """


@dataclass(frozen=True, slots=True)
class LadderRung:
    """A measured operating point.

    Attributes:
        name: of the codec's rung.
        accuracy: without loss, measured; for choices on validation samples.
        floor: accuracy without any unit (the prior's).
        bytes_mean: bytes of a message.
        units_mean: units of a message.
        operations: of the device for a message.
        memory_bytes: memory traffic of the device for a message.
        packet_bytes: what arrives whole or not at all; 0: any part of a message may arrive.
        curve: accuracies with the first units only, at even shares from 0 to 1; empty: unknown.
    """

    name: str
    accuracy: float
    floor: float
    bytes_mean: float
    units_mean: float
    operations: float
    memory_bytes: float
    packet_bytes: float = 0.0
    curve: tuple[float, ...] = ()

    def accuracy_at(self, share: float) -> float:
        """Return the accuracy with a share of the units, the most important ones.

        Between measured shares it is interpolated. Without a curve it is floor +
        (accuracy − floor)·√share, for the first units add most: an assumption.
        """
        if not self.curve:
            return self.floor + (self.accuracy - self.floor) * math.sqrt(share)
        place = share * (len(self.curve) - 1)
        before = min(int(place), len(self.curve) - 2)
        low, high = self.curve[before], self.curve[before + 1]
        return low + (high - low) * (place - before)


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
        utility: expected accuracy, the prior's where nothing fits, less the price of the airtime.
        ready_s: when the device has encoded, s from now.
        energy_j: what the device spends.
    """

    rung: str
    budget_bytes: int | None
    utility: float
    ready_s: float
    energy_j: float


class Link(Protocol):
    """What is known of a link beyond its rate, e.g. `LinkEstimate`."""

    def chances(self, sizes_bytes: Sequence[float], seconds: float) -> list[float]:
        """Return for each of the ascending sizes the chance that it arrives in time."""

    def airtime_s(self, size_bytes: float) -> float:
        """Return how long so many bytes keep the link busy."""


def choose(
    ladder: Sequence[LadderRung],
    profile: DeviceProfile,
    state: NodeState,
    link: Link | None = None,
    price_per_s: float = 0.0,
) -> Choice:
    """Return the rung and the budget with the highest expected accuracy, less what it costs others.

    What arrives in time is worth what `LadderRung.accuracy_at` says; the most important units come
    first. Ties go to less energy, then to fewer bytes.

    Args:
        ladder: the rungs.
        profile: of the device.
        state: of the node.
        link: gives the chances that a rung's first packets are in time; None: the state's rate is
            certain, and any part of a message may arrive.
        price_per_s: accuracy that a second of airtime is worth to those who wait for it; only with
            a link.

    Raises:
        LadderError: there is no rung.
    """
    if not ladder:
        raise LadderError("a controller needs at least one rung")
    sizes = sorted({size for rung in ladder for size in _steps(rung)})
    scored = [(_outcome(rung, profile, state, link, sizes, price_per_s), rung) for rung in ladder]
    best = min(scored, key=lambda s: (-round(s[0].utility, 9), s[0].energy_j, s[1].bytes_mean))
    return best[0]


def _steps(rung: LadderRung) -> list[float]:
    """Return the bytes of a rung's first packet, first two packets, and so on."""
    if not 0.0 < rung.packet_bytes < rung.bytes_mean:
        return [rung.bytes_mean]
    whole = math.ceil(rung.bytes_mean / rung.packet_bytes) - 1
    return [rung.packet_bytes * (n + 1) for n in range(whole)] + [rung.bytes_mean]


def _outcome(
    rung: LadderRung,
    profile: DeviceProfile,
    state: NodeState,
    link: Link | None,
    sizes: Sequence[float],
    price_per_s: float,
) -> Choice:
    latency_s = profile.latency_s(rung.operations, rung.memory_bytes)
    energy_j = profile.energy_j(rung.operations, rung.memory_bytes)
    ready_s = state.device_busy_s + latency_s
    left_s = state.deadline_s - ready_s - state.edge_s
    if energy_j > state.battery_j or left_s <= 0:
        return Choice(rung.name, 1, rung.floor, ready_s, energy_j)
    lasting = 1.0 - state.unit_loss
    if link is None:
        room = max(0.0, state.rate_bps / 8 * left_s - state.queue_bytes)
        share = min(1.0, room / rung.bytes_mean)
        budget = None if share == 1.0 else max(1, int(room))
        return Choice(rung.name, budget, rung.accuracy_at(share * lasting), ready_s, energy_j)
    # Its chances lean on those of all sizes in between, so that rungs are compared alike.
    found = link.chances([size + state.queue_bytes for size in sizes], left_s)
    chance = dict(zip(sizes, found, strict=True))
    sent = [size for size in _steps(rung) if chance[size] >= _HOPELESS] or _steps(rung)[:1]
    utility, worth = rung.accuracy_at(0.0), rung.accuracy_at(0.0)
    for size in sent:
        more = rung.accuracy_at(size / rung.bytes_mean * lasting)
        utility, worth = utility + chance[size] * (more - worth), more
    utility -= price_per_s * link.airtime_s(sent[-1])
    budget = None if sent[-1] == rung.bytes_mean else int(sent[-1])
    return Choice(rung.name, budget, utility, ready_s, energy_j)


def measured_ladder(
    task: str,
    codec: str,
    *,
    operations: float,
    memory_bytes: float,
    path: Path = LADDERS,
    folder: Path = SHIPPED,
) -> tuple[LadderRung, ...]:
    """Return a codec's rungs as they were measured on validation samples and shipped.

    Args:
        task: name of the task.
        codec: name of the codec.
        operations: of the device for a typical message.
        memory_bytes: memory traffic of the device for it.
        path: a file as `python -m models.codecs.ladder` writes it.
        folder: where the codec's weights are.

    Raises:
        LadderError: nothing was measured for the task or the codec, or with other weights.
    """
    remedy = f"run `python -m models.codecs.ladder --task {task} --codec {codec}`"
    try:
        entry = json.loads(path.read_text())[task][codec]
        rungs = entry["rungs"]
    except (OSError, KeyError):
        raise LadderError(f"no measured rungs of {codec} for {task} in {path}: {remedy}") from None
    measured, found = entry.get("weights"), weights_fingerprint(codec, task, folder)
    if measured != found:
        raise LadderError(
            f"the rungs of {codec} for {task} in {path} were measured with the weights {measured}, "
            f"and those in {folder} are {found}: {remedy}"
        )
    return tuple(
        LadderRung(
            name,
            float(row["curve"][-1]),
            float(row["curve"][0]),
            float(row["bytes_mean"]),
            float(row["units_mean"]),
            operations,
            memory_bytes,
            curve=tuple(map(float, row["curve"])),
        )
        for name, row in rungs.items()
    )


def ladder_tasks(codec: str, path: Path = LADDERS) -> tuple[str, ...]:
    """Return the tasks for which a codec's rungs were measured."""
    try:
        known = json.loads(path.read_text())
    except OSError:
        return ()
    return tuple(task for task, codecs in known.items() if codec in codecs)
