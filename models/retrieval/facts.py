# SPDX-License-Identifier: MIT
"""Real facts with a question each: airports and chemical elements.

Data: airportsdata (MIT) and mendeleev (MIT), read from their packages' files. A fact is a subject,
a relation and a value; its sentence follows from a template, one relation a sentence, because a
small model is distracted by more. So a sentence never has to travel, and nobody can smuggle one in.
"""

import csv
import functools
import io
import re
import sqlite3
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from models.assets import open_member

_AIRPORTS = "airportsdata/airports.csv"
_ELEMENTS = "mendeleev/elements.db"


class FactError(ValueError):
    """An unknown domain or relation."""


@dataclass(frozen=True, slots=True)
class Relation:
    """A kind of fact.

    Attributes:
        name: of the relation.
        domain: "airports" or "elements".
        sentence: template with {subject} and {value}.
        question: template with {subject}.
        value: what a value must look like.
    """

    name: str
    domain: str
    sentence: str
    question: str
    value: re.Pattern[str]


_NAME = re.compile(r"[^\W\d_][\w .,'()/&-]{0,39}")
RELATIONS: dict[str, Relation] = {
    r.name: r
    for r in (
        Relation(
            "airport-city",
            "airports",
            "The airport with the code {subject} serves the city of {value}.",
            "Which city does the airport with the code {subject} serve?",
            _NAME,
        ),
        Relation(
            "airport-name",
            "airports",
            "The name of the airport with the code {subject} is {value}.",
            "What is the name of the airport with the code {subject}?",
            _NAME,
        ),
        Relation(
            "element-number",
            "elements",
            "The atomic number of {subject} is {value}.",
            "What is the atomic number of {subject}?",
            re.compile(r"[1-9]\d{0,2}"),
        ),
        Relation(
            "element-year",
            "elements",
            "The element {subject} was discovered in the year {value}.",
            "In which year was the element {subject} discovered?",
            re.compile(r"1[5-9]\d\d|20\d\d"),
        ),
        Relation(
            "element-finder",
            "elements",
            "The element {subject} was discovered by {value}.",
            "Who discovered the element {subject}?",
            _NAME,
        ),
    )
}
DOMAINS = ("airports", "elements")


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact.

    Attributes:
        subject: what it is about.
        relation: name of a `Relation`.
        value: the answer.
    """

    subject: str
    relation: str
    value: str

    @property
    def sentence(self) -> str:
        """Return the fact as a sentence."""
        return RELATIONS[self.relation].sentence.format(subject=self.subject, value=self.value)

    @property
    def question(self) -> str:
        """Return the question that it answers."""
        return RELATIONS[self.relation].question.format(subject=self.subject)


@functools.cache
def load_facts(domain: str) -> tuple[Fact, ...]:
    """Return all facts of a domain, in a fixed order.

    Raises:
        FactError: no such domain.
        AssetError: its package is not in the cache.
    """
    loaders: dict[str, Callable[[], list[Fact]]] = {
        "airports": _airports,
        "elements": _elements,
    }
    if domain not in loaders:
        raise FactError(f"no facts about {domain!r}; known: {', '.join(loaders)}")
    facts = [f for f in loaders[domain]() if RELATIONS[f.relation].value.fullmatch(f.value)]
    return tuple(facts)


def _airports() -> list[Fact]:
    out = []
    with open_member("airportsdata", _AIRPORTS) as raw:
        for row in csv.DictReader(io.TextIOWrapper(raw, encoding="utf-8", newline="")):
            if re.fullmatch(r"[A-Z]{3}", row["iata"]) and "Airport" in row["name"]:
                out.append(Fact(row["iata"], "airport-city", row["city"].strip()))
                out.append(Fact(row["iata"], "airport-name", row["name"].strip()))
    return sorted(out, key=lambda f: (f.subject, f.relation))


def _elements() -> list[Fact]:
    with (
        open_member("mendeleev", _ELEMENTS) as raw,
        tempfile.TemporaryDirectory() as scratch,
    ):
        path = Path(scratch) / "elements.db"
        path.write_bytes(raw.read())
        connection = sqlite3.connect(path)
        try:
            rows = connection.execute(
                "select name, atomic_number, discovery_year, discoverers from elements "
                "order by atomic_number"
            ).fetchall()
        finally:
            connection.close()
    out = []
    for name, number, year, finders in rows:
        out.append(Fact(name.lower(), "element-number", str(number)))
        if year:
            out.append(Fact(name.lower(), "element-year", str(year)))
        if finders:
            out.append(Fact(name.lower(), "element-finder", " ".join(finders.split())))
    return out
