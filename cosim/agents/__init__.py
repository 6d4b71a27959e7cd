# SPDX-License-Identifier: MIT
"""What a node does: the agent interface and the agents that SemCoSim ships.

An agent lives at one node, is told what happens there in simulated time and answers with actions.
It may import `models` and `cosim.seeding`; it knows neither the bridge nor ns-3, so it can be
driven by a test or a notebook.
"""

from cosim.agents.api import Action, Agent, Event, EventKind, ReceivedPacket, Send, Stop, Timer
from cosim.agents.packetiser import Packet, WireError, pack, parse
from cosim.agents.registry import AgentContext, register_agents

__all__ = [
    "Action",
    "Agent",
    "AgentContext",
    "Event",
    "EventKind",
    "Packet",
    "ReceivedPacket",
    "Send",
    "Stop",
    "Timer",
    "WireError",
    "pack",
    "parse",
    "register_agents",
]
