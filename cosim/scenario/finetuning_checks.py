# SPDX-License-Identifier: MIT
"""Checks between the fields of [[traffic]] entries of kind "finetuning"."""

from collections.abc import Iterator

from cosim.scenario.errors import Problem, show
from cosim.scenario.finetuning import FinetuningTraffic
from cosim.scenario.model import Scenario
from cosim.scenario.traffic import SemanticTraffic

OWN_SERVER_MODEL = ("splitfed-v1", "federated")
"""Designs in which a client's result has all trained values."""


def problems(scenario: Scenario, traffic: FinetuningTraffic, at: str) -> Iterator[Problem]:
    """Return what does not fit together in one entry."""
    if traffic.first_layer >= traffic.last_layer:
        yield Problem(
            f"{at}.first_layer",
            show(traffic.first_layer),
            f"below {at}.last_layer = {traffic.last_layer}",
        )
    elif traffic.design.startswith("split") and not (
        traffic.first_layer < traffic.cut_layer <= traffic.last_layer
    ):
        yield Problem(
            f"{at}.cut_layer",
            show(traffic.cut_layer),
            f"above first_layer = {traffic.first_layer}, or the device has nothing to train, and "
            f"at most last_layer = {traffic.last_layer}",
        )
    yield from _compression(traffic, at)
    clients = scenario.ues.count if traffic.ues == "all" else len(traffic.ues)
    if traffic.ranks is not None:
        if len(traffic.ranks) != clients:
            yield Problem(
                f"{at}.ranks", f"{len(traffic.ranks)} ranks", f"one for each of {clients} clients"
            )
        if any(not 1 <= rank <= traffic.rank for rank in traffic.ranks):
            yield Problem(
                f"{at}.ranks", show(traffic.ranks), f"each 1 to {at}.rank = {traffic.rank}"
            )
    yield from _cuts(traffic, clients, at)
    for number, (ue, at_s) in enumerate(traffic.switched_off):
        there = range(scenario.ues.count) if traffic.ues == "all" else traffic.ues
        if ue not in there or at_s < 0:
            yield Problem(
                f"{at}.switched_off.{number}",
                f"[{ue}, {at_s:g}]",
                "a UE of this entry and a time of 0 or later",
            )
    yield from _design(traffic, at)
    if traffic.start_s >= scenario.run.duration_s:
        yield Problem(
            f"{at}.start_s",
            show(traffic.start_s),
            f"before the end of the run, run.duration_s = {scenario.run.duration_s:g}",
        )


def _cuts(traffic: FinetuningTraffic, clients: int, at: str) -> Iterator[Problem]:
    for name in ("cut_layers", "memory_mb"):
        value = getattr(traffic, name)
        if value is not None and len(value) != clients:
            yield Problem(
                f"{at}.{name}", f"{len(value)} values", f"one for each of {clients} clients"
            )
    own = traffic.cut_layers is not None or traffic.adapt_cut
    name = "adapt_cut" if traffic.adapt_cut else "cut_layers"
    if own and not traffic.design.startswith("split"):
        yield Problem(
            f"{at}.{name}",
            show(getattr(traffic, name)),
            f"only with a split design: with {traffic.design} nothing is cut",
        )
    if any(not traffic.first_layer < c <= traffic.last_layer for c in traffic.cut_layers or ()):
        yield Problem(
            f"{at}.cut_layers",
            show(traffic.cut_layers),
            f"each above first_layer = {traffic.first_layer} and at most last_layer = "
            f"{traffic.last_layer}",
        )
    if traffic.adapt_cut and traffic.round_deadline_s is None:
        yield Problem(
            f"{at}.adapt_cut", "true", "with a round_deadline_s, into which a round is to fit"
        )
    if traffic.memory_mb is not None and (
        not (traffic.adapt_cut or traffic.adapt_rank) or any(m <= 0 for m in traffic.memory_mb)
    ):
        yield Problem(
            f"{at}.memory_mb",
            show(traffic.memory_mb),
            "above 0, and only with adapt_cut = true or adapt_rank = true",
        )


def _compression(traffic: FinetuningTraffic, at: str) -> Iterator[Problem]:
    from models.federated.scheme import SmashedError, parse_scheme

    try:
        codec = parse_scheme(traffic.compression)
    except SmashedError as error:
        text = str(error).partition(": ")[2] or str(error)
        yield Problem(f"{at}.compression", show(traffic.compression), text)
        return
    if codec.lossless and traffic.transport == "lossy":
        yield Problem(
            f"{at}.compression",
            show(traffic.compression),
            'without -zstd, which joins all rows, if transport = "lossy"',
        )


def _design(traffic: FinetuningTraffic, at: str) -> Iterator[Problem]:
    design, aggregator = traffic.design, traffic.aggregator
    if aggregator in ("async", "clustered") and design not in OWN_SERVER_MODEL:
        yield Problem(
            f"{at}.aggregator",
            show(aggregator),
            f"only with design {' or '.join(OWN_SERVER_MODEL)}: {design} has one server model",
        )
    if aggregator == "async" and traffic.round_deadline_s is not None:
        yield Problem(
            f"{at}.round_deadline_s",
            show(traffic.round_deadline_s),
            'none with aggregator = "async": nobody waits for anybody',
        )
    if traffic.labels_at == "device" and design not in OWN_SERVER_MODEL:
        yield Problem(
            f"{at}.labels_at",
            '"device"',
            f'"edge" with design = "{design}": between the two halves of one client\'s step '
            "another's would change the server model",
        )


def service_problems(scenario: Scenario, traffic: SemanticTraffic, at: str) -> Iterator[Problem]:
    """Return what keeps a semantic entry from using weights that the run trains."""
    trained = [
        t for t in scenario.traffic if isinstance(t, FinetuningTraffic) and t.task == traffic.task
    ]
    if len(trained) != 1:
        yield Problem(
            f"{at}.codec",
            show(traffic.codec),
            f'needs one [[traffic]] entry of kind "finetuning" with task = {show(traffic.task)}; '
            f"there are {len(trained)}",
        )
        return
    entry = trained[0]
    wanted = set(range(scenario.ues.count)) if traffic.ues == "all" else set(traffic.ues)
    there = set(range(scenario.ues.count)) if entry.ues == "all" else set(entry.ues)
    if not wanted <= there:
        yield Problem(
            f"{at}.ues", show(traffic.ues), "UEs that the entry of kind finetuning has too"
        )
    uneven = entry.ranks is not None or entry.adapt_rank
    if not entry.design.startswith("split") or entry.aggregator == "clustered" or uneven:
        yield Problem(
            f"{at}.codec",
            show(traffic.codec),
            "the fine-tuning entry must have a split design, no clusters and one rank for all",
        )
