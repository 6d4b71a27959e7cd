# SPDX-License-Identifier: MIT
"""Which flows of a plan are answered over the downlink, and which source they have."""

from collections.abc import Mapping, Sequence
from typing import Any

from cosim.agents.semantic_harq import AnsweredSource
from cosim.agents.semantic_source import SemanticSource
from cosim.plan import Flow, Plan
from cosim.scenario import SemanticTraffic


def feedback_flows(plan: Plan) -> dict[int, int]:
    """Return uplink flow → downlink flow of the entries with feedback."""
    down = {
        (flow.entry, flow.ue): flow.number
        for flow in plan.flows
        if isinstance(flow.traffic, SemanticTraffic) and flow.direction == "dl"
    }
    return {
        flow.number: down[flow.entry, flow.ue]
        for flow in plan.flows
        if flow.direction == "ul" and (flow.entry, flow.ue) in down
    }


def source_kind(
    flow: Flow, answered: Mapping[int, int]
) -> tuple[type[SemanticSource], dict[str, Any]]:
    """Return the class of a flow's source and what it takes beyond `SemanticSource`."""
    traffic = flow.traffic
    if flow.number not in answered or not isinstance(traffic, SemanticTraffic):
        return SemanticSource, {}
    flows: Sequence[int] = (answered[flow.number],)
    return AnsweredSource, {
        "flows": flows,
        "first_units": traffic.first_units,
        "more_units": traffic.more_units,
        "adapt_first": traffic.adapt_first,
    }
