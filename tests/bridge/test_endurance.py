# SPDX-License-Identifier: MIT
"""Kills at random instants, and ten million checksummed records."""

import contextlib
import os
import random
import signal
import threading
import time

import numpy as np
import pytest

from cosim.bridge import Bridge, PeerDied
from tests.bridge.conftest import alive, mix, peer_path, wait_until

pytestmark = pytest.mark.slow


def whole(records: np.ndarray, first: int) -> bool:
    """Whether a stream's records are the next ones, as the peer made them."""
    numbers = np.arange(first, first + len(records), dtype=np.uint64)
    words = mix(numbers[:, None] * np.uint64(6) + np.arange(6, dtype=np.uint64))
    return bool(
        (records["number"] == numbers).all()
        and (records["words"] == words).all()
        and (records["checksum"] == np.bitwise_xor.reduce(words, axis=1)).all()
    )


def serve(bridge: Bridge, read: int = 0) -> int:
    """Answer and read until the end; return how many records came, all of them whole."""
    stream, exchange = bridge.stream("items"), bridge.exchange("echo")

    def take() -> int:
        count = 0
        while len(records := stream.read()):
            assert whole(records, read + count), f"a corrupted record after {read + count}"
            count += len(records)
            stream.release()
        return count

    try:
        while not bridge.finished:
            bridge.wait(10.0)
            batch = exchange.poll()
            if batch is not None:
                # Everything pushed before the request is there.
                read += take()
                assert batch.records["number"][0] == read
                exchange.reply(1)["number"] = read + 1
                exchange.send()
            read += take()
    except PeerDied:
        read += take()  # what came before the end is whole too
        raise
    return read


def strike(process, killed: list[float]) -> None:
    killed.append(time.monotonic())
    process.kill()


def test_programs_killed_at_a_hundred_random_instants():
    chance = random.Random(1)
    for _ in range(100):
        with Bridge.create() as bridge:
            process = bridge.spawn([peer_path("bridge_peer"), "soak", "60"])
            killed: list[float] = []
            killer = threading.Timer(chance.uniform(0.0, 0.03), strike, [process, killed])
            killer.start()
            with pytest.raises(PeerDied, match="SIGKILL"):
                bridge.wait_ready(20.0)
                serve(bridge)
            killer.join()
            assert time.monotonic() - killed[0] < 1.0
        assert not alive(process.pid)


def host_in_a_fork() -> tuple[int, int]:
    """Fork a process that serves a program until it is killed; return both numbers."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        with contextlib.suppress(BaseException):
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, 2)  # the program says on it that its host has ended
            bridge = Bridge.create()
            process = bridge.spawn([peer_path("bridge_peer"), "soak", "60"])
            os.write(writer, f"{process.pid}\n".encode())
            bridge.wait_ready(20.0)
            serve(bridge)
            status = 2
        os._exit(status)  # only reached when something was wrong
    os.close(writer)
    with os.fdopen(reader) as lines:
        return child, int(lines.readline())


def test_hosts_killed_at_a_hundred_random_instants():
    chance = random.Random(2)
    for _ in range(10):
        pairs = [host_in_a_fork() for _ in range(10)]
        for child, _ in pairs:
            time.sleep(chance.uniform(0.0, 0.02))
            os.kill(child, signal.SIGKILL)
            # Not by itself before: then a record was corrupted, or a wait failed.
            assert os.WIFSIGNALED(os.waitpid(child, 0)[1])
        for _, program in pairs:
            wait_until(lambda program=program: not alive(program), 1.0)


def test_ten_million_records_arrive_whole():
    count, got, nothing = 10_000_000, 0, 0
    with Bridge.create() as bridge:
        bridge.spawn([peer_path("bridge_peer"), "stream", str(count), str(1 << 15)])
        bridge.wait_ready(20.0)
        stream = bridge.stream("items")
        while got < count:
            bridge.wait(10.0)
            records = stream.read()
            assert whole(records, got)
            got += len(records)
            stream.release()
            nothing = nothing + 1 if len(records) == 0 else 0
            assert nothing < 10, "records are missing at the end"
    assert got == count
