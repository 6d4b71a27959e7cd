# SPDX-License-Identifier: MIT
"""Many short runs in one Python process: what is left behind, and what grows.

    python benchmarks/soak/soak.py --runs 1000

Where other programs use /dev/shm, in a namespace of its own:

    sudo unshare -m sh -c 'mount -t tmpfs tmpfs /dev/shm && python benchmarks/soak/soak.py'

Each run is the shipped scenario `hello` on a constant channel, with another seed; every fiftieth is
run twice, and must give the same traces. After each run there must be no child process, no more
file descriptors and threads than after the third run, nothing new in /dev/shm and in the folder of
temporary files. Memory is reported, with the slope of the last half, and must not grow by more than
20 MB over it (with fewer than 100 runs, caches are still being filled).

When memory jumps by more than 10 MB from one run to the next, the mappings that grew are printed:
a library, the heap of the C library or one of its arenas (both "heap"), or memory that somebody
asked the kernel for, with what of it is in huge pages: the kernel may fill those up by itself.
"""

import argparse
import os
import re
import shutil
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

from cosim.engine import run_scenario
from cosim.scenario import load_scenario
from cosim.traces import trace_hashes

SETTINGS = ("channel.model=constant", "run.duration_s=0.05", "ues.count=2")
WARM = 3
GROWTH_BYTES = 20e6
JUMP_BYTES = 10e6
ARENA_BYTES = 64 << 20  # glibc: HEAP_MAX_SIZE, to which each further arena's heap is aligned

Mapping = tuple[int, int]  # resident bytes, of them in huge pages


def state() -> dict[str, int]:
    """Return what a leak would raise."""
    children = sum(
        len((task / "children").read_text().split()) for task in Path("/proc/self/task").iterdir()
    )
    return {
        "children": children,
        "descriptors": len(os.listdir("/proc/self/fd")),
        "threads": threading.active_count(),
        "shared memory": sum(not n.startswith("sem.") for n in os.listdir("/dev/shm")),
        "temporary files": len(os.listdir(tempfile.gettempdir())),
    }


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def mappings() -> dict[str, Mapping]:
    """Return what is resident, by the file mapped or by the place of memory without one."""
    out: dict[str, Mapping] = {}
    name = ""
    for line in Path("/proc/self/smaps").read_text().splitlines():
        words = line.split(maxsplit=5)
        if head := re.match(r"([0-9a-f]+)-([0-9a-f]+) ", line):
            start, end = (int(v, 16) for v in head.groups())
            name = words[5] if len(words) > 5 else ""
            if not name and start % ARENA_BYTES == 0 and end - start <= ARENA_BYTES:
                name = f"[heap of an arena] {start:x}"
            # The end stays when a mapping grows downwards, the start when it grows upwards.
            name = name or f"[anonymous] {start:x}-{end:x}, {(end - start) / 1e6:.1f} MB mapped"
            out.setdefault(name, (0, 0))
        elif words[0] == "Rss:":
            out[name] = (out[name][0] + int(words[1]) * 1024, out[name][1])
        elif words[0] == "AnonHugePages:":
            out[name] = (out[name][0], out[name][1] + int(words[1]) * 1024)
    return out


def grown(before: dict[str, Mapping], after: dict[str, Mapping], most: int = 12) -> list[str]:
    """Return a line for each of the mappings that changed most, the largest change first."""
    rows = []
    for name in before.keys() | after.keys():
        (old, old_huge), (new, new_huge) = before.get(name, (0, 0)), after.get(name, (0, 0))
        rows.append((new - old, new_huge - old_huge, name))
    rows.sort(key=lambda r: -abs(r[0]))
    return [
        f"    {change / 1e6:+.1f} MB ({huge / 1e6:+.1f} MB in huge pages) {name}"
        for change, huge, name in rows[:most]
        if abs(change) >= 1e5
    ]


def one_run(seed: int, folder: Path) -> dict[str, str]:
    scenario = load_scenario("hello", overrides=[*SETTINGS, f"run.seed={seed}"])
    folder.mkdir()
    result = run_scenario(scenario, folder)
    if result.status != "finished":
        sys.exit(f"run {seed} ended as {result.status}: {result.reason}")
    hashes = trace_hashes(folder)
    shutil.rmtree(folder)
    return hashes


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=100)
    runs = parser.parse_args().runs
    started = time.perf_counter()
    memory: list[int] = []
    mapped: dict[str, Mapping] = {}
    first: dict[str, int] = {}
    with tempfile.TemporaryDirectory(prefix="semcosim-soak-") as root:
        # Other programs' temporary files are none of ours.
        os.environ["TMPDIR"] = tempfile.tempdir = str(Path(root) / "tmp")
        Path(tempfile.tempdir).mkdir()
        for seed in range(1, runs + 1):
            hashes = one_run(seed, Path(root) / str(seed))
            if seed % 50 == 0 and one_run(seed, Path(root) / f"{seed}-again") != hashes:
                sys.exit(f"run {seed} did not repeat")
            memory.append(resident_bytes())
            before, mapped = mapped, mappings()
            if seed > WARM and abs(memory[-1] - memory[-2]) > JUMP_BYTES:
                print(f"run {seed}: {memory[-2] / 1e6:.0f} MB, then {memory[-1] / 1e6:.0f} MB",
                      *grown(before, mapped), sep="\n", flush=True)  # fmt: skip
            now = state()
            if seed == WARM:
                first = now
            elif seed > WARM:
                left = {k: (first[k], v) for k, v in now.items() if v > first[k]}
                if left:
                    sys.exit(f"after run {seed}: {left}")
            if seed % max(runs // 10, 1) == 0:
                print(f"{seed} runs, {time.perf_counter() - started:.0f} s, "
                      f"{memory[-1] / 1e6:.0f} MB", flush=True)  # fmt: skip
    half = memory[len(memory) // 2 :]
    slope = statistics.linear_regression(range(len(half)), half).slope if len(half) > 1 else 0.0
    print(f"{runs} runs, nothing left behind; memory grows by {slope / 1e3:.1f} kB a run")
    if runs >= 100 and slope * len(half) > GROWTH_BYTES:
        sys.exit(f"memory grew by {slope * len(half) / 1e6:.0f} MB over the last {len(half)} runs")


if __name__ == "__main__":
    main()
