# SPDX-License-Identifier: MIT
"""Where the bridge's C++ half lies, in an installed package and in a checkout."""

from pathlib import Path

_HERE = Path(__file__).resolve().parent


def include_dir() -> Path:
    """Return the folder of the C++ headers (`#include "cosim/bridge/bridge.hpp"`)."""
    return _HERE / "include"


def cmake_dir() -> Path:
    """Return the folder of `cosim-config.cmake`, for `cosim_DIR`."""
    return _HERE / "cmake"


def template_dir() -> Path:
    """Return the template project of a program of one's own."""
    installed = _HERE / "templates" / "own-program"
    return (
        installed if installed.is_dir() else _HERE.parents[1] / "ns3_scenarios/examples/own-program"
    )
