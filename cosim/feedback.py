# SPDX-License-Identifier: MIT
"""Which flows of a plan are answered over the downlink, and which source each flow has."""

from collections.abc import Mapping, Sequence
from typing import Any

from cosim.agents.adaptive_source import AdaptiveSource
from cosim.agents.semantic_harq import AnsweredSource
from cosim.agents.semantic_source import SemanticSource
from cosim.plan import Flow, Plan
from cosim.scenario import SemanticTraffic
from cosim.scenario.names import AUTO
from models.compression import DeviceProfile, measured_ladder


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
    flow: Flow, answered: Mapping[int, int], edge_profile: DeviceProfile, duration_s: float
) -> tuple[type[SemanticSource], dict[str, Any]]:
    """Return the class of a flow's source and what it takes beyond `SemanticSource`.

    Args:
        flow: an uplink flow.
        answered: of `feedback_flows`.
        edge_profile: the edge server's.
        duration_s: of the run.

    Raises:
        LadderError: the rung is to be chosen, and the codec's were not measured for the task.
    """
    traffic = flow.traffic
    if not isinstance(traffic, SemanticTraffic):
        return SemanticSource, {}
    if traffic.rung == AUTO:
        # Operations and bytes are those of each message, not of a typical one.
        ladder = measured_ladder(traffic.task, traffic.codec, operations=0.0, memory_bytes=0.0)
        return AdaptiveSource, {
            "ladder": ladder,
            "edge_profile": edge_profile,
            "duration_s": duration_s,
        }
    if flow.number not in answered:
        return SemanticSource, {}
    flows: Sequence[int] = (answered[flow.number],)
    return AnsweredSource, {
        "flows": flows,
        "first_units": traffic.first_units,
        "more_units": traffic.more_units,
        "adapt_first": traffic.adapt_first,
    }
