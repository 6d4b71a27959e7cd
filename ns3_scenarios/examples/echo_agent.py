# SPDX-License-Identifier: MIT
"""Agents of one's own: UEs ping, the edge server echoes, UEs note the round-trip times.

cosim run ns3_scenarios/examples/echo.toml --plugin ns3_scenarios/examples/echo_agent.py
"""

from cosim.agents import Agent, AgentContext, Event, EventKind, Packet, Send, Timer, register_agents


class Pinger(Agent):
    """Sends a packet every period and notes when its echo comes back."""

    def __init__(self, *, node: int, uplink: int, downlink: int, period_s: float) -> None:
        super().__init__(node=node, flows=[downlink])
        self.uplink, self.period_s = uplink, period_s
        self.sent_s: dict[int, float] = {}
        self.round_trips_s: list[float] = []

    def handle(self, event: Event):
        """Answer an event of this UE."""
        if event.kind is EventKind.START:
            return [Timer(self.period_s)]
        if event.kind is EventKind.PACKET:
            number = int.from_bytes(event.payload[:4], "big")
            self.round_trips_s.append(event.t_s - self.sent_s.pop(number))
            return []
        number = len(self.sent_s) + len(self.round_trips_s)
        self.sent_s[number] = event.t_s
        ping = Packet(number.to_bytes(4, "big") + bytes(60), importance=1.0)
        message = (self.uplink << 32) | number
        return [Send(self.uplink, message, [ping]), Timer(self.period_s)]


class Echo(Agent):
    """Sends every packet back to where it came from."""

    def __init__(self, *, node: int, uplink: dict[int, int], downlink: dict[int, int]) -> None:
        super().__init__(node=node, flows=list(uplink.values()))
        self.downlink = downlink
        self.count = 0

    def handle(self, event: Event):
        """Answer an event of the edge server."""
        if event.kind is not EventKind.PACKET:
            return []
        self.count += 1
        flow = self.downlink[event.source_node]
        return [Send(flow, (flow << 32) | self.count, [Packet(event.payload, importance=1.0)])]


def make(context: AgentContext) -> list[Agent]:
    """Return one echo server and a pinger a UE."""
    period_s = float(context.options.get("period_s", 0.1))
    pingers = [
        Pinger(node=ue, uplink=flow, downlink=context.downlink[ue], period_s=period_s)
        for ue, flow in context.uplink.items()
    ]
    echo = Echo(node=context.edge_node, uplink=context.uplink, downlink=context.downlink)
    return [*pingers, echo]


register_agents("echo", make)
