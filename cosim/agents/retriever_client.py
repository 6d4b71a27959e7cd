# SPDX-License-Identifier: MIT
"""A UE that answers questions from its own knowledge base, and asks the edge server on a miss."""

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from cosim.agents.arq import Delivery
from cosim.agents.retriever_setup import DIGEST, HEADER, Kind, RetrievalSetup
from cosim.agents.transport import Peer, TransportAgent
from models.retrieval.base import ConflictError, KnowledgeBase
from models.retrieval.entry import Entry, EntryError, entry_key, pack_entries, unpack_entries
from models.retrieval.facts import Fact
from models.retrieval.references import decode_report, encode_report


@dataclass
class _Exchange:
    kind: Kind
    started_s: float
    bytes_before: int
    fact: Fact | None = None
    stated: tuple[Entry, ...] = ()


class RetrieverClient(TransportAgent):
    """Asks, looks up, reads and answers.

    Args:
        node: the UE.
        peer: the edge server.
        setup: what all agents of the entry share.
        base: its own knowledge base.
        questions: (simulated time, fact that is asked for), in order of time.
        reports: (simulated time, keys of the facts that are stated).
        own: keys of the facts that it has from elsewhere than the edge server.
        changes: (simulated time, key, new value) of own facts that change, in order of time.

    Attributes:
        refused: entries and messages that were not accepted, with reasons.
        unanswered: questions whose answer had not come when the run ended.
    """

    def __init__(
        self,
        *,
        node: int,
        peer: Peer,
        setup: RetrievalSetup,
        base: KnowledgeBase,
        questions: Sequence[tuple[float, Fact]],
        reports: Sequence[tuple[float, tuple[int, ...]]] = (),
        own: Sequence[int] = (),
        changes: Sequence[tuple[float, int, str]] = (),
    ) -> None:
        super().__init__(node=node, peers=[peer], endpoint=setup.endpoint)
        self._edge, self._setup, self.base = peer.node, setup, base
        self._questions, self._reports = list(questions), list(reports)
        self._own, self._changes = set(own), list(changes)
        self._open: dict[int, _Exchange] = {}
        self._numbers = 0
        self._free_s = 0.0
        # What the edge server is known to have: what came from it it had once.
        self._at_edge = {e.key: e.version for e in base.entries() if e.origin == peer.node}
        self.refused: list[str] = []
        setup.book.at_end(self._finish)

    def started(self) -> None:
        """Plan questions, reports and synchronisation."""
        for at_s, fact in self._questions:
            self.later(at_s, lambda fact=fact: self._ask(fact))  # type: ignore[misc]
        for at_s, keys in self._reports:
            self.later(at_s, lambda keys=keys: self._report(keys))  # type: ignore[misc]
        for at_s, key, value in self._changes:
            self.later(at_s, lambda k=key, v=value: self._change(k, v))  # type: ignore[misc]
        setup = self._setup
        if setup.is_periodic:
            # Spread over the period, so that UEs do not ask all at once.
            self.later(setup.sync_period_s * (0.1 + 0.8 * (self.node % 7) / 7), self._synchronise)

    # Questions

    def _ask(self, fact: Fact) -> None:
        setup, asked_s = self._setup, self.now_s
        if setup.base == "off":
            self._answer(fact, None, asked_s, "none", math.nan, 0)
        elif setup.base == "oracle":
            value = setup.world.truth[entry_key(fact.subject, fact.relation)]
            known = value is not None
            right = Entry(Fact(fact.subject, fact.relation, value or ""), {self.node: 1})
            self._answer(fact, right if known else None, asked_s, "local", 1.0, 0)
        elif setup.base == "global":
            self._ask_edge(fact, asked_s)
        else:
            delay_s = self._busy(setup.encoder.cost(fact.question), self.base.search_cost())
            self.later(delay_s, lambda: self._look_up(fact, asked_s))

    def _look_up(self, fact: Fact, asked_s: float) -> None:
        setup = self._setup
        found = self.base.search(fact.question, now_s=self.now_s)
        if found and found[0].similarity >= setup.threshold:
            match = found[0]
            self._answer(fact, match.entry, asked_s, "local", match.similarity, 0)
        elif setup.base == "both":
            self._ask_edge(fact, asked_s)
        else:
            self._answer(fact, None, asked_s, "none", math.nan, 0)

    def _ask_edge(self, fact: Fact, asked_s: float) -> None:
        number = self._begin(Kind.QUESTION, asked_s, fact=fact)
        text = fact.question.encode()
        self.send(self._edge, HEADER.pack(Kind.QUESTION, number) + text)

    def _take_found(self, exchange: _Exchange, body: bytes) -> None:
        assert exchange.fact is not None
        if len(body) < 4:
            raise EntryError("an answer without a cosine")
        (similarity,) = struct.unpack_from("<f", body)
        entries, refused = unpack_entries(body[4:], now_s=self.now_s)
        self.refused += refused
        entry = entries[0] if entries else None
        if entry is not None:
            self._at_edge[entry.key] = entry.version
            if self._setup.keeps_answers:
                self._merge([entry])
        self._answer(
            exchange.fact,
            entry,
            exchange.started_s,
            "global" if entry else "none",
            similarity if entry else math.nan,
            self._bytes() - exchange.bytes_before,
            refused=len(refused),
        )

    def _answer(
        self,
        fact: Fact,
        entry: Entry | None,
        asked_s: float,
        store: str,
        similarity: float,
        size: int,
        *,
        refused: int = 0,
    ) -> None:
        """Read what was found and answer; the answer is judged by what is true when asked."""
        setup, key = self._setup, entry_key(fact.subject, fact.relation)
        truth = setup.world.truth[key]
        delay_s = 0.0
        if setup.answerer is not None:
            sentence = entry.fact.sentence if entry else None
            delay_s = self._busy(setup.answerer.cost(fact.question, sentence))
        staleness_s = setup.world.staleness_s(entry, self.now_s) if entry else math.nan
        if truth is None:
            right = entry is None or entry.key != key  # a fact that was deleted is not found
        else:
            right = entry is not None and entry.key == key and entry.fact.value == truth
        self._numbers += 1
        row: dict[str, object] = {
            "t_s": asked_s,
            "node": self.node,
            "query_id": (self.node << 32) | self._numbers,
            "store": store,
            "hit": entry is not None,
            "staleness_s": staleness_s,
            "bytes": size,
            "score": similarity,
            "kind": "question",
            "t_end_s": self.now_s + delay_s,
            "right_entry": right,
            "entries": int(entry is not None),
            "refused": refused,
        }
        setup.verdicts.add(setup, fact, entry, truth, row)

    # Synchronisation and reports

    def _change(self, key: int, value: str) -> None:
        """Learn from elsewhere that an own fact has another value now."""
        if self.base.get(key) is not None:  # it may have been evicted
            self.base.change(key, value, now_s=self.now_s)
        self._setup.world.change(key, value, self.now_s)

    def _synchronise(self) -> None:
        setup = self._setup
        self.later(setup.sync_period_s, self._synchronise)
        marks = self.base.marks()
        number = self._begin(Kind.DIGEST, self.now_s)
        body = b"".join(DIGEST.pack(key, mark) for key, mark in marks.items())
        self.send(self._edge, HEADER.pack(Kind.DIGEST, number) + body)
        if setup.sync == "score":
            offers = [
                entry
                for key in sorted(self._own)
                if self.base.uses(key) >= setup.upload_uses
                and (entry := self.base.get(key)) is not None
                and self._at_edge.get(key) != entry.version
            ]
            if offers:
                number = self._begin(Kind.OFFER, self.now_s)
                self._open[number].stated = tuple(offers)
                data = pack_entries(offers)
                self.send(self._edge, HEADER.pack(Kind.OFFER, number) + data)

    def _report(self, keys: Sequence[int]) -> None:
        entries = [entry for key in keys if (entry := self.base.get(key)) is not None]
        if entries:
            known = self._at_edge if self._setup.references else {}
            number = self._begin(Kind.REPORT, self.now_s)
            self._open[number].stated = tuple(entries)
            body = encode_report(entries, known)
            self.send(self._edge, HEADER.pack(Kind.REPORT, number) + body)

    def _take_wanted(self, number: int, exchange: _Exchange, body: bytes) -> None:
        if len(body) % 8:
            raise EntryError("keys are truncated")
        wanted = set(struct.unpack(f"<{len(body) // 8}Q", body))
        for entry in exchange.stated:
            if entry.key in wanted:
                self._at_edge.pop(entry.key, None)  # it has another version, or none
            else:
                self._at_edge[entry.key] = entry.version
        missing = [entry for entry in exchange.stated if entry.key in wanted]
        if missing:  # state them in full
            self._open[number] = exchange
            exchange.stated = tuple(missing)
            data = HEADER.pack(Kind.REPORT, number) + encode_report(missing, {})
            self.send(self._edge, data)
        else:
            self._write_exchange(number, exchange, "report", 0, len(exchange.stated))

    # Messages

    def message(self, peer: int, delivery: Delivery) -> None:
        """Take an answer of the edge server."""
        try:
            if len(delivery.data) < HEADER.size:
                raise EntryError("a message without a header")
            kind, number = HEADER.unpack_from(delivery.data)
            body = delivery.data[HEADER.size :]
            exchange = self._open.pop(number, None)
            if exchange is None:
                raise EntryError(f"an answer to {number}, which was never asked")
            if kind == Kind.FOUND and exchange.kind is Kind.QUESTION:
                self._take_found(exchange, body)
            elif kind == Kind.NEWER and exchange.kind is Kind.DIGEST:
                news = decode_report(body, self.base, now_s=self.now_s)
                self.refused += news.refused
                self._merge(news.entries)
                for entry in news.entries:
                    self._at_edge[entry.key] = entry.version
                # What was evicted since it was asked about is not wanted any more.
                refused_count = len(news.refused)
                self._write_exchange(number, exchange, "sync", refused_count, len(news.entries))
            elif kind == Kind.TAKEN and exchange.kind is Kind.OFFER and len(body) == 4:
                taken, refused_count = struct.unpack("<HH", body)
                for entry in exchange.stated:
                    self._at_edge[entry.key] = entry.version
                self._write_exchange(number, exchange, "sync", refused_count, taken)
            elif kind == Kind.WANTED and exchange.kind is Kind.REPORT:
                self._take_wanted(number, exchange, body)
            else:
                raise EntryError(f"a message of kind {kind} to a UE")
        except (EntryError, struct.error) as error:
            self.refused.append(str(error))

    def _merge(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            try:
                self.base.merge(entry, now_s=self.now_s)
            except (EntryError, ConflictError) as error:
                self.refused.append(str(error))

    def _begin(self, kind: Kind, started_s: float, *, fact: Fact | None = None) -> int:
        self._numbers += 1
        self._open[self._numbers] = _Exchange(kind, started_s, self._bytes(), fact)
        return self._numbers

    def _bytes(self) -> int:
        """Return UDP payload bytes so far, both ways; exchanges at the same time share them."""
        end = self.endpoints[self._edge]
        return end.sent.total + end.received_bytes

    def _busy(self, *costs: tuple[float, float]) -> float:
        """Let the device compute after what it is at, and return when it is done, from now."""
        latency_s = sum(self._setup.device_profile.latency_s(*cost) for cost in costs)
        self._free_s = max(self.now_s, self._free_s) + latency_s
        return self._free_s - self.now_s

    def _write_exchange(
        self, number: int, exchange: _Exchange, kind: str, refused: int, entries: int
    ) -> None:
        self._setup.book.add(
            "retrievals",
            t_s=exchange.started_s,
            node=self.node,
            query_id=(self.node << 32) | number,
            store="global",
            hit=entries > 0,
            staleness_s=math.nan,
            bytes=self._bytes() - exchange.bytes_before,
            score=math.nan,
            kind=kind,
            t_end_s=self.now_s,
            right_entry=None,
            entries=entries,
            refused=refused,
            correct=None,
        )

    def _finish(self) -> None:
        """Write the questions that were never answered, then let the model answer the rest."""
        for exchange in self._open.values():
            if exchange.kind is Kind.QUESTION and exchange.fact is not None:
                self._numbers += 1
                self._setup.book.add(
                    "retrievals",
                    t_s=exchange.started_s,
                    node=self.node,
                    query_id=(self.node << 32) | self._numbers,
                    store="none",
                    hit=False,
                    staleness_s=math.nan,
                    bytes=self._bytes() - exchange.bytes_before,
                    score=math.nan,
                    kind="question",
                    t_end_s=math.nan,
                    right_entry=False,
                    entries=0,
                    refused=0,
                    correct=False,
                )
        self._open.clear()
        self._setup.verdicts.settle(self._setup)
