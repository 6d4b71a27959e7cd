# SPDX-License-Identifier: MIT
"""An agent whose packets are those of `ArqEndpoint`s, one a peer, with one timer for all."""

import math
from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from cosim.agents.api import Action, Agent, Event, EventKind, Send, Stop, Timer
from cosim.agents.arq import ArqEndpoint, Delivery
from cosim.agents.packetiser import Packet

MESSAGE_NUMBER_BITS = 32
_WAKE = 0


@dataclass(frozen=True)
class Peer:
    """Another node and the flows to it and from it."""

    node: int
    outgoing: int
    incoming: int


class TransportAgent(Agent):
    """Exchanges whole messages with peers.

    Override `started`, `message` and, if need be, `poll`; call `self.send` and `self.later`.

    Args:
        node: where it lives.
        peers: whom it speaks with.
        endpoint: makes the endpoint of a peer.

    Attributes:
        endpoints: peer node → its endpoint.
        now_s: simulated time of the event at hand.
    """

    def __init__(
        self, *, node: int, peers: Iterable[Peer], endpoint: Callable[[], ArqEndpoint]
    ) -> None:
        self.peers = {peer.node: peer for peer in peers}
        super().__init__(node=node, flows=[peer.incoming for peer in self.peers.values()])
        self.endpoints: Mapping[int, ArqEndpoint] = {n: endpoint() for n in self.peers}
        self._by_flow = {peer.incoming: peer.node for peer in self.peers.values()}
        self._calls: dict[int, Callable[[], None]] = {}
        self._tokens = _WAKE
        self._packet_count: dict[int, int] = dict.fromkeys(self.peers, 0)
        self._timers: list[Timer] = []
        self._armed_s = math.inf
        self._stop = False
        self.now_s = 0.0

    @abstractmethod
    def started(self) -> None:
        """Begin; called at simulated time 0."""

    @abstractmethod
    def message(self, peer: int, delivery: Delivery) -> None:
        """Take a message that a peer sent."""

    def send(self, peer: int, data: bytes) -> None:
        """Send a message to a peer, whole."""
        self.endpoints[peer].send(data, self.now_s)

    def stop(self) -> None:
        """End the simulation now."""
        self._stop = True

    def later(self, delay_s: float, call: Callable[[], None]) -> None:
        """Call something in simulated time, for example when a computation is done."""
        self._tokens += 1
        self._calls[self._tokens] = call
        self._timers.append(Timer(delay_s, self._tokens))

    def handle(self, event: Event) -> list[Action]:
        """Answer an event of this node."""
        self.now_s = event.t_s
        if event.kind is EventKind.START:
            self.started()
        elif event.kind is EventKind.PACKET and event.flow in self._by_flow:
            peer = self._by_flow[event.flow]
            self._deliver(peer, self.endpoints[peer].receive(event.payload, self.now_s))
        elif event.kind is EventKind.TIMER:
            if event.token == _WAKE:
                if self.now_s >= self._armed_s - 1e-9:
                    self._armed_s = math.inf
                for peer, endpoint in self.endpoints.items():
                    if endpoint.next_wake_s <= self.now_s + 1e-9:
                        self._deliver(peer, endpoint.poll(self.now_s))
            else:
                self._calls.pop(event.token)()
        else:
            return []
        return self._actions()

    def _deliver(self, peer: int, deliveries: list[Delivery]) -> None:
        for delivery in deliveries:
            self.message(peer, delivery)

    def _actions(self) -> list[Action]:
        actions: list[Action] = []
        for peer, endpoint in self.endpoints.items():
            packets = endpoint.take_packets()
            if packets:
                flow = self.peers[peer].outgoing
                self._packet_count[peer] += 1
                number = (flow << MESSAGE_NUMBER_BITS) | self._packet_count[peer]
                actions.append(Send(flow, number, [Packet(data) for data in packets]))
        actions += self._timers
        self._timers = []
        if self._stop:
            actions.append(Stop())
        wake_s = min((e.next_wake_s for e in self.endpoints.values()), default=math.inf)
        if wake_s < self._armed_s - 1e-9:
            self._armed_s = wake_s
            actions.append(Timer(max(wake_s - self.now_s, 0.0), _WAKE))
        return actions
