# SPDX-License-Identifier: MIT
"""A sender that chooses the rung of every message: `models.compression.choose` at work.

Every sample is encoded at all rungs before simulated time starts; when it arrives, the sender
weighs them with what it knows by then: its device's speed and how long it is still busy, the time
to the deadline, its own bytes that are still under way, an estimate of its link from when its
earlier messages arrived, and how often samples come. It is told of an arrival `ACK_S` later, at no
cost in bytes: an idealised feedback channel.
"""

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cosim.agents.api import Action, Event, EventKind
from cosim.agents.packetiser import HEADER_BYTES, Packet, pack, parse
from cosim.agents.semantic_source import MESSAGE_NUMBER_BITS, SemanticSource
from cosim.ledger import Message
from models.codecs import EncodedMessage
from models.compression import DeviceProfile, LadderRung, LinkEstimate, NodeState, choose

ACK_S = 0.01
"""Assumption: an arrival at the edge is known at the UE 10 ms later (the way and a slot)."""


class AdaptiveSource(SemanticSource):
    """A source with a controller.

    Args:
        ladder: the rungs, as measured on validation samples.
        edge_profile: the edge server's; its decoder's latency is taken off the time.
        duration_s: simulated time for which its battery should last.
        options: of `SemanticSource`.

    Attributes:
        link: what it has learnt of its link.
    """

    def __init__(
        self,
        *,
        ladder: Sequence[LadderRung],
        edge_profile: DeviceProfile,
        duration_s: float = math.inf,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self._ladder = {rung.name: rung for rung in ladder}
        self._edge_profile = edge_profile
        self._duration_s = duration_s
        self._by_rung: dict[str, Sequence[EncodedMessage]] = {}
        self._under_way: list[Message] = []
        self._before: dict[int, float] = {}
        self.link = LinkEstimate()

    @property
    def rungs(self) -> tuple[str, ...]:
        """Return the rungs at which its samples must be encoded."""
        return tuple(self._ladder)

    def set_encoded(self, encoded: Sequence[EncodedMessage], rung: str | None = None) -> None:
        """Take the messages of one rung."""
        super().set_encoded(encoded, rung)
        self._by_rung[rung or self.rung] = encoded

    def handle(self, event: Event) -> Iterable[Action]:
        """Choose the rung of a message before it is sent."""
        if event.kind is not EventKind.TIMER:
            return super().handle(event)
        number = event.token
        queue_bytes = self._learn(event.t_s)
        self.rung, chosen = self._choose(number, event.t_s, queue_bytes)
        self._encoded = {number: chosen}
        actions = super().handle(event)
        message = self._ledger.find((self._flow << MESSAGE_NUMBER_BITS) | number)
        if message is not None and message.units_sent:
            self._under_way.append(message)
            self._before[message.message_id] = queue_bytes
        return actions

    def _choose(self, number: int, now_s: float, queue_bytes: float) -> tuple[str, EncodedMessage]:
        candidates = {name: messages[number] for name, messages in self._by_rung.items()}
        state = NodeState(
            deadline_s=self._deadline_s,
            rate_bps=0.0,  # the link's estimate says more
            device_busy_s=max(0.0, self._device_free_s - now_s),
            queue_bytes=queue_bytes,
            battery_j=self._allowance_j(number, now_s),
            edge_s=max(self._edge_s(name, message) for name, message in candidates.items()),
        )
        rungs = self._rungs_of(candidates)
        # While the link is busy the UE's own next messages wait, and may lose what they are worth.
        rate_hz = number / now_s if now_s > 0 else 0.0
        price_per_s = rate_hz * max(rung.accuracy - rung.floor for rung in rungs)
        choice = choose(rungs, self._profile, state, self.link, price_per_s)
        chosen = candidates[choice.rung]
        if choice.budget_bytes is None:
            return choice.rung, chosen
        return choice.rung, self._cut(chosen, choice.budget_bytes // self._max_packet_bytes)

    def _allowance_j(self, number: int, now_s: float) -> float:
        """Return what a message may take so that the battery lasts: an equal share of the rest.

        Messages come as often as they did so far. What one leaves the next ones have; the last of
        it is spent when less than the cheapest rung's energy would be the share.
        """
        left_j = self._battery.left_j
        if math.isinf(left_j) or number == 0:
            return left_j
        to_come = 1.0 + number / now_s * max(0.0, self._duration_s - now_s)
        cheapest_j = min(
            self._profile.energy_j(m[number].operations, m[number].memory_bytes)
            for m in self._by_rung.values()
        )
        return min(left_j, max(left_j / to_come, cheapest_j))

    def _cut(self, message: EncodedMessage, count: int) -> EncodedMessage:
        """Return a message with the most important units only: those of its first `count` packets.

        Without a packet that is worth it, the first unit stays: every sample sends something.
        """
        packets = self._packets(message, "in-order")[:count]
        kept = max(1, sum(len(parse(packet.data).units) for packet in packets))
        while True:
            units, importance = message.units[:kept], message.importance[:kept]
            cut = dataclasses.replace(message, units=units, importance=importance)
            # Other policies may need a packet more for the same units.
            if kept == 1 or len(self._packets(cut, self._packing)) <= count:
                return cut
            kept -= 1

    def _packets(self, message: EncodedMessage, policy: str) -> list[Packet]:
        return pack(
            message.units,
            message.importance,
            message_number=0,
            max_packet_bytes=self._max_packet_bytes,
            policy=policy,
        )

    def _rungs_of(self, candidates: Mapping[str, EncodedMessage]) -> list[LadderRung]:
        """Return the ladder with this sample's own bytes and operations."""
        return [
            dataclasses.replace(
                self._ladder[name],
                bytes_mean=float(self._payload_bytes(message)),
                packet_bytes=float(self._max_packet_bytes),
                units_mean=float(len(message.units)),
                operations=message.operations,
                memory_bytes=message.memory_bytes,
            )
            for name, message in candidates.items()
        ]

    def _payload_bytes(self, message: EncodedMessage) -> int:
        """Return the UDP payload of a message, headers and units' lengths with it, packed in order.

        Another policy takes a few bytes more at most, and may take long to work out at every rung.
        """
        return sum(len(packet.data) for packet in self._packets(message, "in-order"))

    def _edge_s(self, rung: str, message: EncodedMessage) -> float:
        cost = self.codec.decode_cost(message, task=self.task, rung=rung)
        return self._edge_profile.latency_s(*cost)

    def _learn(self, now_s: float) -> float:
        """Take in what is known by now of earlier messages; return the bytes still under way."""
        still, queue_bytes = [], 0.0
        for message in self._under_way:
            known = message.units_by(now_s - ACK_S)
            whole = len(known) == message.units_sent
            if whole or message.deadline_s + ACK_S <= now_s:
                self._learn_from(message, known, whole)
            else:
                still.append(message)
                queue_bytes += message.bytes_app * (1 - len(known) / message.units_sent)
        self._under_way = still
        return queue_bytes

    def _learn_from(self, message: Message, known: Mapping[int, bytes], whole: bool) -> None:
        """Tell the link's estimate of a message's first and last packet, and of one that is late.

        What was under way before it had to arrive first, so it counts with the size.
        """
        arrivals: dict[float, int] = {}
        for number in known:
            at, data = message.received[number]
            arrivals[at] = arrivals.get(at, HEADER_BYTES) + len(data)
        size = self._before.pop(message.message_id)
        steps = []
        for at in sorted(arrivals):
            size += arrivals[at]
            steps.append((size, at - message.encoded_s))
        for step in dict.fromkeys([*steps[:1], *steps[-1:]]):
            self.link.arrived(*step)
        if not whole:
            rest = message.bytes_app - sum(arrivals.values())
            packet = min(self._max_packet_bytes, max(rest, HEADER_BYTES))
            self.link.missing(size + packet, message.deadline_s - message.encoded_s)
