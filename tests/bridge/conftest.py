# SPDX-License-Identifier: MIT
"""Peers in C++ (`make cpp-tests` builds them) and what serves them."""

import contextlib
import gc
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from cosim.bridge import Bridge

ROOT = Path(__file__).parents[2]


def bin_folder() -> Path:
    return Path(os.environ.get("COSIM_TEST_BIN", ROOT / "build/editable/test-bin"))


def peer_path(name: str) -> str:
    path = bin_folder() / name
    if not path.is_file():
        pytest.fail(f"{path} is missing: run `make cpp-tests`")
    return str(path)


def alive(pid: int) -> bool:
    """Whether a process runs (a zombie does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until(condition: Callable[[], bool], timeout_s: float) -> float:
    """Return the seconds until `condition` holds; fail after `timeout_s`."""
    start = time.monotonic()
    while not condition():
        assert time.monotonic() - start < timeout_s, f"not within {timeout_s} s"
        time.sleep(0.005)
    return time.monotonic() - start


@pytest.fixture
def started() -> Iterator[Callable[..., Bridge]]:
    """Start `bridge_peer MODE ARGUMENTS…`; return its bridge, ready unless `ready=False`."""
    with contextlib.ExitStack() as stack:

        def start(*arguments: object, ready: bool = True, peer: str = "bridge_peer", **options):
            bridge = stack.enter_context(Bridge.create())
            bridge.process = bridge.spawn([peer_path(peer), *map(str, arguments)], **options)
            if ready:
                bridge.wait_ready(20.0)
            return bridge

        yield start


@pytest.fixture(autouse=True)
def nothing_left_behind() -> Iterator[None]:
    """No test leaves a descriptor, a segment or a process."""
    beside = "PYTEST_XDIST_WORKER" in os.environ  # other tests' segments come and go
    shared, mine = _shared_memory(), len(os.listdir("/proc/self/fd"))
    before = (
        _children()
    )  # such as the fork server of a test that ran here earlier: it stays by design
    yield
    gc.collect()  # a mapping goes with the last view into it
    assert beside or _shared_memory() <= shared
    assert len(os.listdir("/proc/self/fd")) <= mine
    assert _children() <= before, "a child still runs"


def _children() -> set[str]:
    """Return the running children of this process."""
    return {
        path.parent.name
        for path in Path("/proc").glob("[0-9]*/stat")
        if (fields := _stat(path)) and fields[1] == str(os.getpid()) and fields[0] != "Z"
    }


def _shared_memory() -> set[str]:
    """Return the named segments; semaphores of other programs come and go, and we make none."""
    return {name for name in os.listdir("/dev/shm") if not name.startswith("sem.")}


def _stat(path: Path) -> list[str]:
    try:
        return path.read_text().rsplit(")", 1)[1].split()[:2]
    except (FileNotFoundError, ProcessLookupError):
        return []


def kill(process, number: int = signal.SIGKILL) -> None:
    os.kill(process.pid, number)


def checked_items(records: np.ndarray, first: int) -> int:
    """Check the numbers and checksums of a stream's records; return the number after the last."""
    if len(records):
        numbers = np.arange(first, first + len(records), dtype=np.uint64)
        np.testing.assert_array_equal(records["number"], numbers)
        words = mix(numbers[:, None] * np.uint64(6) + np.arange(6, dtype=np.uint64))
        np.testing.assert_array_equal(records["words"], words)
        np.testing.assert_array_equal(records["checksum"], np.bitwise_xor.reduce(words, axis=1))
    return first + len(records)


def mix(x: np.ndarray) -> np.ndarray:
    """The finaliser of SplitMix64, as in the peers."""
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def serve_echo(bridge: Bridge) -> int:
    """Double every batch until the end; return the number of batches."""
    exchange, rounds = bridge.exchange("echo"), 0
    for request in exchange:
        reply = exchange.reply(len(request))
        reply["number"] = request["number"]
        reply["values"] = 2 * request["values"]
        exchange.send()
        rounds += 1
    return rounds
