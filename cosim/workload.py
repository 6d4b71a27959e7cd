# SPDX-License-Identifier: MIT
"""The agents of a run, with every sample encoded before simulated time starts."""

import dataclasses
import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cosim.agents.api import Agent
from cosim.agents.book import Book
from cosim.agents.registry import AgentContext, make_agents
from cosim.agents.semantic_harq import SemanticAsker
from cosim.agents.semantic_sink import SemanticSink
from cosim.agents.semantic_source import Battery, SemanticSource
from cosim.evaluation import Evaluator
from cosim.feedback import feedback_flows, source_kind
from cosim.ledger import Ledger
from cosim.plan import Flow, Plan
from cosim.progress import ProgressSink
from cosim.scenario import (
    AgentTraffic,
    FinetuningTraffic,
    RetrievalTraffic,
    Scenario,
    SemanticTraffic,
)
from cosim.scenario.names import SERVICE_CODEC
from cosim.schedulers import SchedulerContext, SlotScheduler, make_scheduler
from cosim.traffic_codec import TrafficCodecs
from cosim.utility import UtilityCurve, measure_utilities
from models.codecs import Codec
from models.compression import DeviceProfile, get_profile
from models.tasks import get_task

ENCODE_BATCH = 64


@dataclass
class Workload:
    """What the session drives.

    Attributes:
        agents: all agents; those of one node get that node's events in this order.
        ledger: the book of messages.
        evaluator: decodes closed messages.
        priors: majority label of each task in use.
        late_s: how long after its deadline a message stays open so that late units are seen.
        utilities: by flow, measured accuracy over units received, if a scheduler asks for it.
        scheduler: shares out the PRBs, if the scenario has one in Python.
        book: rows of optional tables that agents write.
    """

    agents: list[Agent]
    ledger: Ledger
    evaluator: Evaluator
    priors: dict[str, int]
    late_s: float
    utilities: Mapping[int, UtilityCurve] = field(default_factory=dict)
    scheduler: SlotScheduler | None = None
    book: Book = dataclasses.field(default_factory=Book)


MOST_REASONS = 50


def refusals(agents: Sequence[Agent]) -> list[dict[str, Any]]:
    """Return which node refused what, and how often; `MOST_REASONS` reasons of an agent."""
    return [
        {"node": agent.node, "reason": reason, "count": count}
        for agent in agents
        for reason, count in Counter(getattr(agent, "refused", ())).most_common(MOST_REASONS)
    ]


def knowledge(agents: Sequence[Agent]) -> list[dict[str, int]]:
    """Return what happened in the knowledge bases: conflicts that were decided, evictions."""
    return [
        {"node": agent.node, "conflicts": base.conflicts, "evicted": base.evicted}
        for agent in agents
        if (base := getattr(agent, "base", None)) is not None and (base.conflicts or base.evicted)
    ]


def build_workload(
    plan: Plan, *, progress: ProgressSink, scheduler: SlotScheduler | None = None
) -> Workload:
    """Make the agents of a plan and encode all samples in batches.

    Args:
        plan: what to simulate.
        progress: where to report.
        scheduler: instead of the registered one that the scenario names.
    """
    scenario = plan.scenario
    ledger = Ledger()
    profile = _profile(scenario, scenario.ues.profile)
    edge_profile = _profile(scenario, scenario.models.edge_profile)
    book = Book()
    trainers, services = _trainers(plan, book, profile)
    semantic: list[tuple[Flow, SemanticTraffic]] = [
        (flow, flow.traffic)
        for flow in plan.flows
        if isinstance(flow.traffic, SemanticTraffic) and flow.direction == "ul"
    ]
    answered = feedback_flows(plan)
    codecs = TrafficCodecs(scenario)
    tasks = {traffic.task: get_task(traffic.task) for _, traffic in semantic}
    sources: list[SemanticSource] = []
    battery_j = scenario.ues.battery_j
    batteries = {
        flow.ue: Battery(math.inf if battery_j is None else battery_j) for flow, _ in semantic
    }
    for flow, traffic in semantic:
        service = services.get(traffic.task) if traffic.codec == SERVICE_CODEC else None
        codec = service or codecs.get(traffic)
        samples = tasks[traffic.task].test
        arrivals_s = plan.arrivals_s(flow)
        chosen = plan.sample_indices(flow, len(arrivals_s), len(samples))
        kind, extra = source_kind(flow, answered, edge_profile, scenario.run.duration_s)
        sources.append(
            kind(
                node=flow.ue,
                flow=flow.number,
                arrivals_s=arrivals_s,
                samples=[samples[int(i)] for i in chosen],
                codec=codec,
                task=traffic.task,
                rung=traffic.rung,
                budget_bytes=traffic.budget_bytes,
                profile=_profile(scenario, scenario.ues.profile_of(flow.ue)),
                deadline_s=traffic.deadline_s,
                max_packet_bytes=traffic.max_packet_bytes,
                ledger=ledger,
                packing=traffic.packing,
                delivery=traffic.delivery,
                battery=batteries[flow.ue],
                **extra,
            )
        )
    _encode_all(sources, progress)
    sink = SemanticSink(
        node=plan.edge_node,
        flows=[flow.number for flow, _ in semantic if flow.number not in answered],
        ledger=ledger,
    )
    askers = [
        SemanticAsker(
            node=plan.edge_node,
            flow=flow.number,
            answer_flow=answered[flow.number],
            ledger=ledger,
            profile=edge_profile,
            first_units=None if traffic.adapt_first else traffic.first_units,
            more_units=traffic.more_units,
            patience_s=traffic.patience_s,
        )
        for flow, traffic in semantic
        if flow.number in answered
    ]
    return Workload(
        agents=[*sources, sink, *askers, *trainers, *_user_agents(plan)],
        ledger=ledger,
        evaluator=Evaluator(edge_profile),
        priors={name: task.prior_label for name, task in tasks.items()},
        late_s=max((traffic.deadline_s for _, traffic in semantic), default=0.0),
        utilities=measure_utilities(plan),
        scheduler=scheduler or _python_scheduler(plan),
        book=book,
    )


