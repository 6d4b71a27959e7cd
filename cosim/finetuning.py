# SPDX-License-Identifier: MIT
"""From [[traffic]] entries of kind "finetuning" to the agents that train."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch

from cosim.agents.api import Agent
from cosim.agents.arq import ArqEndpoint
from cosim.agents.book import Book
from cosim.agents.trainer_client import TrainerClient
from cosim.agents.trainer_server import TrainerServer
from cosim.agents.trainer_setup import TrainingSetup
from cosim.agents.transport import Peer
from cosim.plan import Plan
from cosim.scenario import FinetuningTraffic
from cosim.seeding import generator
from models.compression import DeviceProfile
from models.federated import SplitModel, SplitSpec, dirichlet_partition, get_strategy
from models.federated.placement import Placement
from models.federated.reference import LocalWork
from models.federated.selection import select_clients
from models.federated.service import ServiceBank
from models.federated.smashed import parse_smashed
from models.tasks import Sample, Task, get_task

ADMIT_FACTOR = 8
"""Candidates a needed sample: a partition with few labels a client needs a choice."""


def build_trainers(
    plan: Plan,
    entry: int,
    *,
    book: Book,
    device_profile: DeviceProfile,
    edge_profile: DeviceProfile,
    model: SplitModel | None = None,
) -> tuple[list[Agent], TrainingSetup]:
    """Return the agents of one entry and what they share.

    Args:
        plan: of the run.
        entry: number of the [[traffic]] entry.
        book: where `rounds` rows go.
        device_profile: of the UEs.
        edge_profile: of the edge server.
        model: in place of the project's own language model.
    """
    traffic = plan.scenario.traffic[entry]
    assert isinstance(traffic, FinetuningTraffic)
    torch.set_num_threads(plan.scenario.models.threads)
    flows = [flow for flow in plan.flows if flow.entry == entry]
    up = {flow.ue: flow.number for flow in flows if flow.direction == "ul"}
    down = {flow.ue: flow.number for flow in flows if flow.direction == "dl"}
    clients = sorted(up)
    setup = _setup(plan, entry, traffic, clients, book, device_profile, edge_profile, model)
    trainers = [
        TrainerClient(node=ue, peer=Peer(plan.edge_node, up[ue], down[ue]), setup=setup)
        for ue in clients
    ]
    server = TrainerServer(
        node=plan.edge_node,
        peers=[Peer(ue, down[ue], up[ue]) for ue in clients],
        setup=setup,
        client_ends={t.node: t.endpoints[plan.edge_node] for t in trainers},
    )
    return [*trainers, server], setup


def _setup(
    plan: Plan,
    entry: int,
    traffic: FinetuningTraffic,
    clients: Sequence[int],
    book: Book,
    device_profile: DeviceProfile,
    edge_profile: DeviceProfile,
    model: SplitModel | None,
) -> TrainingSetup:
    task = get_task(traffic.task)
    seed = plan.seed("finetuning", entry)
    spec = split_spec(traffic, len(task.labels))
    model = model.with_spec(spec) if model else SplitModel(spec)
    initial = model.initial(plan.seed("finetuning", entry, "initial", bits=31))
    strategy = get_strategy(traffic.aggregator, initial, traffic.rank)
    deadline_s = traffic.round_deadline_s
    limit_s = float("inf") if deadline_s is None else deadline_s
    choices = generator(seed, "selection")

    def choose(
        candidates: Sequence[int], rate_bps: Mapping[int, float], round_s: Mapping[int, float]
    ) -> list[int]:
        return select_clients(
            traffic.selection,
            candidates,
            traffic.participants or len(candidates),
            rng=choices,
            rate_bps=rate_bps,
            round_s=round_s,
            deadline_s=limit_s,
        )

    test = None
    if traffic.evaluate_samples:
        test = model.corpus(task.test[: traffic.evaluate_samples], traffic.max_tokens)
    ranks = traffic.ranks or (traffic.rank,) * len(clients)
    cuts = dict(zip(clients, traffic.cut_layers or (spec.cut,) * len(clients), strict=True))
    placement = Placement(
        model=model,
        profile=device_profile,
        rank=traffic.rank,
        tokens=traffic.batch * traffic.max_tokens,
        steps=traffic.local_steps,
        bytes_per_weight=2 if traffic.weight_type == "bfloat16" else 4,
    )
    deepest: dict[int, int] = {}
    if traffic.adapt_cut:
        deepest = _deepest(placement, traffic, clients, f"traffic.{entry}")
        cuts = {client: min(cut, deepest[client]) for client, cut in cuts.items()}
    return TrainingSetup(
        entry=entry,
        design=traffic.design,
        model=model,
        samples=client_samples(task, traffic, clients, generator(seed, "partition")),
        max_tokens=traffic.max_tokens,
        ranks=dict(zip(clients, ranks, strict=True)),
        cuts=cuts,
        placement=placement if traffic.adapt_cut else None,
        deepest=deepest,
        off_s=dict(traffic.switched_off),
        codec=parse_smashed(traffic.compression),
        work=LocalWork(
            steps=traffic.local_steps, batch=traffic.batch, learning_rate=traffic.learning_rate
        ),
        rounds=traffic.rounds,
        choose=choose,
        strategy=strategy,
        bank=ServiceBank(model, initial, traffic.max_tokens),
        book=book,
        test=test,
        evaluate_every=traffic.evaluate_every,
        adapt_rank=traffic.adapt_rank,
        fitting=_fitting(placement, traffic, clients) if traffic.adapt_rank else None,
        keep_tokens=traffic.keep_tokens,
        error_feedback=traffic.error_feedback,
        lossy=traffic.transport == "lossy",
        weight_type={"float32": torch.float32, "bfloat16": torch.bfloat16}[traffic.weight_type],
        round_deadline_s=limit_s,
        absent_s=traffic.absent_after_s,
        use_late=traffic.late == "use",
        start_s=traffic.start_s,
        stop_when_done=traffic.stop_when_done,
        device_profile=device_profile,
        edge_profile=edge_profile,
        seed=seed,
        endpoint=lambda: ArqEndpoint(
            max_packet_bytes=traffic.max_packet_bytes, window_bytes=traffic.window_bytes
        ),
    )


def _deepest(
    placement: Placement, traffic: FinetuningTraffic, clients: Sequence[int], at: str
) -> dict[int, int]:
    """Return the most layers that fit into each client's memory.

    Args:
        placement: with which it is counted.
        traffic: the entry.
        clients: its UEs, ascending.
        at: the entry's name in messages.

    Raises:
        ValueError: nothing fits.
    """
    out = {}
    for client, memory_bytes in _memory_bytes(placement, traffic, clients).items():
        try:
            out[client] = placement.deepest(memory_bytes)
        except ValueError as error:
            more = f"{at}.memory_mb" if traffic.memory_mb else f"ues.profile, or {at}.memory_mb"
            raise ValueError(
                f"UE {client} cannot train: {error}; give it more ({more}) or let it do less "
                f"({at}.batch, {at}.max_tokens, {at}.first_layer)"
            ) from None
    return out


def _memory_bytes(
    placement: Placement, traffic: FinetuningTraffic, clients: Sequence[int]
) -> dict[int, float]:
    """Return each client's memory."""
    given = traffic.memory_mb or (placement.profile.memory_bytes / 1e6,) * len(clients)
    return {client: 1e6 * megabytes for client, megabytes in zip(clients, given, strict=True)}


