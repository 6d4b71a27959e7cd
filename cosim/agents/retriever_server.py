# SPDX-License-Identifier: MIT
"""The edge server's knowledge base: answers questions, tells what is newer, takes offers."""

import struct
from collections.abc import Sequence

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
from models.retrieval.entry import EntryError, pack_entries, unpack_entries
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
        theirs = dict(DIGEST.iter_unpack(body))
        known = theirs if self._setup.references else {}
        newer = encode_report(missing_from(theirs, self.base), known)
        self._reply(peer, Kind.NEWER, number, newer, 0.0)

    def _take_offer(self, peer: int, number: int, body: bytes) -> None:
        entries, refused = unpack_entries(body, now_s=self.now_s)
        taken = 0
        for entry in entries:
            if entry.origin != peer:
                refused.append(f"an entry of node {entry.origin}, offered by another")
                continue
            try:
                taken += self.base.merge(entry, now_s=self.now_s)
            except (EntryError, ConflictError) as error:
                refused.append(str(error))
        self.refused += [f"UE {peer}: {reason}" for reason in refused]
        self._reply(peer, Kind.TAKEN, number, struct.pack("<HH", taken, len(refused)), 0.0)

    def _reply(self, peer: int, kind: Kind, number: int, body: bytes, delay_s: float) -> None:
        data = HEADER.pack(kind, number) + body
        if delay_s:
            self.later(delay_s, lambda: self.send(peer, data))
        else:
            self.send(peer, data)

    def _busy(self, latency_s: float) -> float:
        self._free_s = max(self.now_s, self._free_s) + latency_s
        return self._free_s - self.now_s
