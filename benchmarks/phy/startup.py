# SPDX-License-Identifier: MIT
"""CPU seconds of the channel process's imports, with PyTorch's compiler and without.

    python benchmarks/phy/startup.py [--rounds 3]

Each is measured in a process of its own, in turns; the medians are printed.
"""

import argparse
import statistics
import subprocess
import sys

PROGRAM = """
import time
start = time.process_time()
import torch
middle = time.process_time()
{statement}
from sionna.phy.channel.tr38901 import UMi
print(middle - start, time.process_time() - middle)
"""
STATEMENTS = {
    "import sionna.phy": "import sionna.phy",
    "import_sionna()": "from sionna_phy.lean_import import import_sionna; import_sionna()",
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    found = {name: [] for name in STATEMENTS}
    for _ in range(arguments.rounds):
        for name, statement in STATEMENTS.items():
            program = PROGRAM.format(statement=statement)
            done = subprocess.run(
                [sys.executable, "-c", program], capture_output=True, text=True, check=True
            )
            found[name].append([float(value) for value in done.stdout.split()])
    for name, rows in found.items():
        torch_s, sionna_s = (statistics.median(column) for column in zip(*rows, strict=True))
        print(f"{name}: torch {torch_s:.2f} s, Sionna {sionna_s:.2f} s of CPU")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
