# SPDX-License-Identifier: MIT
"""Scenarios: typed TOML files that say everything about a run, and clear errors when they do not.

`load_scenario` reads one by path or by the name of a shipped one. Importing this package is cheap.
"""

from cosim.scenario.carrier import BackhaulSection, CarrierSection
from cosim.scenario.channel import ChannelSection
from cosim.scenario.errors import Problem, ScenarioError
from cosim.scenario.export import json_schema
from cosim.scenario.finetuning import FinetuningTraffic
from cosim.scenario.loader import find_scenario, load_scenario, shipped_scenarios
from cosim.scenario.mac import MacSection
from cosim.scenario.model import Cell, Scenario
from cosim.scenario.radio import GnbSection, UesSection
from cosim.scenario.retrieval import RetrievalTraffic
from cosim.scenario.run import ModelsSection, ProfileOverride, RunSection, TracesSection
from cosim.scenario.traffic import AgentTraffic, CbrTraffic, SemanticTraffic

__all__ = [
    "AgentTraffic",
    "BackhaulSection",
    "CarrierSection",
    "CbrTraffic",
    "Cell",
    "ChannelSection",
    "FinetuningTraffic",
    "GnbSection",
    "MacSection",
    "ModelsSection",
    "Problem",
    "ProfileOverride",
    "RetrievalTraffic",
    "RunSection",
    "Scenario",
    "ScenarioError",
    "SemanticTraffic",
    "TracesSection",
    "UesSection",
    "find_scenario",
    "json_schema",
    "load_scenario",
    "shipped_scenarios",
]
