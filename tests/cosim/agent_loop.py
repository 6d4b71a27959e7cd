# SPDX-License-Identifier: MIT
"""Agents without ns-3: an event loop with one delay, losses by chance, and nodes that go deaf."""

import heapq
import random

from cosim.agents.api import Event, EventKind, Send, Stop, Timer


class AgentLoop:
    def __init__(self, agents, routes, *, delay_s=0.005, loss=0.0, seed=0):
        """`routes`: flow → (source node, destination node)."""
        self.agents, self.routes = agents, routes
        self.delay_s, self.loss, self.rng = delay_s, loss, random.Random(seed)
        self.events, self.count, self.now_s = [], 0, 0.0
        self.deaf_from, self.deaf_until = {}, {}
        self.slow = {}
        self.bytes = 0

    def push(self, at_s, agents, event):
        self.count += 1
        heapq.heappush(self.events, (at_s, self.count, agents, event))

    def take(self, agent, actions):
        for action in actions:
            if isinstance(action, Timer):
                event = Event(
                    self.now_s + action.delay_s, EventKind.TIMER, agent.node, action.token
                )
                self.push(event.t_s, [agent], event)
            elif isinstance(action, Send):
                self.transmit(action)
            elif isinstance(action, Stop):
                self.events = []
                return

    def transmit(self, send):
        source, node = self.routes[send.flow]
        for packet in send.packets:
            self.bytes += len(packet.data)
            delay_s = self.delay_s + self.slow.get(source, 0.0) + self.slow.get(node, 0.0)
            at_s = self.now_s + send.delay_s + delay_s
            gone = any(
                self.deaf_from.get(n, at_s + 1) <= at_s < self.deaf_until.get(n, at_s + 1)
                for n in (source, node)
            )
            if gone or self.rng.random() < self.loss:
                continue
            there = [a for a in self.agents if a.node == node and send.flow in a.flows]
            event = Event(
                at_s, EventKind.PACKET, node, flow=send.flow, source_node=source,
                payload=packet.data,
            )  # fmt: skip
            self.push(at_s, there, event)

    def run(self, until_s=600.0):
        for agent in self.agents:
            self.take(agent, agent.handle(Event(0.0, EventKind.START, agent.node)))
        while self.events and self.events[0][0] <= until_s:
            self.now_s, _, agents, event = heapq.heappop(self.events)
            for agent in agents:
                self.take(agent, agent.handle(event))
