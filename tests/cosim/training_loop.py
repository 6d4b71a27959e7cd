# SPDX-License-Identifier: MIT
"""Fine-tuning agents in an event loop without ns-3."""

import importlib.util
from pathlib import Path

import pandas as pd

from cosim.agents.book import Book
from cosim.finetuning import build_trainers
from cosim.plan import make_plan
from cosim.scenario.loader import validate
from models.compression import get_profile
from models.federated import SplitModel, SplitSpec, get_strategy
from models.federated.reference import choose_samples, run_round

_spec = importlib.util.spec_from_file_location(
    "agent_loop", Path(__file__).with_name("agent_loop.py")
)
agent_loop = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(agent_loop)

ENTRY = {
    "kind": "finetuning", "task": "topic", "rounds": 2, "local_steps": 2, "batch": 3,
    "samples_per_client": 6, "first_layer": 1, "cut_layer": 2, "last_layer": 3, "rank": 2,
    "max_tokens": 8, "evaluate_samples": 6, "compression": "float32",
}  # fmt: skip


def scenario_of(clients=2, **options):
    return validate(
        {
            "name": "t",
            "run": {"duration_s": 300.0},
            "channel": {"model": "constant", "gain_db": -90.0},
            "ues": {"count": clients},
            "traffic": [{**ENTRY, **options}],
        }
    )


def small_model():
    spec = SplitSpec(first=1, cut=2, last=3, rank=2, labels=6)
    return SplitModel(spec, precision="float32")


def make(model, clients=2, loop=None, **options):
    plan, book = make_plan(scenario_of(clients, **options)), Book()
    agents, setup = build_trainers(
        plan, 0, book=book, device_profile=get_profile("phone"),
        edge_profile=get_profile("edge-server"), model=model,
    )  # fmt: skip
    for agent in agents:
        agent.prepare()
    routes = {
        flow.number: (flow.ue, plan.edge_node)
        if flow.direction == "ul"
        else (plan.edge_node, flow.ue)
        for flow in plan.flows
    }
    return agents, setup, agent_loop.AgentLoop(agents, routes, **(loop or {}))


def rounds_of(setup):
    """Return the rows of `rounds` once the run is over."""
    setup.book.close()
    parts = [pd.DataFrame(columns) for table, columns in setup.book.take() if table == "rounds"]
    return pd.concat(parts, ignore_index=True)


def reference(setup, agents, cuts=None):
    """The same rounds in memory."""
    start = setup.model.initial(1)
    data = {a.node: setup.model.corpus(setup.samples[a.node], 8) for a in agents[:-1]}
    strategy = get_strategy("fedavg", start, 2)
    strategy.tensors = setup.bank.at_edge(0)
    for number in range(setup.rounds):
        batches = {
            c: choose_samples(setup.rng("batches", c, number), len(data[c]), setup.work)
            for c in data
        }
        run_round("splitfed-v1", strategy, setup.model, data, batches, setup.work, cuts)
    return strategy.tensors
