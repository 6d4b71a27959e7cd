# SPDX-License-Identifier: MIT
"""Where the C++ half lies, for build systems: `python -m cosim.bridge --cmake-dir`."""

import argparse
import shutil
import sys
from pathlib import Path

from cosim.bridge.paths import cmake_dir, include_dir, template_dir


def main(arguments: list[str] | None = None) -> int:
    """Print a folder, or copy the template project."""
    parser = argparse.ArgumentParser(prog="python -m cosim.bridge", description=__doc__)
    choice = parser.add_mutually_exclusive_group(required=True)
    choice.add_argument(
        "--cmake-dir", action="store_true", help="folder for cosim_DIR of find_package(cosim)"
    )
    choice.add_argument("--include-dir", action="store_true", help="folder of the C++ headers")
    choice.add_argument(
        "--copy-template", metavar="FOLDER", type=Path, help="start a project of your own there"
    )
    options = parser.parse_args(arguments)
    if options.copy_template is None:
        print(cmake_dir() if options.cmake_dir else include_dir())
        return 0
    if options.copy_template.exists():
        print(f"{options.copy_template} exists already: choose another folder", file=sys.stderr)
        return 1
    shutil.copytree(
        template_dir(), options.copy_template, ignore=shutil.ignore_patterns("build", "__pycache__")
    )
    print(f"{options.copy_template} is yours; its README.md says how to build and run it")
    return 0


if __name__ == "__main__":
    sys.exit(main())
