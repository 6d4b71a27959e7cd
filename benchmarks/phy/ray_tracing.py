# SPDX-License-Identifier: MIT
"""Seconds per link update: all UEs in one solve against one pair per solve, in the same process.

    python benchmarks/phy/ray_tracing.py [--ues 20] [--rounds 3] [--json FILE]

Munich, one site, moving UEs. Both ways load the scene once; a simulator that loads it for every
link is slower still. What is timed is positions in, paths out. With --solver-samples the pairs are
solved with as many rays as Sionna's solver sends by default (1e6), as programs do that leave it at
that.

An update is one link in one block of 0.1 s. One pair per solve means a solve for each. All in one
call, paths are found anew when the UEs have moved by half a metre, every 6 blocks at 3 km/h
(channel.rt_step_m), and the surfaces that may make them are looked for in every fourth solve
(channel.rt_search_m). The lines say what each of the three gives.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np

from sionna_phy.channel.raytraced import TracerProcess

CELL_M = [8.5, 21.0, 27.0]


def options(samples: int) -> dict:
    return {
        "scene": "munich", "frequency_hz": 3.5e9, "cells_m": [CELL_M],
        "orientations_rad": [[0.0, 0.0, 0.0]], "rows": 2, "columns": 2, "dual": False,
        "pattern": "omni", "ue_antennas": 1, "max_depth": 3, "samples": samples, "paths": 2000,
        "seed": 1,
    }  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ues", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--samples", type=int, default=100_000)
    parser.add_argument("--solver-samples", action="store_true")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    ues, rounds = arguments.ues, arguments.rounds
    rng = np.random.default_rng(1)
    start = np.column_stack(
        [rng.uniform(-60, 140, ues), rng.uniform(-40, 160, ues), np.full(ues, 1.5)]
    )
    heading = rng.uniform(0, 2 * np.pi, ues)
    velocity = 0.8333 * np.column_stack([np.cos(heading), np.sin(heading), np.zeros(ues)])
    tracer = TracerProcess(options(arguments.samples))
    pairs = TracerProcess(options(1_000_000)) if arguments.solver_samples else tracer
    searching, kept, alone, paths = [], [], [], []
    for number in range(rounds + 1):  # the first round compiles kernels and does not count
        places = start + 2.0 * number * velocity
        times = [time.perf_counter()]
        found = tracer.solve(places, velocity)
        times.append(time.perf_counter())
        tracer.solve(places + 0.6 * velocity, velocity, places)
        times.append(time.perf_counter())
        for ue in range(ues):
            pairs.solve(places[[ue]], velocity[[ue]])
        times.append(time.perf_counter())
        if number:
            seconds = np.diff(times) / ues
            searching.append(seconds[0])
            kept.append(seconds[1])
            alone.append(seconds[2])
            paths.append(int((found["tau"] >= 0).sum()))
    tracer.close()
    pairs.close()
    searching_s, kept_s, alone_s = (float(np.median(v)) for v in (searching, kept, alone))
    solves, blocks = 4, int(0.5 / (0.8333 * 0.1))
    mean_s = (searching_s + (solves - 1) * kept_s) / solves
    result = {
        "ues": ues,
        "samples": arguments.samples,
        "samples_of_pairs": 1_000_000 if arguments.solver_samples else arguments.samples,
        "paths": paths,
        "searching_s": searching_s,
        "kept_s": kept_s,
        "one_pair_s": alone_s,
        "solves_of_a_search": solves,
        "blocks_of_a_solve": blocks,
        "ratio_searching": alone_s / searching_s,
        "ratio_kept": alone_s / kept_s,
        "ratio_solve": alone_s / mean_s,
        "ratio_block": alone_s / mean_s * blocks,
    }
    print(
        f"{ues} UEs, {paths} paths, ms a link: {alone_s * 1e3:.1f} one pair per solve; together "
        f"{searching_s * 1e3:.1f} with a search ({result['ratio_searching']:.1f} times less), "
        f"{kept_s * 1e3:.1f} over known surfaces ({result['ratio_kept']:.1f})\n"
        f"a search in every {solves}th solve: {result['ratio_solve']:.1f} times less a solve; a "
        f"solve every {blocks} blocks: {result['ratio_block']:.0f} times less an update"
    )
    if arguments.json:
        arguments.json.write_text(json.dumps(result) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
