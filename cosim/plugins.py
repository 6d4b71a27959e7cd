# SPDX-License-Identifier: MIT
"""Code of the user's own that a run loads first: only what a command line or a caller names."""

import runpy
from collections.abc import Sequence
from pathlib import Path

from cosim.command_error import EXIT_BAD_INPUT, CommandError

_libraries: list[Path] = []


def load_plugin(path: Path | str) -> None:
    """Run a Python file, or note a shared library for ns-3 to load.

    Args:
        path: a Python file that registers agents, tasks, codecs or schedulers; or a shared library
            (`.so`) with ns-3 classes, see `cosim_add_ns3_plugin`.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a `.so` that is no shared library.
        Exception: whatever the Python file raises.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError("there is no such file")
    if path.suffix != ".so":
        runpy.run_path(str(path))
        return
    with path.open("rb") as file:
        if file.read(4) != b"\x7fELF":
            raise ValueError("no shared library (cosim_add_ns3_plugin in CMake builds one)")
    resolved = path.resolve()
    if resolved not in _libraries:
        _libraries.append(resolved)


def load_plugins(paths: Sequence[Path] | None) -> None:
    """Load the files that a command line names.

    Raises:
        CommandError: one cannot be loaded; the text names it, the exit code is that of bad input.
    """
    for path in paths or ():
        try:
            load_plugin(path)
        except (FileNotFoundError, ValueError) as error:
            raise CommandError(f"--plugin {path}: {error}", EXIT_BAD_INPUT) from error
        except Exception as error:
            raise CommandError(
                f"--plugin {path}: {type(error).__name__}: {error}", EXIT_BAD_INPUT
            ) from error


def ns3_libraries() -> tuple[Path, ...]:
    """Return the shared libraries that ns-3 loads at its start, in the order of their loading."""
    return tuple(_libraries)
