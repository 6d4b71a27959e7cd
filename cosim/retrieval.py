# SPDX-License-Identifier: MIT
"""From [[traffic]] entries of kind "retrieval" to knowledge bases and the agents that use them."""

from collections.abc import Sequence

import numpy as np

from cosim.agents.api import Agent
from cosim.agents.arq import ArqEndpoint
from cosim.agents.book import Book
from cosim.agents.retriever_client import RetrieverClient
from cosim.agents.retriever_server import RetrieverServer
from cosim.agents.retriever_setup import (
    CostlyEncoder,
    QuestionAnswerer,
    RetrievalSetup,
    World,
)
from cosim.agents.transport import Peer
from cosim.plan import Plan
from cosim.scenario import RetrievalTraffic
from cosim.seeding import generator
from models.compression import DeviceProfile
from models.retrieval import Entry, Fact, KnowledgeBase, load_facts
from models.retrieval.facts import DOMAINS

MAX_CLOCK_NODE = 0xFFFF


def build_retrievers(
    plan: Plan,
    entry: int,
    *,
    book: Book,
    device_profile: DeviceProfile,
    edge_profile: DeviceProfile,
    encoder: CostlyEncoder | None = None,
    answerer: QuestionAnswerer | None = None,
) -> list[Agent]:
    """Return the agents of one entry.

    Args:
        plan: of the run.
        entry: number of the [[traffic]] entry.
        book: where `retrievals` rows go.
        device_profile: of the UEs.
        edge_profile: of the edge server.
        encoder: in place of MiniLM.
        answerer: in place of SmolLM2.

    Raises:
        AssetError: a package with facts or weights is not in the cache.
        ValueError: fewer facts than asked for.
    """
    traffic = plan.scenario.traffic[entry]
    assert isinstance(traffic, RetrievalTraffic)
    if encoder is None:
        from models.retrieval.encoder import load_encoder

        encoder = load_encoder()
    if traffic.answer and answerer is None:
        from models.retrieval.answerer import load_answerer

        answerer = load_answerer()
    flows = [flow for flow in plan.flows if flow.entry == entry]
    up = {flow.ue: flow.number for flow in flows if flow.direction == "ul"}
    down = {flow.ue: flow.number for flow in flows if flow.direction == "dl"}
    clients = sorted(up)
    setup = RetrievalSetup(
        base=traffic.base,
        threshold=traffic.threshold,
        sync=traffic.sync,
        sync_period_s=traffic.sync_period_s,
        upload_uses=traffic.upload_uses,
        references=traffic.references,
        encoder=encoder,
        answerer=answerer if traffic.answer else None,
        world=World(),
        book=book,
        device_profile=device_profile,
        edge_profile=edge_profile,
        duration_s=plan.duration_s,
        endpoint=lambda: ArqEndpoint(max_packet_bytes=traffic.max_packet_bytes),
    )
    return _Builder(plan, entry, traffic, clients, setup).agents(up, down)


