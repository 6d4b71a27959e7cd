# SPDX-License-Identifier: MIT
"""Semantic HARQ: the most important units first, and more only while the edge is not sure.

The edge decodes what has arrived as soon as everything it expects is there, or when its patience
ends. If the answer is confident enough to be accepted it stays silent. Otherwise it sends what it
has over the downlink, and the UE answers with the most important units that are missing: those that
were lost and those that were never sent are alike. Little endian::

    offset  size  field
    0       1     version (1)
    1       4     message number in the flow
    5       2     units in the whole message
    7       …     one bit a unit that has arrived, the first in the highest bit
"""

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from cosim.agents.api import Action, Agent, Event, EventKind, Send, Timer
from cosim.agents.packetiser import Packet, WireError, parse
from cosim.agents.semantic_source import MESSAGE_NUMBER_BITS, SemanticSource
from cosim.ledger import Ledger, Message
from models.codecs import ReceivedMessage
from models.compression import DeviceProfile

_REQUEST = struct.Struct("<BIH")
_VERSION = 1


def write_request(message_number: int, count: int, arrived: Iterable[int]) -> bytes:
    """Return the bytes of a request.

    Args:
        message_number: in the flow.
        count: units in the whole message.
        arrived: numbers of those that the edge has.
    """
    bits = sum(1 << (count - 1 - n) for n in set(arrived)) << (-count % 8)
    return _REQUEST.pack(_VERSION, message_number, count) + bits.to_bytes(-(-count // 8), "big")


def read_request(data: bytes) -> tuple[int, set[int]]:
    """Return message number and the units that the edge lacks.

    Raises:
        WireError: these bytes are no request.
    """
    if len(data) < _REQUEST.size:
        raise WireError(f"{len(data)} bytes are fewer than a request's {_REQUEST.size}")
    version, number, count = _REQUEST.unpack_from(data)
    bitmap = data[_REQUEST.size :]
    if version != _VERSION or len(bitmap) != -(-count // 8):
        raise WireError(f"version {version} with {len(bitmap)} bytes of bitmap for {count} units")
    return number, {n for n in range(count) if not bitmap[n // 8] << n % 8 & 128}


class AnsweredSource(SemanticSource):
    """A source that sends a message's first units, and others when it is asked.

    Args:
        first_units: how many are sent at first.
        more_units: how many are sent on request.
        adapt_first: a request raises the next message's first units by half of `more_units`, a
            message that passed without one lowers it by one.
        options: of `SemanticSource`.
    """

    def __init__(
        self, *, first_units: int, more_units: int, adapt_first: bool, **options: Any
    ) -> None:
        super().__init__(**options)
        self._first, self._more, self._adapt = first_units, more_units, adapt_first
        self._deadlines_s: dict[int, float] = {}
        self._asked: set[int] = set()

    def handle(self, event: Event) -> Iterable[Action]:
        """Also answer requests."""
        if event.kind is EventKind.PACKET:
            return self._answer(event)
        return super().handle(event)

    def _first_numbers(self, number: int, count: int) -> list[int] | None:
        if self._adapt and number:
            asked = number - 1 in self._asked
            self._first = max(1, self._first + (-(-self._more // 2) if asked else -1))
            self._first = min(self._first, count)
        return list(range(min(self._first, count)))

    def _answer(self, event: Event) -> list[Action]:
        try:
            number, missing = read_request(event.payload)
        except WireError:
            return []
        message_id = (self._flow << MESSAGE_NUMBER_BITS) | number
        message = self._ledger.find(message_id)
        if message is None or event.t_s >= message.deadline_s:
            return []
        self._asked.add(number)
        chosen = sorted(missing)[: self._more]
        if not chosen:
            return []
        packets = self._pack(number, chosen)
        self._ledger.sent_more(message_id, chosen, sum(len(p.data) for p in packets))
        return [Send(self._flow, message_id, packets, deadline_s=message.deadline_s)]


@dataclass
class _State:
    """What the edge knows of a message under way.

    Attributes:
        expected: units after which it decides without waiting.
        timer: token of the timer that ends its patience, None if none runs.
        done: it will not ask again.
    """

    expected: int
    timer: int | None = None
    done: bool = False


class SemanticAsker(Agent):
    """The edge's end of one flow with feedback.

    Args:
        node: the edge server.
        flow: the uplink flow.
        answer_flow: the downlink flow back to its UE.
        ledger: where received units are entered.
        profile: the edge server's; a request leaves after the decoder's latency.
        first_units: units that the UE sends unasked, None where it adapts them.
        more_units: units that a request brings.
        patience_s: how long it waits for the rest of what it expects.

    Attributes:
        malformed: packets that were no packets of the wire format.
        requests: sent.
    """

    def __init__(
        self,
        *,
        node: int,
        flow: int,
        answer_flow: int,
        ledger: Ledger,
        profile: DeviceProfile,
        first_units: int | None,
        more_units: int,
        patience_s: float,
    ) -> None:
        super().__init__(node=node, flows=(flow,))
        self._flow, self._answer_flow = flow, answer_flow
        self._ledger, self._profile = ledger, profile
        self._first, self._more, self._patience_s = first_units, more_units, patience_s
        self._states: dict[int, _State] = {}
        self._messages: dict[int, int] = {}
        self._tokens = 0
        self.malformed = 0
        self.requests = 0

    def handle(self, event: Event) -> Iterable[Action]:
        """Take packets, and ask when what came is not enough."""
        if event.kind is EventKind.PACKET:
            return self._take(event)
        if event.kind is EventKind.TIMER:
            message_id = self._messages.pop(event.token, None)
            if message_id is not None:
                state = self._states[message_id]
                if state.timer == event.token and not state.done:
                    state.timer = None
                    return self._decide(message_id, state, event.t_s)
        return ()

    def _take(self, event: Event) -> list[Action]:
        try:
            contents = parse(event.payload)
        except WireError:
            self.malformed += 1
            return []
        message_id = (self._flow << MESSAGE_NUMBER_BITS) | contents.message_number
        self._ledger.received(message_id, event.t_s, contents)
        message = self._ledger.find(message_id)
        if message is None:
            return []
        state = self._states.get(message_id)
        if state is None:
            # Both ends know a fixed number of first units; of an adaptive one patience must do.
            count = len(message.encoded.units)
            state = self._states[message_id] = _State(min(count, self._first or count))
        if state.done:
            return []
        if len(message.received) >= state.expected:
            state.timer = None
            return self._decide(message_id, state, event.t_s)
        if state.timer is None:
            self._tokens += 1
            state.timer = self._tokens
            self._messages[self._tokens] = message_id
            return [Timer(self._patience_s, self._tokens)]
        return []

    def _decide(self, message_id: int, state: _State, now_s: float) -> list[Action]:
        message = self._ledger.find(message_id)
        count = 0 if message is None else len(message.encoded.units)
        if message is None or len(message.received) == count:
            state.done = True
            return []
        latency_s = self._latency_s(message)
        if self._accepted(message) or now_s + latency_s >= message.deadline_s:
            state.done = True
            return []
        state.expected = min(count, len(message.received) + self._more)
        number = message_id & ((1 << MESSAGE_NUMBER_BITS) - 1)
        data = write_request(number, count, message.received)
        self._ledger.sent_more(message_id, (), len(data))
        self.requests += 1
        self._tokens += 1
        state.timer = self._tokens
        self._messages[self._tokens] = message_id
        request = Send(
            self._answer_flow,
            message_id,
            [Packet(data, importance=1.0)],
            delay_s=latency_s,
            deadline_s=message.deadline_s,
        )
        # If the request or all of its answer is lost, it is repeated.
        return [request, Timer(latency_s + 2 * self._patience_s, self._tokens)]

    def _latency_s(self, message: Message) -> float:
        return self._profile.latency_s(
            *message.codec.decode_cost(message.encoded, task=message.task, rung=message.rung)
        )

    def _accepted(self, message: Message) -> bool:
        """Return whether the decoder would act on what has arrived."""
        units: Mapping[int, bytes] = {n: data for n, (_, data) in message.received.items()}
        received = ReceivedMessage(unit_count=len(message.encoded.units), units=units)
        (answer,) = message.codec.decode([received], task=message.task, rung=message.rung)
        return answer.accepted
