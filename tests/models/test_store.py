# SPDX-License-Identifier: MIT
"""Results on disk: checked on reading, whole under concurrent writers, optional."""

import multiprocessing

import pytest

from models.codecs.store import ResultStore, content_key


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("SEMCOSIM_CACHE", str(tmp_path))
    return tmp_path / "features"


def test_a_value_outlives_its_store_exactly(folder):
    value = [3, "ab", 0.1 + 0.2, True, None]
    ResultStore(on_disk=True).put(content_key("k"), value)
    assert ResultStore(on_disk=True).get(content_key("k")) == value
    assert ResultStore(on_disk=True).get(content_key("other")) is None


def test_without_disk_nothing_is_written(folder):
    store = ResultStore(on_disk=False)
    store.put(content_key("k"), 1)
    assert store.get(content_key("k")) == 1
    assert not folder.exists()
    store.forget()
    assert store.get(content_key("k")) is None


@pytest.mark.parametrize("length", [0, 10, 32, 40])
def test_a_file_that_was_cut_short_is_as_good_as_missing(folder, length):
    ResultStore(on_disk=True).put(content_key("k"), "a value of some length")
    (path,) = folder.glob("*/*")
    path.write_bytes(path.read_bytes()[:length])
    assert ResultStore(on_disk=True).get(content_key("k")) is None


def test_a_cache_that_cannot_be_written_costs_only_time(folder):
    store = ResultStore(on_disk=True)
    key = content_key("k")
    (folder / key[:2]).write_text("a file where a folder should be")
    store.put(key, 5)
    assert store.get(key) == 5
    assert ResultStore(on_disk=True).get(key) is None


def test_keys_tell_lists_of_parts_apart():
    keys = [
        content_key("ab", "c"),
        content_key("a", "bc"),
        content_key("abc"),
        content_key(b"abc"),
        content_key("1"),
        content_key(1),
    ]
    assert len(set(keys)) == len(keys)


def _hammer(worker, failures):
    store = ResultStore(on_disk=True)
    for turn in range(150):
        key = content_key("shared", turn % 10)
        store.forget()
        got = store.get(key)
        if got is not None and got != ["x" * 5000, turn % 10]:
            failures.put((worker, turn))
        store.put(key, ["x" * 5000, turn % 10])


def test_processes_that_write_at_once_never_read_half_a_value(folder):
    context = multiprocessing.get_context("fork")
    failures = context.Queue()
    workers = [context.Process(target=_hammer, args=(w, failures)) for w in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0] * 4
    assert failures.empty()
    assert not list(folder.glob("*/.*"))  # no temporary file is left
