# SPDX-License-Identifier: MIT
"""A UE's sender: samples arrive, the device part of a codec encodes them, their units are sent."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cosim.agents.api import Action, Agent, Event, EventKind, Send, Timer
from cosim.agents.packetiser import Packet, pack
from cosim.ledger import Ledger, Message
from models.codecs import Codec, EncodedMessage, Sample
from models.compression import DeviceProfile

MESSAGE_NUMBER_BITS = 32


@dataclass(slots=True)
class Battery:
    """What a UE's encoders may still spend; all its flows share it.

    Attributes:
        left_j: energy left, J; infinity on the mains.
    """

    left_j: float = math.inf

    def spend(self, energy_j: float) -> bool:
        """Take this much, or nothing and return False if there is less."""
        if energy_j > self.left_j:
            return False
        self.left_j -= energy_j
        return True


class SemanticSource(Agent):
    """Sends one message of `task` through `codec` at every arrival of a sample.

    All samples are encoded in batches before the simulation starts: what a message contains does
    not depend on simulated time, only when it is sent does. The device works on one sample at a
    time, so a sample that arrives while another is being encoded waits for it. A sample for which
    the battery has no energy left is not encoded, and nothing of it is sent.

    Args:
        node: the UE.
        flow: the flow to send on.
        arrivals_s: simulated arrival times, ascending, shape [messages].
        samples: what arrives, one a message.
        codec: encodes; its `rung` and `budget_bytes` are passed on.
        profile: gives the encoder's latency and energy from its operations.
        deadline_s: time from arrival to decision.
        max_packet_bytes: UDP payload limit of the packetiser.
        packing: the packetiser's policy.
        ledger: where sent messages are entered for the `messages` trace.
        flows: downlink flows whose packets it is told.
        delivery: how units travel: packet, bits or symbols.
        battery: the UE's; None: it is on the mains.
    """

    def __init__(
        self,
        *,
        node: int,
        flow: int,
        arrivals_s: np.ndarray,
        samples: Sequence[Sample],
        codec: Codec,
        task: str,
        rung: str,
        budget_bytes: int | None,
        profile: DeviceProfile,
        deadline_s: float,
        max_packet_bytes: int,
        ledger: Ledger,
        packing: str = "in-order",
        flows: Sequence[int] = (),
        delivery: str = "packet",
        battery: Battery | None = None,
    ) -> None:
        super().__init__(node=node, flows=flows)
        self._battery = battery or Battery()
        self._flow = flow
        self._arrivals_s = [float(t) for t in arrivals_s]
        self.samples = tuple(samples)
        self.codec = codec
        self.task = task
        self.rung = rung
        self.budget_bytes = budget_bytes
        self._profile = profile
        self._deadline_s = deadline_s
        self._max_packet_bytes = max_packet_bytes
        self._packing = packing
        self._delivery = delivery
        self._ledger = ledger
        self._encoded: Sequence[EncodedMessage] | Mapping[int, EncodedMessage] = ()
        self._device_free_s = 0.0

    @property
    def rungs(self) -> tuple[str, ...]:
        """Return the rungs at which its samples must be encoded."""
        return (self.rung,)

    def set_encoded(self, encoded: Sequence[EncodedMessage], rung: str | None = None) -> None:
        """Take the encoded messages, one a sample; the engine encodes all sources' together.

        Args:
            encoded: in the order of the samples.
            rung: that they were encoded at, one of `rungs`; None: the only one.
        """
        if len(encoded) != len(self.samples):
            raise ValueError(f"{len(encoded)} encoded messages for {len(self.samples)} samples")
        self._encoded = encoded

    def handle(self, event: Event) -> Iterable[Action]:
        """Answer START with the first arrival's timer, and each timer with a message."""
        if event.kind is EventKind.START:
            return self._next_timer(0, event.t_s)
        if event.kind is EventKind.TIMER:
            return [
                *self._send(event.token, event.t_s),
                *self._next_timer(event.token + 1, event.t_s),
            ]
        return ()

    def _next_timer(self, number: int, now_s: float) -> list[Timer]:
        if number >= len(self._arrivals_s):
            return []
        return [Timer(max(self._arrivals_s[number] - now_s, 0.0), number)]

    def _first_numbers(self, number: int, count: int) -> list[int] | None:
        """Return the units that are sent without being asked for, None for all."""
        return None

    def _pack(self, number: int, numbers: Sequence[int] | None) -> list[Packet]:
        """Return packets with units of a message."""
        encoded = self._encoded[number]
        return pack(
            encoded.units,
            encoded.importance,
            message_number=number,
            max_packet_bytes=self._max_packet_bytes,
            policy=self._packing,
            numbers=numbers,
        )

    def _send(self, number: int, now_s: float) -> list[Send]:
        """Encode and send a message; return nothing to send if the battery is too empty for it."""
        encoded = self._encoded[number]
        energy_j = self._profile.energy_j(encoded.operations, encoded.memory_bytes)
        if not self._battery.spend(energy_j):
            self._enter(number, now_s, math.nan, packets=[], energy_j=0.0, sent=set())
            return []
        started_s = max(now_s, self._device_free_s)
        encoded_s = started_s + self._profile.latency_s(encoded.operations, encoded.memory_bytes)
        self._device_free_s = encoded_s
        first = self._first_numbers(number, len(encoded.units))
        packets = self._pack(number, first)
        sent = None if first is None else set(first)
        message = self._enter(
            number, now_s, encoded_s, packets=packets, energy_j=energy_j, sent=sent
        )
        return [
            Send(
                flow=self._flow,
                message_id=message.message_id,
                packets=packets,
                delay_s=encoded_s - now_s,
                deadline_s=message.deadline_s,
            )
        ]

    def _enter(
        self,
        number: int,
        now_s: float,
        encoded_s: float,
        *,
        packets: Sequence[Packet],
        energy_j: float,
        sent: set[int] | None,
    ) -> Message:
        """Enter a message into the ledger."""
        message = Message(
            message_id=(self._flow << MESSAGE_NUMBER_BITS) | number,
            node=self.node,
            flow=self._flow,
            task=self.task,
            codec=self.codec,
            rung=self.rung,
            sample=self.samples[number],
            encoded=self._encoded[number],
            created_s=now_s,
            encoded_s=encoded_s,
            deadline_s=now_s + self._deadline_s,
            bytes_app=sum(len(packet.data) for packet in packets),
            energy_j=energy_j,
            sent=sent,
            delivery=self._delivery,
        )
        self._ledger.sent(message)
        return message