def _python_scheduler(plan: Plan) -> SlotScheduler | None:
    """Return the scheduler that a plugin has registered, if the scenario names one."""
    scenario = plan.scenario
    mac = scenario.mac
    if "python" not in (mac.scheduler, mac.ul_scheduler):
        return None
    assert mac.python_scheduler is not None  # checked when the scenario was made
    per_part = len(plan.cell_positions_m)
    parts = zip(scenario.carrier.all_parts, scenario.prb_counts, strict=True)
    cells = [(prbs, part.slot_s) for part, prbs in parts for _ in range(per_part)]
    context = SchedulerContext(
        cells=len(cells),
        ues=len(plan.ue_positions_m),
        prbs=tuple(prbs for prbs, _ in cells),
        slot_s=tuple(slot_s for _, slot_s in cells),
        action=mac.python_action,
        seed=plan.seed("scheduler"),
    )
    return make_scheduler(mac.python_scheduler, context)


def _trainers(
    plan: Plan, book: Book, device_profile: DeviceProfile
) -> tuple[list[Agent], dict[str, Codec]]:
    """Return the agents that train or retrieve, and the codec of each task that is trained."""
    agents: list[Agent] = []
    services: dict[str, Codec] = {}
    for entry, traffic in enumerate(plan.scenario.traffic):
        if isinstance(traffic, FinetuningTraffic):
            # Imported here: only runs that train need it.
            from cosim.finetuning import build_trainers
            from models.federated.service import SplitLoraCodec

            edge_profile = _profile(plan.scenario, plan.scenario.models.edge_profile)
            made, setup = build_trainers(
                plan, entry, book=book, device_profile=device_profile, edge_profile=edge_profile
            )
            agents += made
            services[traffic.task] = SplitLoraCodec(setup.bank)
        elif isinstance(traffic, RetrievalTraffic):
            from cosim.retrieval import build_retrievers

            edge_profile = _profile(plan.scenario, plan.scenario.models.edge_profile)
            agents += build_retrievers(
                plan, entry, book=book, device_profile=device_profile, edge_profile=edge_profile
            )
    for agent in agents:
        agent.prepare()
    return agents, services


def _user_agents(plan: Plan) -> list[Agent]:
    """Return the agents of the entries of kind "agent"."""
    agents: list[Agent] = []
    for entry, traffic in enumerate(plan.scenario.traffic):
        if isinstance(traffic, AgentTraffic):
            flows = [flow for flow in plan.flows if flow.entry == entry]
            context = AgentContext(
                edge_node=plan.edge_node,
                uplink={flow.ue: flow.number for flow in flows if flow.direction == "ul"},
                downlink={flow.ue: flow.number for flow in flows if flow.direction == "dl"},
                duration_s=plan.duration_s,
                seed=plan.seed("agents", entry),
                options=traffic.options,
            )
            agents += make_agents(traffic.agent, context)
    for agent in agents:
        agent.prepare()
    return agents


def _profile(scenario: Scenario, name: str) -> DeviceProfile:
    """Return a device profile with the scenario's changes to it."""
    changes = scenario.profiles.get(name)
    profile = get_profile(name)
    return (
        dataclasses.replace(profile, **changes.model_dump(exclude_none=True))
        if changes
        else profile
    )


def _encode_later(source: SemanticSource) -> None:
    """Let a source encode when it sends: its weights change during the run."""
    from models.federated.service import LazyMessages, SplitLoraCodec

    assert isinstance(source.codec, SplitLoraCodec)
    source.set_encoded(
        LazyMessages(
            source.codec,
            source.node,
            source.samples,
            task=source.task,
            rung=source.rung,
            budget_bytes=source.budget_bytes,
        )
    )


def _encode_all(sources: list[SemanticSource], progress: ProgressSink) -> None:
    """Encode the samples of all sources that share codec, task, rung and budget together."""
    groups: dict[tuple[int, str, str, int | None], list[SemanticSource]] = defaultdict(list)
    for source in sources:
        if source.codec.name == SERVICE_CODEC:
            _encode_later(source)
            continue
        for rung in source.rungs:
            groups[(id(source.codec), source.task, rung, source.budget_bytes)].append(source)
    total = sum(len(source.samples) for group in groups.values() for source in group)
    progress.phase("encoding", total)
    for (_, task, rung, budget_bytes), group in groups.items():
        samples = [sample for source in group for sample in source.samples]
        encoded = []
        for first in range(0, len(samples), ENCODE_BATCH):
            batch = samples[first : first + ENCODE_BATCH]
            encoded += group[0].codec.encode(batch, task=task, rung=rung, budget_bytes=budget_bytes)
            progress.step(len(batch))
        bounds = np.cumsum([0, *(len(source.samples) for source in group)])
        for source, first, last in zip(group, bounds[:-1], bounds[1:], strict=True):
            source.set_encoded(encoded[first:last], rung)
