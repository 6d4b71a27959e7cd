# SPDX-License-Identifier: MIT
"""The channel process of a run, from the engine's side.

It needs the plan alone and takes seconds to import Sionna and draw the rays, so that it is started
first: models and agents are made ready meanwhile. The segment belongs to it because it gets the
descriptor when it starts.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from types import TracebackType
from typing import Any, Self

from cosim.bridge import Bridge
from cosim.channel_process import channel_spec, spec_to_json
from cosim.plan import Plan

END_TIMEOUT_S = 5.0


class ChannelRun:
    """A bridge and the process that will publish channel blocks over it.

    Used as a context manager it leaves no process behind.

    Args:
        plan: of the run.

    Attributes:
        bridge: not laid out yet; the simulator does that.
        stderr: a file for what this process and the simulator have to say last.
    """

    def __init__(self, plan: Plan) -> None:
        self.stderr = tempfile.TemporaryFile()  # noqa: SIM115 - closed by end()
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - likewise
        self.bridge = Bridge.create()
        self._ended = False
        fd = self.bridge.fileno()
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "cosim.channel_process"],
                stdin=subprocess.PIPE,
                stdout=self._said,
                stderr=self.stderr,
                pass_fds=[fd],
                env={**os.environ, "COSIM_BRIDGE_FD": str(fd), "OMP_NUM_THREADS": "1"},
                start_new_session=True,
            )
        except BaseException:
            self.bridge.close()
            raise
        try:
            assert self._process.stdin is not None
            request = json.loads(spec_to_json(channel_spec(plan)))
            request["cache"] = plan.scenario.channel.cache
            self._process.stdin.write(json.dumps(request).encode())
            self._process.stdin.close()
        except BaseException:
            self.end(0.0)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.end(0.0)

    def failure(self) -> int | None:
        """Return the status with which the process ended too early; None if it did not."""
        return self._process.poll() or None

    def last_words(self) -> str:
        """Return the end of what the children wrote to standard error."""
        self.stderr.seek(0, os.SEEK_END)
        self.stderr.seek(max(self.stderr.tell() - 2000, 0))
        return self.stderr.read().decode(errors="replace").strip()

    def facts(self) -> dict[str, Any]:
        """Return the last that the process said about its work; it says so after each block."""
        self._said.seek(0)
        lines = [line for line in self._said if line.endswith(b"\n")]
        return dict(json.loads(lines[-1])) if lines else {}

    def end(self, timeout_s: float = END_TIMEOUT_S) -> None:
        """Wait for the process to end, kill it if it does not, and let the bridge go."""
        if self._ended:
            return
        self._ended = True
        end_process(self._process, timeout_s)
        self.bridge.close()
        self.stderr.close()
        self._said.close()


def end_process(process: subprocess.Popen[bytes], timeout_s: float = END_TIMEOUT_S) -> None:
    """Wait for a process to end by itself, and kill it when the time is over."""
    deadline = time.monotonic() + timeout_s
    while process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    if process.poll() is None:
        process.kill()
    process.wait()