class _Builder:
    """Draws who knows, asks and states what; facts are in order of popularity."""

    def __init__(
        self,
        plan: Plan,
        entry: int,
        traffic: RetrievalTraffic,
        clients: Sequence[int],
        setup: RetrievalSetup,
    ) -> None:
        self._plan, self._traffic, self._clients, self._setup = plan, traffic, clients, setup
        self._seed = plan.seed("retrieval", entry)
        self._edge = min(plan.edge_node, MAX_CLOCK_NODE)
        count = traffic.global_entries + traffic.own_entries * len(clients)
        domains = DOMAINS if traffic.domain == "both" else (traffic.domain,)
        self._facts = self._choose(domains, count)
        values: dict[str, list[str]] = {}
        for fact in self._facts:
            values.setdefault(fact.relation, []).append(fact.value)
        self._values = values

    def _rng(self, *names: str | int) -> np.random.Generator:
        return generator(self._seed, *names)

    def _choose(self, domains: Sequence[str], count: int) -> list[Fact]:
        pool = [fact for domain in domains for fact in load_facts(domain)]
        if count > len(pool):
            raise ValueError(f"{count} facts about {', '.join(domains)}: there are {len(pool)}")
        order = generator(self._seed, "facts", *domains).permutation(len(pool))[:count]
        return [pool[n] for n in order]

    def agents(self, up: dict[int, int], down: dict[int, int]) -> list[Agent]:
        traffic, setup, edge = self._traffic, self._setup, self._edge
        shared = self._facts[: traffic.global_entries]
        base = KnowledgeBase(setup.encoder, node=edge, trusted=[edge])
        for fact in self._facts:
            setup.world.truth[Entry(fact).key] = fact.value
        for fact in shared:
            # Count 2: of what a stale base holds, count 1 is left.
            base.merge(Entry(fact, {edge: 2}, 0.0, edge), now_s=0.0)
        out: list[Agent] = []
        for index, ue in enumerate(self._clients):
            out.append(
                self._client(index, ue, shared, Peer(self._plan.edge_node, up[ue], down[ue]))
            )
        server = RetrieverServer(
            node=self._plan.edge_node,
            peers=[Peer(ue, down[ue], up[ue]) for ue in self._clients],
            setup=setup,
            base=base,
            changes=self._changes(shared),
        )
        if traffic.base not in ("off", "oracle"):
            setup.encoder.encode([fact.sentence for fact in self._facts])  # all in batches
            setup.encoder.encode([fact.question for fact in self._facts])
        return [*out, server]

    def _client(self, index: int, ue: int, shared: list[Fact], peer: Peer) -> Agent:
        traffic, setup = self._traffic, self._setup
        base = KnowledgeBase(
            setup.encoder, node=ue, memory_bytes=traffic.memory_bytes, trusted=[self._edge]
        )
        for held in self._held(ue, shared):
            base.merge(held, now_s=0.0)
        own = self._own(index)
        for fact in own:
            base.merge(Entry(fact, {ue: 1}, 0.0, ue), now_s=0.0)
        horizon_s = self._plan.scenario.run.duration_s
        rng = self._rng("questions", ue)
        times = _poisson(rng, traffic.rate_hz, horizon_s)
        weight = (1.0 + np.arange(len(self._facts))) ** -traffic.popularity
        chosen = rng.choice(len(self._facts), len(times), p=weight / weight.sum())
        reports = []
        rng = self._rng("reports", ue)
        keys = [entry.key for entry in base.entries()]
        for at_s in _poisson(rng, traffic.report_rate_hz, horizon_s):
            if keys:
                size = min(traffic.report_facts, len(keys))
                picked = rng.choice(len(keys), size, replace=False)
                reports.append((at_s, tuple(keys[int(n)] for n in picked)))
        return RetrieverClient(
            node=ue,
            peer=peer,
            setup=setup,
            base=base,
            questions=[(t, self._facts[int(n)]) for t, n in zip(times, chosen, strict=True)],
            reports=reports,
            own=[Entry(fact).key for fact in own],
            changes=self._own_changes(ue, own),
        )

    def _own(self, index: int) -> list[Fact]:
        """Return a UE's own facts: each UE's are also those of the `own_holders` - 1 next ones."""
        traffic, out = self._traffic, list[Fact]()
        for back in range(traffic.own_holders):
            number = (index - back) % len(self._clients)
            first = traffic.global_entries + number * traffic.own_entries
            out += self._facts[first : first + traffic.own_entries]
        return out

    def _own_changes(self, ue: int, own: Sequence[Fact]) -> list[tuple[float, int, str]]:
        """Return when which own fact gets another value at a UE."""
        out, rng = [], self._rng("own changes", ue)
        horizon_s = self._plan.scenario.run.duration_s
        for at_s in _poisson(rng, self._traffic.own_change_rate_hz if own else 0.0, horizon_s):
            fact = own[int(rng.integers(len(own)))]
            value = self._other_value(fact, rng)
            if value is not None:
                out.append((at_s, Entry(fact).key, value))
        return out

    def _held(self, ue: int, shared: list[Fact]) -> list[Entry]:
        """Return what a UE knows at the start: the most popular facts, some of an old version."""
        traffic, edge, world = self._traffic, self._edge, self._setup.world
        if traffic.mismatched:
            other = [d for d in DOMAINS if d != traffic.domain] or list(DOMAINS)
            facts = self._choose(other, min(traffic.local_entries, len(load_facts(other[0]))))
            return [Entry(fact, {edge: 2}, 0.0, edge) for fact in facts]
        rng = self._rng("stale", ue)
        out = []
        for fact in shared[: traffic.local_entries]:
            old = self._other_value(fact, rng)
            if rng.random() < traffic.stale_share and old is not None:
                stale = Entry(Fact(fact.subject, fact.relation, old), {edge: 1}, 0.0, edge)
                world.outdated_s[stale.key, old] = 0.0
                out.append(stale)
            else:
                out.append(Entry(fact, {edge: 2}, 0.0, edge))
        return out

    def _other_value(self, fact: Fact, rng: np.random.Generator) -> str | None:
        """Return the value of another fact of the same relation, as if it had been so once."""
        others = [value for value in self._values[fact.relation] if value != fact.value]
        return others[int(rng.integers(len(others)))] if others else None

    def _changes(self, shared: list[Fact]) -> list[tuple[float, int, str | None]]:
        """Return when which fact gets another value, or none: it is deleted."""
        traffic = self._traffic
        # Popular facts change as often as they are asked for: what matters goes stale.
        weight = (1.0 + np.arange(len(shared))) ** -traffic.popularity
        share = weight / weight.sum()
        out: list[tuple[float, int, str | None]] = []
        for name, rate_hz in (
            ("changes", traffic.change_rate_hz),
            ("deletions", traffic.delete_rate_hz),
        ):
            rng = self._rng(name)
            for at_s in _poisson(rng, rate_hz, self._plan.scenario.run.duration_s):
                fact = shared[int(rng.choice(len(shared), p=share))]
                value = self._other_value(fact, rng) if name == "changes" else None
                if value is not None or name == "deletions":
                    out.append((at_s, Entry(fact).key, value))
        return sorted(out, key=lambda change: change[0])


def _poisson(rng: np.random.Generator, rate_hz: float, horizon_s: float) -> list[float]:
    count = rng.poisson(rate_hz * horizon_s)
    return [float(t) for t in np.sort(rng.uniform(0.0, horizon_s, count))]
