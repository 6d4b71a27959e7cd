# SPDX-License-Identifier: MIT
"""The simulator's process: how it gets the segment, and how it ends."""

import contextlib
import os
import select
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from cosim.bridge._bridge import BridgeError


def start(
    command: Sequence[str],
    fd: int,
    *,
    env: Mapping[str, str] | None = None,
    stdout: int | IO[bytes] | None = None,
    stderr: int | IO[bytes] | None = None,
    cwd: Path | None = None,
) -> subprocess.Popen[bytes]:
    """Start a program that finds the segment `fd`. It gets no Ctrl-C: its parent tells it to end.

    Raises:
        BridgeError: it cannot be started.
    """
    try:
        return subprocess.Popen(
            list(command),
            stdout=stdout,
            stderr=stderr,
            pass_fds=[fd],
            cwd=cwd,
            env={
                **os.environ,
                **(env or {}),
                "COSIM_BRIDGE_FD": str(fd),
                "COSIM_BRIDGE_PATH": f"/proc/{os.getpid()}/fd/{fd}",
            },
            start_new_session=True,
        )
    except OSError as error:
        raise BridgeError(f"cannot start {command[0]}: {error.strerror}") from error


def end(process: subprocess.Popen[bytes], grace_s: float) -> None:
    """Wait `grace_s` for a process, then kill it and all that it started."""
    try:
        # Not Popen.wait: it polls, and a program's end should not cost a pause.
        with contextlib.suppress(ProcessLookupError):
            pidfd = os.pidfd_open(process.pid)
            try:
                ended = select.poll()
                ended.register(pidfd, select.POLLIN)
                ended.poll(grace_s * 1e3)
            finally:
                os.close(pidfd)
    finally:  # also when Ctrl-C comes while we wait
        # The group: a script between us and the program would leave it behind.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
