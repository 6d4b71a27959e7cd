# SPDX-License-Identifier: MIT
"""The edge server's receiver: packets in, units with their arrival times out."""

from collections.abc import Iterable, Sequence

from cosim.agents.api import Action, Agent, Event, EventKind, ReceivedPacket, Timer
from cosim.agents.packetiser import WireError, parse
from cosim.agents.semantic_source import MESSAGE_NUMBER_BITS
from cosim.ledger import Ledger

TICK_S = 0.05


class SemanticSink(Agent):
    """Collects the units of every message of its flows.

    It answers no packet, so ns-3 never waits for it, and what it collected is decoded later in
    batches (DESIGN D5). A timer every `TICK_S` gives the run a regular heartbeat even when no
    source is active.

    Args:
        node: the edge server.
        flows: the flows that end here.
        ledger: where received units are entered.

    Attributes:
        malformed: packets that were no packets of the wire format.
    """

    def __init__(self, *, node: int, flows: Sequence[int], ledger: Ledger) -> None:
        super().__init__(node=node, flows=flows)
        self._ledger = ledger
        self.malformed = 0

    def handle(self, event: Event) -> Iterable[Action]:
        """Keep the heartbeat going."""
        if event.kind in (EventKind.START, EventKind.TIMER):
            return [Timer(TICK_S)]
        return ()

    def receive(self, packet: ReceivedPacket) -> None:
        """Take the units out of a packet."""
        try:
            contents = parse(packet.data)
        except WireError:
            self.malformed += 1
            return
        message_id = (packet.flow << MESSAGE_NUMBER_BITS) | contents.message_number
        self._ledger.received(message_id, packet.t_s, contents)
