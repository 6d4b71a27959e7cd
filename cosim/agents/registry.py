# SPDX-License-Identifier: MIT
"""Agents by name, so that a scenario stays data: code is registered by whoever starts the run."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from cosim.agents.api import Agent

Option = str | int | float | bool


@dataclass(frozen=True, kw_only=True)
class AgentContext:
    """What a factory gets for one `[[traffic]]` entry of kind "agent".

    Attributes:
        edge_node: the edge server's node number; the UEs are 0 to `edge_node - 1`.
        uplink: UE -> number of its flow to the edge server; empty with `direction = "dl"`.
        downlink: UE -> number of its flow from the edge server; empty with `direction = "ul"`.
        duration_s: simulated time of the run in seconds, the time after the last message included.
        seed: derived from the scenario's seed for this entry: the only source of randomness.
        options: the entry's `options` table.
    """

    edge_node: int
    uplink: Mapping[int, int]
    downlink: Mapping[int, int]
    duration_s: float
    seed: int
    options: Mapping[str, Option] = field(default_factory=dict)


AgentFactory = Callable[[AgentContext], Iterable[Agent]]

_FACTORIES: dict[str, AgentFactory] = {}


def register_agents(name: str, factory: AgentFactory) -> None:
    """Make agents available to scenarios as `agent = "name"`.

    Args:
        name: what scenarios call them; a second registration replaces the first.
        factory: called once a run and traffic entry; returns the agents of all nodes.
    """
    _FACTORIES[name] = factory


def agent_names() -> tuple[str, ...]:
    """Return the names of all registered agents."""
    return tuple(_FACTORIES)


def make_agents(name: str, context: AgentContext) -> list[Agent]:
    """Return the agents of a traffic entry.

    Raises:
        KeyError: nothing is registered under this name.
        TypeError: the factory returned something else than agents.
    """
    agents = list(_FACTORIES[name](context))
    for agent in agents:
        if not isinstance(agent, Agent):
            raise TypeError(
                f"the factory of agents {name!r} returned a {type(agent).__name__}: "
                "return cosim.agents.Agent objects"
            )
    return agents
