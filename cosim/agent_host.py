# SPDX-License-Identifier: MIT
"""Between the bridge's event records and the agents: who is told what, and what they answer."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from cosim.agents.api import Action, Agent, Event, EventKind, ReceivedPacket, Send, Stop, Timer
from cosim.bridge import Batch, Exchange

TOKEN_BITS = 40
"""An agent's own timer tokens are below 2**40; the bits above number the agent."""

_TIMER, _SEND, _STOP = 1, 2, 3
_DESCRIPTOR = np.dtype(
    [("bytes", "<u4"), ("importance", "<f4"), ("share", "<f4"), ("header_bytes", "<u4")]
)


class AgentHost:
    """Delivers events to agents in a fixed order and writes their actions for ns-3."""

    def __init__(self, agents: Sequence[Agent]) -> None:
        self._agents = list(agents)
        self._number = {id(agent): number for number, agent in enumerate(self._agents)}
        self._at_node: dict[int, list[Agent]] = defaultdict(list)
        self._of_flow: dict[tuple[int, int], list[Agent]] = defaultdict(list)
        for agent in self._agents:
            self._at_node[agent.node].append(agent)
            for flow in agent.flows:
                self._of_flow[(agent.node, flow)].append(agent)

    def receive(self, packet: ReceivedPacket) -> None:
        """Give a packet to the agents of its flow."""
        for agent in self._of_flow.get((packet.node, packet.flow), ()):
            agent.receive(packet)

    def answer(self, exchange: Exchange, batch: Batch) -> None:
        """Handle a batch of events and send the actions."""
        actions: list[tuple[int, int, Action]] = []
        for index, record in enumerate(batch.records):
            event = Event(
                t_s=float(record["t_s"]),
                kind=EventKind(int(record["kind"])),
                node=int(record["node"]),
                token=int(record["token"]) & ((1 << TOKEN_BITS) - 1),
                flow=int(record["flow"]),
                message_id=int(record["message_id"]),
                source_node=int(record["source_node"]),
                payload=bytes(batch.payload(index)) if record["payload_bytes"] else b"",
            )
            for agent in self._addressed(event, int(record["token"])):
                number = self._number[id(agent)]
                actions += [(number, event.node, action) for action in agent.handle(event)]
        self._write(exchange, actions)

    def _addressed(self, event: Event, token: int) -> Sequence[Agent]:
        if event.kind is EventKind.TIMER:
            return (self._agents[token >> TOKEN_BITS],)
        if event.kind is EventKind.PACKET:
            return self._of_flow.get((event.node, event.flow), ())
        return self._at_node.get(event.node, ())

    def _write(self, exchange: Exchange, actions: list[tuple[int, int, Action]]) -> None:
        reply = exchange.reply(len(actions))
        for index, (number, node, action) in enumerate(actions):
            record = reply[index]
            record["node"] = node
            match action:
                case Timer(delay_s, token):
                    if not 0 <= token < 1 << TOKEN_BITS:
                        raise ValueError(f"a timer token is 0 to 2**{TOKEN_BITS} - 1, not {token}")
                    record["kind"] = _TIMER
                    record["delay_s"] = delay_s
                    record["token"] = (number << TOKEN_BITS) | token
                case Send():
                    record["kind"] = _SEND
                    record["delay_s"] = action.delay_s
                    record["deadline_s"] = action.deadline_s
                    record["message_id"] = action.message_id
                    record["flow"] = action.flow
                    record["packet_count"] = len(action.packets)
                    exchange.attach(index, _send_payload(action))
                case Stop():
                    record["kind"] = _STOP
        exchange.send()


def _send_payload(action: Send) -> bytes:
    descriptors = np.zeros(len(action.packets), dtype=_DESCRIPTOR)
    descriptors["bytes"] = [len(packet.data) for packet in action.packets]
    descriptors["importance"] = [packet.importance for packet in action.packets]
    descriptors["share"] = [packet.share for packet in action.packets]
    descriptors["header_bytes"] = [packet.header_bytes for packet in action.packets]
    return descriptors.tobytes() + b"".join(packet.data for packet in action.packets)
