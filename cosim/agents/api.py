# SPDX-License-Identifier: MIT
"""The agent interface: events in, actions out, all in simulated time."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from cosim.agents.packetiser import Packet


class EventKind(IntEnum):
    """What an agent can be told (`cosim::sim::EventKind`; a test holds the two equal)."""

    START = 1
    TIMER = 2
    PACKET = 3
    SENT = 4


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened at an agent's node.

    Attributes:
        t_s: simulated time in seconds.
        kind: see `EventKind`.
        node: the node, `0 … ues-1` for the UEs and `ues` for the edge server.
        token: for TIMER, the number given in `Timer`.
        flow: for PACKET and SENT, the flow.
        message_id: for PACKET and SENT, the message that the packet belongs to.
        source_node: for PACKET, who sent it.
        payload: for PACKET, the UDP payload as delivered.
    """

    t_s: float
    kind: EventKind
    node: int
    token: int = 0
    flow: int = 0
    message_id: int = 0
    source_node: int = 0
    payload: bytes = b""


@dataclass(frozen=True, slots=True)
class ReceivedPacket:
    """A UDP payload that came out of a socket at the agent's node."""

    t_s: float
    node: int
    source_node: int
    flow: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Timer:
    """Wake the agent `delay_s` from now with `token`."""

    delay_s: float
    token: int = 0


@dataclass(frozen=True, slots=True)
class Send:
    """Hand a message's packets to the node's IP stack `delay_s` from now.

    Attributes:
        flow: the flow (a UDP port with its QoS) to send on.
        message_id: a number unique in the run; it labels the packets in the traces.
        packets: the packets in order.
        delay_s: time until they are ready, for example the latency of the encoder.
        deadline_s: simulated time at which the message is worthless, or infinity. A queue whose
            flow discards late packets drops them then.
    """

    flow: int
    message_id: int
    packets: Sequence[Packet]
    delay_s: float = 0.0
    deadline_s: float = float("inf")


@dataclass(frozen=True, slots=True)
class Stop:
    """End the simulation at the current simulated time."""


Action = Timer | Send | Stop


class Agent(ABC):
    """One role at one node.

    Override `handle`; override `receive` to get packets without being able to answer at once, which
    lets ns-3 run ahead. Everything an agent does must follow from its constructor's arguments and
    the events, never from the wall clock, or the run is not reproducible.

    Attributes:
        node: the node that the agent lives at.
        flows: flows whose packets at `node` it gets through `receive`.
    """

    def __init__(self, *, node: int, flows: Sequence[int] = ()) -> None:
        self.node = node
        self.flows = tuple(flows)

    def prepare(self) -> None:  # noqa: B027 - most agents need none
        """Do what needs no simulated time (encode all samples in batches); called once, first."""

    @abstractmethod
    def handle(self, event: Event) -> Iterable[Action]:
        """Answer an event of this agent's node; ns-3 waits for it."""

    def receive(self, packet: ReceivedPacket) -> None:  # noqa: B027 - most agents need none
        """Take a packet of one of `flows`, in the order of simulated time."""

    def advance(self, t_s: float) -> None:  # noqa: B027 - most agents need none
        """Learn that every packet delivered before `t_s` has been received."""

    def save(self, folder: Path) -> None:  # noqa: B027 - most agents need none
        """Write files of its own into the run's folder, once the simulation is over."""
