# SPDX-License-Identifier: MIT
"""The edge server's knowledge base: answers questions, tells what is newer, takes offers."""

import struct
from collections.abc import Sequence
from dataclasses import replace

from cosim.agents.arq import Delivery
from cosim.agents.retriever_setup import (
    DIGEST,
    HEADER,
    MAX_DIGEST_ENTRIES,
    MAX_QUESTION_BYTES,
    Kind,
    RetrievalSetup,
)
from cosim.agents.transport import Peer, TransportAgent
from models.retrieval.base import ConflictError, KnowledgeBase, missing_from
from models.retrieval.entry import Entry, EntryError, join, pack_entries, unpack_entries
from models.retrieval.references import decode_report, encode_report


class RetrieverServer(TransportAgent):
    """Serves the UEs' retrieval.

    Args:
        node: the edge server.
        peers: the UEs.
        setup: what all agents of the entry share.
        base: the global knowledge base.
        changes: (simulated time, key, new value) of facts that change, in order of time; without
            a value they are deleted.

    Attributes:
        refused: entries and messages that were not accepted, with reasons.
    """

    def __init__(
        self,
        *,
        node: int,
        peers: Sequence[Peer],
        setup: RetrievalSetup,
        base: KnowledgeBase,
        changes: Sequence[tuple[float, int, str | None]] = (),
    ) -> None:
        super().__init__(node=node, peers=peers, endpoint=setup.endpoint)
        self._setup, self.base, self._changes = setup, base, list(changes)
        self._free_s = 0.0
        self.refused: list[str] = []

    def started(self) -> None:
        """Plan the changes of facts."""
        for at_s, key, value in self._changes:
            self.later(at_s, lambda k=key, v=value: self._change(k, v))  # type: ignore[misc]

    def _change(self, key: int, value: str | None) -> None:
        if value is None:
            self.base.delete(key, now_s=self.now_s)
        else:
            self.base.change(key, value, now_s=self.now_s)
        self._setup.world.change(key, value, self.now_s)

    def message(self, peer: int, delivery: Delivery) -> None:
        """Take a message of a UE."""
        data = delivery.data
        try:
            if len(data) < HEADER.size:
                raise EntryError("a message without a header")
            kind, number = HEADER.unpack_from(data)
            body = data[HEADER.size :]
            if kind == Kind.QUESTION:
                self._take_question(peer, number, body)
            elif kind == Kind.DIGEST:
                self._take_digest(peer, number, body)
            elif kind == Kind.OFFER:
                self._take_offer(peer, number, body)
            elif kind == Kind.REPORT:
                report = decode_report(body, self.base, now_s=self.now_s)
                self.refused += [f"UE {peer}: {reason}" for reason in report.refused]
                wanted = struct.pack(f"<{len(report.wanted)}Q", *report.wanted)
                self._reply(peer, Kind.WANTED, number, wanted, 0.0)
            else:
                raise EntryError(f"a message of kind {kind} to the edge server")
        except (EntryError, UnicodeDecodeError) as error:
            self.refused.append(f"UE {peer}: {error}")

    def _take_question(self, peer: int, number: int, body: bytes) -> None:
        if len(body) > MAX_QUESTION_BYTES:
            raise EntryError(f"a question of {len(body)} bytes, at most {MAX_QUESTION_BYTES}")
        question = body.decode()
        setup = self._setup
        cost = [setup.encoder.cost(question), self.base.search_cost()]
        delay_s = self._busy(sum(setup.edge_profile.latency_s(*c) for c in cost))

        def answer() -> None:
            found = self.base.search(question, now_s=self.now_s)
            similarity = found[0].similarity if found else 0.0
            entries = pack_entries([match.entry for match in found])
            self._reply(peer, Kind.FOUND, number, struct.pack("<f", similarity) + entries, 0.0)

        self.later(delay_s, answer)

    def _take_digest(self, peer: int, number: int, body: bytes) -> None:
        if len(body) % DIGEST.size or len(body) > MAX_DIGEST_ENTRIES * DIGEST.size:
            raise EntryError(f"a digest of {len(body)} bytes")
        theirs: dict[int, int] = dict(DIGEST.iter_unpack(body))
        # Of what it has in another version the difference is sent; the mark is no version.
        known = dict.fromkeys(theirs, -1) if self._setup.references else {}
        newer = encode_report(missing_from(theirs, self.base), known)
        self._reply(peer, Kind.NEWER, number, newer, 0.0)

    def _take_offer(self, peer: int, number: int, body: bytes) -> None:
        entries, refused = unpack_entries(body, now_s=self.now_s)
        taken = 0
        for entry in entries:
            try:
                said = self._attributed(peer, entry)
                taken += self.base.merge(said, now_s=self.now_s)
            except (EntryError, ConflictError) as error:
                refused.append(str(error))
        self.refused += [f"UE {peer}: {reason}" for reason in refused]
        self._reply(peer, Kind.TAKEN, number, struct.pack("<HH", taken, len(refused)), 0.0)

    def _attributed(self, peer: int, entry: Entry) -> Entry:
        """Return what an offer says on its own account.

        A UE may state what it changed itself. Where another's change was decided to hold over its
        own, it passes that one on with both in the version vector: taken from it is only that its
        own change is decided, for the value is here already, or a later one is.

        Raises:
            EntryError: it speaks for another node.
        """
        have = self.base.get(entry.key)
        known = have.clock if have is not None else {}
        foreign = f"an entry of node {entry.origin}, offered by another"
        if entry.origin != peer and (have is None or have.origin == self.base.node):
            raise EntryError(foreign)
        for node, count in sorted(entry.clock.items()):
            if node != peer and count > known.get(node, 0):
                raise EntryError(f"it counts changes by node {node} that are not known of")
        if have is None or entry.origin == peer:
            return entry
        behind = any(entry.clock.get(n, 0) < c for n, c in known.items() if n != peer)
        if peer not in entry.clock or not (behind or replace(entry, clock=known) == have):
            raise EntryError(foreign)
        return replace(have, clock=join(known, {peer: entry.clock[peer]}))

    def _reply(self, peer: int, kind: Kind, number: int, body: bytes, delay_s: float) -> None:
        data = HEADER.pack(kind, number) + body
        if delay_s:
            self.later(delay_s, lambda: self.send(peer, data))
        else:
            self.send(peer, data)

    def _busy(self, latency_s: float) -> float:
        self._free_s = max(self.now_s, self._free_s) + latency_s
        return self._free_s - self.now_s
