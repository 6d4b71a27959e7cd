# SPDX-License-Identifier: MIT
"""[[traffic]] of kind "retrieval": questions, knowledge bases and their synchronisation."""

from typing import ClassVar, Literal

from cosim.scenario.base import quantity
from cosim.scenario.bearer import BearerSection
from cosim.scenario.run import MAX_DURATION_S
from cosim.scenario.traffic import _priority
from cosim.scenario.ue_selection import UeSelection


class RetrievalTraffic(BearerSection):
    """UEs answer questions with a small language model and what knowledge bases hold."""

    direction: ClassVar[Literal["both"]] = "both"
    notify: ClassVar[bool] = True

    kind: Literal["retrieval"] = quantity(..., "retrieval: questions and knowledge bases")
    domain: Literal["airports", "elements", "both"] = quantity("airports", "what facts are about")
    base: Literal["off", "local", "global", "both", "oracle"] = quantity(
        "both",
        "what the language model may read: nothing, the UE's own base, the edge server's, the own "
        "one and on a miss the edge server's, or the right fact without asking",
    )
    rate_hz: float = quantity(1.0, "questions a second of each UE", unit="1/s", gt=0, le=1e4)
    popularity: float = quantity(
        1.0, "exponent s of Zipf's law: the k-th fact is asked for as k^-s", ge=0, le=5
    )
    global_entries: int = quantity(200, "facts at the edge server", ge=1, le=10**6)
    local_entries: int = quantity(40, "facts at each UE at the start", ge=0, le=10**6)
    stale_share: float = quantity(
        0.0, "share of a UE's facts that are of an old version", ge=0, le=1
    )
    mismatched: bool = quantity(False, "a UE's facts are about another domain than the questions")
    own_entries: int = quantity(
        0, "facts a UE that the edge server has not, asked for by the others too", ge=0, le=10**5
    )
    own_holders: int = quantity(
        1, "UEs that have each own fact; with more than one, their changes may conflict", ge=1
    )
    own_change_rate_hz: float = quantity(
        0.0,
        "changes a second of each UE's own facts, of which only that UE learns",
        unit="1/s",
        ge=0,
        le=1e4,
    )
    memory_bytes: int = quantity(
        10**9,
        "entries and vectors of a UE's base; the least used go",
        unit="bytes",
        ge=4096,
        le=2**40,
    )
    threshold: float = quantity(
        0.75,
        "cosine from which what the own base found counts as a hit: with MiniLM and these facts "
        "the right one reaches 0.75 in 96 of 100 cases, the best of 40 wrong ones in 8",
        ge=-1,
        le=1,
    )
    sync: Literal["none", "periodic", "on-miss", "score"] = quantity(
        "on-miss",
        "none; ask for newer versions every sync_period_s; keep what the edge server answered; "
        "periodic and on-miss, and offer own facts that were of use",
    )
    sync_period_s: float = quantity(
        5.0, "of periodic synchronisation", unit="s", gt=0, le=MAX_DURATION_S
    )
    upload_uses: int = quantity(2, "uses from which an own fact is offered", ge=1, le=10**6)
    change_rate_hz: float = quantity(
        0.0, "changes of facts at the edge server a second", unit="1/s", ge=0, le=1e4
    )
    delete_rate_hz: float = quantity(
        0.0,
        "facts a second that the edge server deletes; the right answer to a question about one is "
        "none, and no model's answer to it is judged",
        unit="1/s",
        ge=0,
        le=1e4,
    )
    report_rate_hz: float = quantity(
        0.0,
        "reports a second of each UE that state facts to the edge server",
        unit="1/s",
        ge=0,
        le=1e4,
    )
    report_facts: int = quantity(4, "facts of a report", ge=1, le=64)
    references: bool = quantity(
        True,
        "name what the other side is known to have instead of stating it; of what it has in "
        "another version send the difference",
    )
    answer: bool = quantity(True, "let the language model answer; off: only what was found counts")
    max_packet_bytes: int = quantity(
        1200, "UDP payload of a packet at most", unit="bytes", ge=128, le=65_507
    )
    ues: UeSelection = quantity("all", 'which UEs: "all" or a list of numbers from 0')
    fiveqi: int = quantity(
        80,
        "5QI of the flows; 80 is the low-latency eMBB class",
        source="TS 23.501 table 5.7.4-1",
        ge=1,
        le=254,
    )
    priority: int = quantity(
        text="priority level, 1 comes first; by default the standard's for the 5QI",
        source="TS 23.501 table 5.7.4-1",
        ge=1,
        le=127,
        default_factory=_priority,
    )