def _fitting(
    placement: Placement, traffic: FinetuningTraffic, clients: Sequence[int]
) -> Callable[[int, int], int]:
    """Return the function that says which rank fits into a client's memory.

    Without a split the device has all layers, wherever the cut is.
    """
    memory_bytes = _memory_bytes(placement, traffic, clients)
    last = None if traffic.design.startswith("split") else traffic.last_layer

    def fitting(client: int, cut: int) -> int:
        return placement.highest_rank(last or cut, memory_bytes[client])

    return fitting


def split_spec(traffic: FinetuningTraffic, labels: int) -> SplitSpec:
    """Return where an entry cuts the model; without a cut on the air its place does not matter."""
    cut = traffic.cut_layer
    if not traffic.design.startswith("split"):
        cut = min(max(cut, traffic.first_layer), traffic.last_layer)
    return SplitSpec(
        first=traffic.first_layer,
        cut=cut,
        last=traffic.last_layer,
        rank=traffic.rank,
        labels=labels,
        head_at_device=traffic.labels_at == "device",
    )


def client_samples(
    task: Task, traffic: FinetuningTraffic, clients: Sequence[int], rng: np.random.Generator
) -> dict[int, list[Sample]]:
    """Return each client's training samples."""
    needed = traffic.samples_per_client * len(clients)
    pool = task.train[: min(len(task.train), ADMIT_FACTOR * needed)]
    parts = dirichlet_partition(
        [sample.label for sample in pool],
        len(clients),
        traffic.samples_per_client,
        traffic.alpha,
        rng,
    )
    return {client: [pool[n] for n in part] for client, part in zip(clients, parts, strict=True)}
