# SPDX-License-Identifier: MIT
"""What all agents of one retrieval entry have in common, and the messages between them.

A message begins with its kind (1 byte) and a number (4 bytes) that its answer repeats.
"""

import math
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Protocol

from cosim.agents.arq import ArqEndpoint
from cosim.agents.book import Book
from models.compression import DeviceProfile
from models.retrieval.answerer import is_right
from models.retrieval.base import Encoder
from models.retrieval.entry import Entry
from models.retrieval.facts import Fact

HEADER = struct.Struct("<BI")
DIGEST = struct.Struct("<QI")
ANSWER_BATCH = 64
MAX_QUESTION_BYTES = 400
MAX_DIGEST_ENTRIES = 100_000


class Kind(IntEnum):
    """What a message is."""

    QUESTION = 1
    """UTF-8."""
    FOUND = 2
    """Cosine (4 bytes) and entries, none if nothing was found."""
    DIGEST = 3
    """Key (8) and `Entry.mark` (4) of all that the UE holds."""
    NEWER = 4
    """`models.retrieval.references`."""
    OFFER = 5
    """Entries."""
    TAKEN = 6
    """Number of entries accepted (2) and refused (2)."""
    REPORT = 7
    """`models.retrieval.references`."""
    WANTED = 8
    """Keys (8 each) of references that could not be resolved; none: all is well."""


class CostlyEncoder(Encoder, Protocol):
    """An encoder that knows what it costs."""

    def cost(self, text: str) -> tuple[float, float]:
        """Return operations and memory traffic of one text."""


class QuestionAnswerer(Protocol):
    """What answers questions; `models.retrieval.answerer.Answerer`."""

    def answer(self, pairs: Sequence[tuple[str, str | None]]) -> list[str]:
        """Return an answer to each (question, sentence or None)."""

    def cost(self, question: str, sentence: str | None) -> tuple[float, float]:
        """Return operations and memory traffic of one answer."""


@dataclass
class World:
    """What is true, for the trace alone: no agent reads it.

    Attributes:
        truth: key → the value that is true now, None if the fact is held to be true no longer.
        outdated_s: (key, value) → simulated time since which the value is no longer true.
    """

    truth: dict[int, str | None] = field(default_factory=dict)
    outdated_s: dict[tuple[int, str], float] = field(default_factory=dict)

    def change(self, key: int, value: str | None, now_s: float) -> None:
        """Note that a fact has another value from now on, or none."""
        before = self.truth.get(key)
        if before is not None:
            self.outdated_s[key, before] = now_s
        self.truth[key] = value
        if value is not None:
            self.outdated_s.pop((key, value), None)

    def staleness_s(self, entry: Entry, now_s: float) -> float:
        """Return for how long an entry has not been true, 0 if it is."""
        since = self.outdated_s.get((entry.key, entry.fact.value), math.nan)
        if self.truth.get(entry.key) == entry.fact.value or math.isnan(since):
            return 0.0
        return max(now_s - since, 0.0)


@dataclass(frozen=True, kw_only=True)
class RetrievalSetup:
    """One retrieval entry, resolved; see `RetrievalTraffic` for the options."""

    base: str
    threshold: float
    sync: str
    sync_period_s: float
    upload_uses: int
    references: bool
    encoder: CostlyEncoder
    answerer: QuestionAnswerer | None
    world: World
    book: Book
    device_profile: DeviceProfile
    edge_profile: DeviceProfile
    duration_s: float
    endpoint: Callable[[], ArqEndpoint]
    verdicts: "Verdicts" = field(default_factory=lambda: Verdicts())

    @property
    def keeps_answers(self) -> bool:
        """Return whether what the edge server answered goes into the own base."""
        return self.sync in ("on-miss", "score")

    @property
    def is_periodic(self) -> bool:
        """Return whether newer versions are asked for from time to time."""
        return self.sync in ("periodic", "score")


_Verdict = tuple[Fact, Entry | None, str | None, dict[str, object]]


@dataclass
class Verdicts:
    """Questions whose answers the language model has still to give, in batches."""

    pending: list[_Verdict] = field(default_factory=list)

    def add(
        self,
        setup: RetrievalSetup,
        fact: Fact,
        entry: Entry | None,
        truth: str | None,
        row: dict[str, object],
    ) -> None:
        """Enter a question with what was found, the value true when it was answered, and a row."""
        self.pending.append((fact, entry, truth, row))
        if len(self.pending) >= ANSWER_BATCH:
            self.settle(setup)

    def settle(self, setup: RetrievalSetup) -> None:
        """Let the language model answer what is pending and write the rows."""
        pending, self.pending = self.pending, []
        correct: list[bool | None] = [None] * len(pending)
        if setup.answerer is not None and pending:
            answers = setup.answerer.answer(
                [(f.question, e.fact.sentence if e else None) for f, e, _, _ in pending]
            )
            correct = [
                None if truth is None else is_right(answer, truth)
                for answer, (_, _, truth, _) in zip(answers, pending, strict=True)
            ]
        for right, (_, _, _, row) in zip(correct, pending, strict=True):
            setup.book.add("retrievals", **row, correct=right)
