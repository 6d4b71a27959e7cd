# SPDX-License-Identifier: MIT
"""A UE's sender: samples arrive, the device part of a codec encodes them, their units are sent."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from cosim.agents.api import Action, Agent, Event, EventKind, Send, Timer
from cosim.agents.packetiser import Packet, pack
from cosim.ledger import Ledger, Message
from models.codecs import Codec, EncodedMessage, Sample
from models.compression import DeviceProfile

MESSAGE_NUMBER_BITS = 32


class SemanticSource(Agent):
    """Sends one message of `task` through `codec` at every arrival of a sample.

    All samples are encoded in batches before the simulation starts: what a message contains does
    not depend on simulated time, only when it is sent does. The device works on one sample at a
    time, so a sample that arrives while another is being encoded waits for it.

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
    ) -> None:
        super().__init__(node=node, flows=flows)
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
                self._send(event.token, event.t_s),
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

    def _send(self, number: int, now_s: float) -> Send:
        encoded = self._encoded[number]
        started_s = max(now_s, self._device_free_s)
        encoded_s = started_s + self._profile.latency_s(encoded.operations, encoded.memory_bytes)
        self._device_free_s = encoded_s
        first = self._first_numbers(number, len(encoded.units))
        packets = self._pack(number, first)
        message_id = (self._flow << MESSAGE_NUMBER_BITS) | number
        deadline_s = now_s + self._deadline_s
        self._ledger.sent(
            Message(
                message_id=message_id,
                node=self.node,
                flow=self._flow,
                task=self.task,
                codec=self.codec,
                rung=self.rung,
                sample=self.samples[number],
                encoded=encoded,
                created_s=now_s,
                encoded_s=encoded_s,
                deadline_s=deadline_s,
                bytes_app=sum(len(packet.data) for packet in packets),
                energy_j=self._profile.energy_j(encoded.operations, encoded.memory_bytes),
                sent=None if first is None else set(first),
            )
        )
        return Send(
            flow=self._flow,
            message_id=message_id,
            packets=packets,
            delay_s=encoded_s - now_s,
            deadline_s=deadline_s,
        )
