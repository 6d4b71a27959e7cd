# SPDX-License-Identifier: MIT
"""What was sent, what arrived and when: the book from which the `messages` trace is written.

The two sides never mix: `Message.received` holds only bytes that came out of ns-3, and only those
are given to a decoder. What was sent is kept for the trace and for the lossless comparison.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from cosim.agents.packetiser import PacketContents
from models.codecs import Codec, EncodedMessage, Sample


@dataclass(slots=True)
class Message:
    """One message from its sample to its decision. Times in simulated seconds.

    Attributes:
        received: unit number → (arrival time, bytes), as ns-3 delivered them.
        first_tx_s: when the first byte entered a transport block, NaN before.
        bytes_air: MAC, RLC and PDCP bytes spent on it, retransmissions included, padding not.
        elements_air: its share of resource elements, see `PacketRecord` of the bridge.
        delivery: how units travel: packet, bits or symbols.
        sent: numbers of the units sent so far, None for all at once.
    """

    message_id: int
    node: int
    flow: int
    task: str
    codec: Codec
    rung: str
    sample: Sample
    encoded: EncodedMessage
    created_s: float
    encoded_s: float
    deadline_s: float
    bytes_app: int
    energy_j: float
    received: dict[int, tuple[float, bytes]] = field(default_factory=dict)
    first_tx_s: float = float("nan")
    bytes_air: int = 0
    elements_air: float = 0.0
    delivery: str = "packet"
    sent: set[int] | None = None

    @property
    def codec_label(self) -> str:
        """Return the codec's name in traces, with the delivery where that is not of packets."""
        name = self.codec.name
        return name if self.delivery == "packet" else f"{name}:{self.delivery}"

    @property
    def units_sent(self) -> int:
        """Return how many different units were sent."""
        return len(self.encoded.units) if self.sent is None else len(self.sent)

    def units_by(self, t_s: float) -> dict[int, bytes]:
        """Return the units that had arrived at `t_s`."""
        return {number: data for number, (at, data) in self.received.items() if at <= t_s}


class Ledger:
    """Messages under way, in order of their creation.

    Attributes:
        unknown: packets whose message was never sent or is already closed (late beyond use).
        delivered_bytes: UDP payload bytes of units delivered so far.
    """

    def __init__(self) -> None:
        self._open: dict[int, Message] = {}
        self.unknown = 0
        self.sent_count = 0
        self.delivered_bytes = 0

    def sent(self, message: Message) -> None:
        """Enter a message that its source handed to the network."""
        self._open[message.message_id] = message
        self.sent_count += 1

    def sent_more(self, message_id: int, numbers: Iterable[int], payload_bytes: int) -> None:
        """Enter further units of an open message, or, without any, feedback about it."""
        message = self._open.get(message_id)
        if message is not None:
            message.bytes_app += payload_bytes
            if message.sent is not None:
                message.sent.update(numbers)

    def find(self, message_id: int) -> Message | None:
        """Return an open message."""
        return self._open.get(message_id)

    def received(self, message_id: int, t_s: float, contents: PacketContents) -> None:
        """Enter the units of a packet that arrived at `t_s`."""
        message = self._open.get(message_id)
        if message is None:
            self.unknown += 1
            return
        for number, data in contents.units.items():
            message.received.setdefault(number, (t_s, data))
            self.delivered_bytes += len(data)

    def on_air(
        self,
        message_ids: np.ndarray,
        times_s: np.ndarray,
        first_tx: np.ndarray,
        air_bytes: np.ndarray,
        air_elements: np.ndarray,
    ) -> None:
        """Enter radio facts from packet records, all of shape [records].

        Args:
            message_ids: 0 for packets that belong to no message.
            times_s: record times.
            first_tx: True where the record says that a packet's first byte entered a transport
            block.
            air_bytes: bytes spent on a packet, given once when its fate is known.
            air_elements: resource elements, likewise.
        """
        for index in np.flatnonzero(message_ids):
            message = self._open.get(int(message_ids[index]))
            if message is None:
                continue
            message.bytes_air += int(air_bytes[index])
            message.elements_air += float(air_elements[index])
            if first_tx[index] and not message.first_tx_s <= times_s[index]:
                message.first_tx_s = float(times_s[index])

    def close_until(self, t_s: float, *, keep_s: float = 0.0) -> Iterator[Message]:
        """Remove and return the messages whose deadline was `keep_s` or more before `t_s`.

        `keep_s` leaves late units the time to be seen; they never reach the decoder.
        """
        due = [m for m in self._open.values() if m.deadline_s + keep_s <= t_s]
        for message in due:
            del self._open[message.message_id]
            yield message

    def __len__(self) -> int:
        return len(self._open)
