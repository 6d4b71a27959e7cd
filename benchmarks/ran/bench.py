# SPDX-License-Identifier: MIT
"""CPU seconds per simulated second of saturated cells, beside ns-3's LTE and the floor of its IP.

    cmake -S . -B build/editable -DCOSIM_BUILD_TESTS=ON && cmake --build build/editable -j2
    python benchmarks/ran/bench.py --out ran.json          # a few minutes
    python benchmarks/ran/bench.py --full                  # all sizes of the matrix
    python benchmarks/ran/bench.py --scheduler             # what a scheduler in Python costs

The floor of a row is the same number of packets a second over plain point-to-point links in the
same minute on the same machine, so that ratios hold where absolute times do not.
"""

import argparse
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROGRAM = ROOT / "build" / "editable" / "test-bin" / "ran-bench"
PRBS = {20: 51, 40: 106, 100: 273}
"""Bandwidth in MHz at 30 kHz → PRBs (TS 38.101-1 table 5.3.2-1)."""
DL_BITS, UL_BITS = 1.2e6, 3.2e5
"""Bit/s a PRB and cell that are offered: what DDDSU carries at the highest MCS of 64QAM, 5.55 bits
an element on 1200 slots of 144 elements and 400 of 96 downlink, 400 of 144 uplink a second."""
SMALL = ((1, 20, 40), (7, 10, 40), (1, 50, 100))
FULL = tuple(itertools.product((1, 3, 7, 19), (5, 20, 50, 100), (20, 40, 100)))


def run(**options: object) -> dict[str, float]:
    """Run the program once and return its figures."""
    words = [f"--{key}={value}" for key, value in options.items()]
    done = subprocess.run([PROGRAM, *words], capture_output=True, text=True, check=True)
    pairs = dict(word.split("=") for word in done.stdout.split())
    return {key: float(value) for key, value in pairs.items() if key != "kind"}


def median(repeats: int, **options: object) -> dict[str, float]:
    """Return the run of the median CPU time."""
    runs = sorted((run(**options) for _ in range(repeats)), key=lambda r: r["cpu_s"])
    return runs[len(runs) // 2]


def row(cells: int, ues: int, mhz: int, seconds: float, repeats: int, load: float) -> dict:
    """Measure one size: ours, and the floor for as many packets as ours delivered."""
    prbs = PRBS[mhz]
    dl, ul = load * DL_BITS * prbs / ues, load * UL_BITS * prbs / ues
    size = {"cells": cells, "ues": ues, "prbs": prbs, "seconds": seconds}
    own = median(repeats, kind="nr", dl=dl, ul=ul, **size)
    quiet = median(repeats, kind="nr", dl=dl, ul=ul, slots=0, **size)
    # What was delivered, in the proportion in which it was offered.
    share = own["mbps"] * 1e6 / (cells * ues * (dl + ul))
    floor = median(repeats, kind="p2p", dl=share * dl, ul=share * ul, **size)
    return {
        "cells": cells,
        "ues": ues,
        "mhz": mhz,
        "load": load,
        "cpu_s": own["cpu_s"] / seconds,
        "cpu_s_without_slot_records": quiet["cpu_s"] / seconds,
        "floor_s": floor["cpu_s"] / seconds,
        "ratio": own["cpu_s"] / floor["cpu_s"],
        "mbps": own["mbps"],
    }


def scheduler_cost(repeats: int) -> dict[str, float]:
    """Measure what a question to Python costs beyond the same run with ns-3's own scheduler.

    Weights of 1 are proportional fair, so both runs do the same in the air. Runs of two lengths, so
    that start and end cancel; with and without the table of slots, because Python writes no traces
    while it is asked. Wall time means something only on an idle machine.
    """
    import numpy as np

    from cosim.engine import run_scenario
    from cosim.scenario import load_scenario
    from cosim.schedulers import SlotScheduler, register_scheduler

    class Timed(SlotScheduler):
        """Proportional fair without a thought, and says how long that took."""

        spent_s = 0.0
        questions = 0

        def decide(self, view):
            start = time.perf_counter()
            weights = np.ones(len(view.ues))
            Timed.spent_s += time.perf_counter() - start
            Timed.questions += 1
            return weights

    register_scheduler("timed", lambda context: Timed())
    scenario = str(ROOT / "ns3_scenarios" / "examples" / "weighted.toml")
    short_s, long_s = 2.0, 12.0

    def wall_s(name: str, seconds: float, traces: bool) -> float:
        settings = [
            f"mac.scheduler={name}",
            "mac.python_scheduler=timed",
            "mac.python_action=weights",
            f"run.duration_s={seconds}",
        ]
        if not traces:
            settings += ["traces.slots=false"]
        loaded = load_scenario(scenario, tuple(settings))
        with tempfile.TemporaryDirectory() as folder:
            start = time.perf_counter()
            result = run_scenario(loaded, Path(folder))
            took = time.perf_counter() - start
            assert result.status == "finished", result.reason
        return took

    found = {}
    for words, traces in (("with_slots_table", True), ("without", False)):
        walls: dict[tuple[str, float], list[float]] = {}
        Timed.questions = 0
        for _ in range(repeats):
            for name, seconds in itertools.product(("pf", "python"), (short_s, long_s)):
                walls.setdefault((name, seconds), []).append(wall_s(name, seconds, traces))
        middle = {key: statistics.median(times) for key, times in walls.items()}
        more = [middle["python", s] - middle["pf", s] for s in (short_s, long_s)]
        questions = Timed.questions / repeats * (long_s - short_s) / (long_s + short_s)
        found[f"wall_us_a_question_{words}"] = 1e6 * (more[1] - more[0]) / questions
    return {**found, "agent_us_a_question": 1e6 * Timed.spent_s / Timed.questions}


def main() -> int:
    """Measure, print a table, and write JSON."""
    parser = argparse.ArgumentParser(description="Cost of the radio network.")
    parser.add_argument("--full", action="store_true", help="1 to 19 cells, 5 to 100 UEs")
    parser.add_argument("--scheduler", action="store_true", help="only a scheduler in Python")
    parser.add_argument("--seconds", type=float, default=1.0, help="simulated time")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--load", type=float, default=1.0, help="offered load, 1 saturates")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    found: dict[str, object] = {"load_average": os.getloadavg(), "cpus": os.cpu_count()}
    if options.scheduler:
        found["scheduler"] = scheduler_cost(options.repeats)
        print(found["scheduler"])
    else:
        rows = []
        print("cells  UEs  MHz   CPU s   floor  ratio  Mbit/s  (no slot records)")
        for cells, ues, mhz in FULL if options.full else SMALL:
            got = row(cells, ues, mhz, options.seconds, options.repeats, options.load)
            rows.append(got)
            print(
                f"{cells:5d} {ues:4d} {mhz:4d} {got['cpu_s']:7.3f} {got['floor_s']:7.3f} "
                f"{got['ratio']:6.2f} {got['mbps']:7.0f}  {got['cpu_s_without_slot_records']:.3f}",
                flush=True,
            )
        lte = median(options.repeats, kind="lte", cells=1, ues=20, prbs=100, dl=4e6, ul=2e6,
                     seconds=options.seconds)  # fmt: skip
        print(f"ns-3 LTE, 20 MHz, 1 x 20: {lte['cpu_s'] / options.seconds:.3f} CPU s, "
              f"{lte['mbps']:.0f} Mbit/s")  # fmt: skip
        found |= {"rows": rows, "lte": lte}
    if options.out:
        options.out.write_text(json.dumps(found, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
