# SPDX-License-Identifier: MIT
"""The host's end of the bridge: the segment, the simulator's process, and the wait for both."""

import contextlib
import mmap
import os
import signal
import subprocess
import time
import weakref
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import IO, Any, Self, TypeVar

from cosim.bridge._bridge import (
    HEADER_BYTES,
    SIDES,
    BridgeError,
    NativeSide,
    PeerDied,
    link_of,
)
from cosim.bridge.channels import Blocks, Channel, Exchange, Stream
from cosim.bridge.child import end, start

_KINDS: dict[int, type[Channel]] = {1: Exchange, 2: Stream, 3: Blocks}
_FINISHED, _FAILED = 2, 3
_ENDED_BIT = 1 << 63
AnyChannel = TypeVar("AnyChannel", bound=Channel)
_living: "weakref.WeakSet[Bridge]" = weakref.WeakSet()


def _disown() -> None:
    """Keep a forked child from speaking for its parent."""
    for bridge in _living:
        bridge._native.disown()


os.register_at_fork(after_in_child=_disown)


class Bridge:
    """One segment; any number of them may live in a process.

    Use `create` and `spawn` in the process that starts the simulator, `attach` in a process that
    publishes blocks. It is a context manager: leaving it by an exception tells the simulator so,
    and a spawned simulator never outlives it.
    """

    def __init__(self, fd: int, memory: mmap.mmap, side: int) -> None:
        self._fd = fd
        self._memory = memory
        self._native = NativeSide(memory, side)
        self._side = side
        self._link: str | None = None
        self._pid = os.getpid()
        self._channels: dict[str, Channel] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._pidfds: list[int] = []
        self._closed = False
        _living.add(self)

    @classmethod
    def create(cls, name: str | None = None, *, attach_name: str | None = None) -> Self:
        """Make a segment.

        Args:
            name: label in /proc/PID/maps; the segment is anonymous all the same.
            attach_name: let a program that is started by hand, for example in a debugger, find the
                bridge: `COSIM_BRIDGE_NAME=<attach_name> gdb ./program`. Then call `wait_ready`
                without `spawn`.

        Raises:
            BridgeError: a living process waits under that name.
        """
        fd = os.memfd_create(name or "cosim-bridge", os.MFD_CLOEXEC)
        os.ftruncate(fd, HEADER_BYTES)
        bridge = cls(fd, mmap.mmap(fd, HEADER_BYTES), SIDES["host"])
        bridge._native.initialise()
        try:
            if attach_name is not None:
                bridge._wait_under(attach_name)
        except BaseException:
            bridge.close()
            raise
        return bridge

    def _wait_under(self, name: str) -> None:
        """Make the link by which a program finds this process's descriptor."""
        link = link_of(name)
        # A link whose process has ended is nobody's: nothing else of a bridge can outlive it.
        if os.path.islink(link) and os.path.exists(link):
            raise BridgeError(
                f"another process waits under the name {name!r} ({os.readlink(link)}): "
                "choose another name or end that process"
            )
        with contextlib.suppress(FileNotFoundError):
            os.unlink(link)
        os.symlink(f"/proc/{os.getpid()}/fd/{self._fd}", link)
        self._link = link

    @classmethod
    def attach(cls, fd: int, *, timeout_s: float = 60.0) -> Self:
        """Join a segment, as a producer of blocks, once the simulator has laid it out.

        Raises:
            BridgeError: the descriptor is no segment, or nothing was laid out in time.
            PeerDied: the host ended first.
        """
        deadline = time.monotonic() + timeout_s
        size = os.fstat(fd).st_size
        if size < HEADER_BYTES:
            raise BridgeError(f"no bridge segment: {size} bytes are fewer than its header")
        header = NativeSide(mmap.mmap(fd, HEADER_BYTES), SIDES["producer"])
        host = os.getppid()
        while not header.ready():
            if header.state(SIDES["host"])[0] in (_FINISHED, _FAILED) or os.getppid() != host:
                raise PeerDied("the host ended before the simulator was ready")
            if time.monotonic() > deadline:
                raise BridgeError(f"the simulator was not ready after {timeout_s:g} s")
            time.sleep(0.005)
        bridge = cls(fd, mmap.mmap(fd, os.fstat(fd).st_size), SIDES["producer"])
        bridge._native.join()
        bridge._find_channels()
        return bridge

    def fileno(self) -> int:
        """Return the segment's descriptor, to be passed to a child (`pass_fds`)."""
        return self._fd

    def spawn(
        self,
        command: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        stdout: int | IO[bytes] | None = None,
        stderr: int | IO[bytes] | None = None,
    ) -> subprocess.Popen[bytes]:
        """Start the simulator. It gets the segment, and no Ctrl-C: this process tells it to end.

        Args:
            command: program and arguments.
            env: added to this process's environment.
            stdout: as in `subprocess.Popen`.
            stderr: as in `subprocess.Popen`.

        Raises:
            BridgeError: the program cannot be started, or one was already.
        """
        self._check()
        if self._process is not None:
            raise BridgeError("a bridge serves one simulator: make another Bridge for another one")
        self._process = start(command, self._fd, env=env, stdout=stdout, stderr=stderr)
        self._watch(self._process.pid)
        return self._process

    def _watch(self, pid: int) -> None:
        """Let every wait end when this process does."""
        with contextlib.suppress(ProcessLookupError):
            self._pidfds.append(os.pidfd_open(pid))
        self._native.watch(self._pidfds)

    def wait_ready(
        self, timeout_s: float = 30.0, *, expect: Mapping[str, Sequence[int]] | None = None
    ) -> None:
        """Wait until the simulator has laid out the channels.

        Args:
            timeout_s: how long.
            expect: channel name → schema hashes of its record types (`sim_schema`).

        Raises:
            PeerDied: it ended first; the message has its status.
            BridgeError: too late, or another schema than expected.
        """
        self._check()
        deadline = time.monotonic() + timeout_s
        while not self._native.ready():
            left = deadline - time.monotonic()
            if left <= 0:
                raise BridgeError(
                    f"the simulator was not ready after {timeout_s:g} s: "
                    "does it call Bridge::Start()?"
                )
            try:
                self._native.wait_ready(left)
            except PeerDied:
                raise PeerDied(self._obituary("before it was ready")) from None
            if not self._native.ready() and self._over():
                raise PeerDied(self._obituary("before it was ready"))
        memory = mmap.mmap(self._fd, os.fstat(self._fd).st_size)
        self._memory = memory
        self._native = NativeSide(memory, self._side)
        self._native.watch(self._pidfds)
        simulator = self._native.pid(SIDES["simulator"])
        if self._process is None or simulator != self._process.pid:
            # It came by name, or a script lies between.
            self._watch(simulator)
        self._find_channels()
        for name, hashes in (expect or {}).items():
            found = [d.schema_hash for d in self._channel(name, Channel).directions]
            if list(hashes) != found[: len(hashes)]:
                raise BridgeError(
                    f"channel {name!r}: the simulator was built with another record layout than "
                    "this package; build it again (`make setup`, or `pip install .`)"
                )

    def exchange(self, name: str) -> Exchange:
        """Return a channel by its name; BridgeError lists the names if there is none."""
        return self._channel(name, Exchange)

    def stream(self, name: str) -> Stream:
        """Return a channel by its name; BridgeError lists the names if there is none."""
        return self._channel(name, Stream)

    def blocks(self, name: str) -> Blocks:
        """Return a channel by its name; BridgeError lists the names if there is none."""
        return self._channel(name, Blocks)

    def wait(self, timeout_s: float) -> set[str]:
        """Wait for a request, a stream that wants reading, or the end.

        Returns:
            names of channels that want attention; empty after `timeout_s` or at the end
            (`finished`).

        Raises:
            PeerDied: the simulator ended without saying so, or with an error; what it had pushed
                can still be read.
            KeyboardInterrupt: Ctrl-C.
        """
        self._check()
        try:
            news = self._native.wait(timeout_s)
        except PeerDied:
            raise PeerDied(self._obituary("in the middle of the simulation")) from None
        if news & _ENDED_BIT:
            state, reason = self._native.state(SIDES["simulator"])
            if state == _FAILED:
                raise PeerDied(reason)
        return {name for name, c in self._channels.items() if news >> c.number & 1}

    @property
    def finished(self) -> bool:
        """Whether the simulator announced its end.

        Raises:
            PeerDied: it ended with an error; so a loop until `finished` cannot miss one that comes
                after its last `wait`.
        """
        state, reason = self._native.state(SIDES["simulator"])
        if state == _FAILED:
            raise PeerDied(reason)
        return state == _FINISHED

    def _over(self) -> bool:
        """Return whether the simulator announced its end or an error."""
        return self._native.state(SIDES["simulator"])[0] in (_FINISHED, _FAILED)

    def abort(self, reason: str) -> None:
        """Make the simulator's next wait fail with `reason`."""
        if not self._closed and self._pid == os.getpid():
            self._native.end(True, reason)

    def close(self, *, grace_s: float = 1.0) -> None:
        """End the connection and the simulator; it gets `grace_s` to end by itself."""
        if self._closed or self._pid != os.getpid():
            return
        self._closed = True
        if self._native.state(self._side)[0] not in (_FINISHED, _FAILED):
            self._native.end(False, "")
        try:
            if self._process is not None:
                end(self._process, grace_s)
        finally:  # also when Ctrl-C comes while we wait
            for pidfd in self._pidfds:
                os.close(pidfd)
            self._pidfds = []
            self._native.watch([])
            if self._link is not None:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(self._link)
            if self._side == SIDES["host"]:
                os.close(self._fd)
            # The mapping goes when the last view into it does.
            self._channels.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None and self._side == SIDES["host"]:
            self.abort(str(error) or type(error).__name__)
        self.close()

    def _check(self) -> None:
        if self._closed:
            raise BridgeError("the bridge is closed")
        if self._pid != os.getpid():
            raise BridgeError("a bridge cannot be used in a forked child: make one there")

    def _find_channels(self) -> None:
        for number, entry in enumerate(self._native.directory()):
            kind = _KINDS.get(entry["kind"])
            if kind is None:
                raise BridgeError(f"channel {entry['name']!r} is of an unknown kind")
            channel = kind(self._native, self._memory, number, entry)
            channel.obituary = self._obituary
            self._channels[entry["name"]] = channel

    def _channel(self, name: str, kind: type[AnyChannel]) -> AnyChannel:
        channel = self._channels.get(name)
        if not isinstance(channel, kind):
            known = ", ".join(sorted(n for n, c in self._channels.items() if isinstance(c, kind)))
            raise BridgeError(
                f"there is no {kind.__name__.lower()} channel {name!r}; "
                f"there are: {known or 'none'}"
            )
        return channel

    def _obituary(self, when: str = "in the middle of the simulation") -> str:
        """Say how the simulator ended."""
        state, reason = self._native.state(SIDES["simulator"])
        if state == _FAILED and reason:
            return reason
        code: Any = None
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                code = self._process.wait(0.5)
        if isinstance(code, int) and code < 0:
            return f"the simulator was ended by {signal.Signals(-code).name} {when}"
        return f"the simulator ended with status {code} {when}"
