# SPDX-License-Identifier: MIT
"""Segments that are damaged, foreign, or too large."""

import os
import struct
import subprocess

import pytest

from cosim.bridge import Bridge, BridgeError, PeerDied
from cosim.bridge._bridge import HEADER_BYTES
from tests.bridge.conftest import peer_path


def segment(tmp_path, content: bytes) -> int:
    path = tmp_path / "segment"
    path.write_bytes(content)
    return os.open(path, os.O_RDWR)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "truncated: 0 bytes"),
        (b"x" * 100, "truncated: 100 bytes"),
        (b"x" * HEADER_BYTES, "wrong magic number"),
        (struct.pack("<QI", 0x3145474449524243, 99).ljust(HEADER_BYTES, b"\0"), "has version 99"),
    ],
)
def test_a_program_refuses_a_foreign_or_truncated_segment(tmp_path, content, words):
    fd = segment(tmp_path, content)
    result = subprocess.run(
        [peer_path("bridge_peer"), "echo"],
        env={"COSIM_BRIDGE_FD": str(fd)},
        pass_fds=[fd],
        capture_output=True,
        text=True,
        timeout=5,
        check=False,
    )
    os.close(fd)
    assert result.returncode == 6
    assert words in result.stderr


@pytest.mark.parametrize(
    ("env", "words"),
    [
        ({}, "is started from Python by cosim.bridge.Bridge.spawn"),
        ({"COSIM_BRIDGE_FD": "hello"}, "is no descriptor"),
        ({"COSIM_BRIDGE_FD": "99"}, "is not open"),
        ({"COSIM_BRIDGE_PATH": "/proc/1/fd/no"}, "cannot be opened"),
        ({"COSIM_BRIDGE_NAME": "nobody-waits"}, "no bridge waits under the name 'nobody-waits'"),
    ],
)
def test_a_program_started_by_hand_says_what_is_missing(env, words):
    result = subprocess.run(
        [peer_path("bridge_peer"), "echo"],
        env=env,
        capture_output=True,
        text=True,
        timeout=5,
        check=False,
    )
    assert result.returncode in (4, 6)
    assert words in result.stderr


@pytest.mark.parametrize("damage", ["short", "channels", "offset", "schema", "kind", "magic"])
def test_python_refuses_a_damaged_segment(started, damage):
    bridge = started("hang")
    fd = bridge.fileno()
    whole = os.pread(fd, os.fstat(fd).st_size, 0)
    # Offsets by hand from layout.hpp: header 8+4+4+8+4+4 = 32, padded to 64 for the cache line of
    # the sides; three sides of 256; then the directory: name 48, kind 4, reserved 4, …
    directory = 64 + 3 * 256
    assert whole[directory : directory + 4] == b"echo"
    broken = bytearray(whole)
    if damage == "short":
        del broken[-4096:]
    elif damage == "channels":
        broken[12:16] = struct.pack("<I", 1000)
    elif damage == "magic":
        broken[0] ^= 1
    elif damage == "kind":
        broken[directory + 48] = 9
    elif damage == "offset":  # recordsOffset follows kind, reserved, offset, bytes, 4 words
        at = directory + 48 + 8 + 16 + 32
        broken[at : at + 8] = struct.pack("<Q", 1 << 40)
    elif damage == "schema":
        at = broken.index(b"Sample\nnumber <u8")
        broken[at : at + 30] = b"Sample\nnumber ??? is damaged!!"
    with Bridge.create() as other:
        os.ftruncate(other.fileno(), len(broken))
        os.pwrite(other.fileno(), broken, 0)
        with pytest.raises(BridgeError):
            other.wait_ready(1.0)


def test_a_segment_that_cannot_fit_is_an_error_at_once(started, tmp_path):
    with (tmp_path / "err").open("wb") as err:
        bridge = started("huge", 60 << 30, ready=False, stderr=err)
        with pytest.raises(PeerDied):
            bridge.wait_ready(5.0)
        assert bridge.process.wait(5) == 6
    assert "no memory for a segment of" in (tmp_path / "err").read_text()
    assert "declare smaller channels" in (tmp_path / "err").read_text()


def test_a_memory_limit_is_an_error_at_once(started, tmp_path):
    # The shell limits the program's address space to 1 GB; it asks for 2 GB.
    with (tmp_path / "err").open("wb") as err, Bridge.create() as bridge:
        command = f"ulimit -v 1000000; exec {peer_path('bridge_peer')} huge {2 << 30}"
        process = bridge.spawn(["bash", "-c", command], stderr=err)
        with pytest.raises(PeerDied):
            bridge.wait_ready(5.0)
        assert process.wait(5) == 6
    assert "cannot map a segment of" in (tmp_path / "err").read_text()
