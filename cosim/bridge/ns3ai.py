# SPDX-License-Identifier: MIT
"""ns3-ai's Python half: starts an ns-3 program and hands out its message interface.

The public interface is ns3-ai's (`import ns3ai_utils`), names included; the memory behind it is the
bridge's. Source of the interface: ns3-ai's documentation, release of January 2025.
"""

# ruff: noqa: N803 - the parameters' names are ns3-ai's

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import weakref
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import IO, Any

from cosim.bridge._bridge import NS3AI_TURNS, SIDES, BridgeError
from cosim.bridge.bridge import Bridge
from cosim.bridge.child import end, start

# The interface's constructor, in C++, learns through the environment which segment is its own.
_constructing = threading.Lock()


def find_program(name: str, ns3_path: str | os.PathLike[str]) -> tuple[list[str], Path | None]:
    """Return how to start an ns-3 program: the command, and the folder to start it in.

    Args:
        name: a path; or an executable in `ns3_path`, in its `build` (as our CMake function makes
            it) or on the PATH; or a target of `ns3_path`/ns3, ns-3's own script.
        ns3_path: a folder.

    Raises:
        BridgeError: there is no such program.
    """
    folder = Path(ns3_path)
    candidates = [Path(name), folder / name, folder / "build" / name, folder / "build/bin" / name]
    for candidate in candidates:
        if candidate.is_file() and os.access(candidate, os.X_OK):
            return [str(candidate.resolve())], None
    if (folder / "ns3").is_file():
        return [sys.executable, str((folder / "ns3").resolve()), "run"], folder
    if (found := shutil.which(name)) is not None:
        return [found], None
    raise BridgeError(
        f"there is no program {name!r}: looked for {', '.join(map(str, candidates))}, for ns-3's "
        f"script {folder / 'ns3'}, and on the PATH"
    )


class Experiment:
    """An ns-3 program and the message interface to it. Any number may live in a process.

    Args:
        targetName: the program, see `find_program`.
        ns3Path: ns-3's folder, or one with executables.
        msgModule: the pybind11 module with the structs and `Ns3AiMsgInterfaceImpl`.
        handleFinish: whether the program's orderly end is told by `PyGetFinished`.
        useVector: vectors of structs instead of one struct each way.
        vectorSize: elements of both vectors from the start.
        shmSize: bytes that a vector can have at least; more is taken as it grows.
        segName: kept for programs that give it; names cannot clash here.
        cpp2pyMsgName: as segName.
        py2cppMsgName: as segName.
        lockableName: as segName.

    Raises:
        BridgeError: vectors without a size or a size without vectors.
    """

    def __init__(
        self,
        targetName: str,
        ns3Path: str | os.PathLike[str],
        msgModule: ModuleType,
        handleFinish: bool = False,
        useVector: bool = False,
        vectorSize: int | None = None,
        shmSize: int = 4096,
        segName: str = "My Seg",
        cpp2pyMsgName: str = "My Cpp to Python Msg",
        py2cppMsgName: str = "My Python to Cpp Msg",
        lockableName: str = "My Lockable",
    ) -> None:
        if useVector and vectorSize is None:
            raise BridgeError("useVector=True needs vectorSize: how many elements both vectors get")
        self.targetName = targetName
        self.ns3Path = ns3Path
        self._bridge = Bridge.create("cosim-ns3ai")
        self._running: list[_Run] = []  # at most one; the finalizer needs it without `self`
        self._finalizer = weakref.finalize(self, _finish, self._running, self._bridge)
        with _constructing:
            os.environ["COSIM_NS3AI_CREATE_FD"] = str(self._bridge.fileno())
            try:
                self.msgInterface: Any = msgModule.Ns3AiMsgInterfaceImpl(
                    True, useVector, handleFinish, shmSize,
                    segName, cpp2pyMsgName, py2cppMsgName, lockableName,
                )  # fmt: skip
            finally:
                del os.environ["COSIM_NS3AI_CREATE_FD"]
        if useVector:
            self.msgInterface.GetCpp2PyVector().resize(vectorSize)
            self.msgInterface.GetPy2CppVector().resize(vectorSize)

    def run(self, setting: Mapping[str, Any] | None = None, show_output: bool = False) -> Any:
        """Start the program, with `--key=value` for each setting; an earlier run is ended first.

        Args:
            setting: options of the program's command line.
            show_output: let its output through; otherwise only the end of it is shown, when it
                fails.

        Returns:
            The message interface object of `msgModule`.

        Raises:
            BridgeError: there is no such program.
        """
        self.kill()
        command, folder = find_program(self.targetName, self.ns3Path)
        options = [f"--{key}={value}" for key, value in (setting or {}).items()]
        if command[-1] == "run":  # ns-3's script takes the program's command line as one word
            command = [*command, " ".join([self.targetName, *options])]
        else:
            command = [*command, *options]
        native, fd = self._bridge._native, self._bridge.fileno()
        native.vacate()
        offset, size = NS3AI_TURNS
        os.pwrite(fd, bytes(size), offset)  # nobody's turn; no process but this one looks
        output = None if show_output else tempfile.TemporaryFile()  # noqa: SIM115 - _Run closes it
        process = start(command, fd, stdout=output, stderr=output, cwd=folder)
        native.expect(process.pid)
        self._running.append(_Run(process, output))
        return self.msgInterface

    def kill(self) -> None:
        """End the program if it runs; what has announced its end gets a second to write results."""
        ended = self._bridge._native.state(SIDES["simulator"])[0] == 2
        while self._running:
            self._running.pop().end(grace_s=1.0 if ended else 0.0)

    def isalive(self) -> bool:
        """Whether the program runs."""
        return bool(self._running) and self._running[0].process.poll() is None


class _Run:
    """A started program and its hidden output."""

    def __init__(self, process: subprocess.Popen[bytes], output: IO[bytes] | None) -> None:
        self.process = process
        self.output = output

    def end(self, grace_s: float) -> None:
        # A program that waited for us while it failed by itself has a little time to say why.
        failed = self.process.poll() not in (None, 0)
        end(self.process, grace_s)
        if self.output is not None:
            if failed:
                self.output.seek(0)
                text = self.output.read()[-4000:].decode(errors="replace")
                name = self.process.args[0] if isinstance(self.process.args, list) else ""
                print(f"{name} ended with {self.process.returncode}:\n{text}", file=sys.stderr)
            self.output.close()


def _finish(running: list[_Run], bridge: Bridge) -> None:
    with contextlib.suppress(BridgeError):
        while running:
            ended = bridge._native.state(SIDES["simulator"])[0] == 2
            running.pop().end(grace_s=1.0 if ended else 0.0)
        bridge.close()
