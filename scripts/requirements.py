# SPDX-License-Identifier: MIT
"""Print the requirements of pyproject.toml that pip may resolve, one a line.

`ns3` is left out because setup.sh installs it without its own dependencies (cppyy), and `torch`
because it is pinned to the CPU build. Arguments: `build` adds the build requirements with CMake and
ninja, any other word an optional group.
"""

import sys
import tomllib
from pathlib import Path

SEPARATELY = ("ns3", "torch")


def requirements(extras: list[str]) -> list[str]:
    """Return the project's requirements with those of some extras."""
    project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text())
    wanted = list(project["project"]["dependencies"])
    for extra in extras:
        if extra == "build":
            wanted += [*project["build-system"]["requires"], "cmake>=3.22", "ninja"]
        else:
            wanted += project["project"]["optional-dependencies"][extra]
    return [line for line in wanted if line.split("=")[0].split(">")[0].strip() not in SEPARATELY]


if __name__ == "__main__":
    print("\n".join(requirements(sys.argv[1:])))
