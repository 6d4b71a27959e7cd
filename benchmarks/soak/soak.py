# SPDX-License-Identifier: MIT
"""Many short runs in one Python process: what is left behind, and what grows.

    python benchmarks/soak/soak.py --runs 1000

Where other programs use /dev/shm, in a namespace of its own:

    sudo unshare -m sh -c 'mount -t tmpfs tmpfs /dev/shm && python benchmarks/soak/soak.py'

Each run is the shipped scenario `hello` on a constant channel, with another seed; every fiftieth is
run twice, and must give the same traces. After each run there must be no child process, no more
file descriptors and threads than after the third run, nothing new in /dev/shm and in the folder of
temporary files. Memory is reported, with the slope of the last half. What the process itself has
written (anonymous memory: heaps, arrays) must not grow by more than 20 MB over it (with fewer than
100 runs, caches are still being filled). What it has mapped of files (libraries, the language
model's weights) is reported beside it: it grows whenever something is read for the first time, as
when a run has a sentence whose results are not yet in the cache folder, and the kernel drops it
when memory is short.

When memory jumps by more than 10 MB from one run to the next, the mappings that grew are printed:
a file, the heap of the C library or one of its arenas (both "heap"), or memory that somebody asked
the kernel for, with what of it is in huge pages: the kernel may fill those up by itself.
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


def resident_bytes() -> tuple[int, int]:
    """Return resident memory of the process's own, and that of mapped files."""
    found = dict(re.findall(r"(Rss\w+):\s+(\d+) kB", Path("/proc/self/status").read_text()))
    return int(found["RssAnon"]) * 1024, int(found["RssFile"]) * 1024


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
    parser.add_argument("--first", type=int, default=1, help="seed of the first run")
    options = parser.parse_args()
    runs, offset = options.runs, options.first - 1
    started = time.perf_counter()
    memory: list[tuple[int, int]] = []
    mapped: dict[str, Mapping] = {}
    first: dict[str, int] = {}
    with tempfile.TemporaryDirectory(prefix="semcosim-soak-") as root:
        # Other programs' temporary files are none of ours.
        os.environ["TMPDIR"] = tempfile.tempdir = str(Path(root) / "tmp")
        Path(tempfile.tempdir).mkdir()
        for seed in range(1, runs + 1):
            hashes = one_run(offset + seed, Path(root) / str(seed))
            if seed % 50 == 0 and one_run(offset + seed, Path(root) / f"{seed}-again") != hashes:
                sys.exit(f"run {seed} did not repeat")
            memory.append(resident_bytes())
            before, mapped = mapped, mappings()
            if seed > WARM and abs(sum(memory[-1]) - sum(memory[-2])) > JUMP_BYTES:
                print(f"run {seed}: {in_words(memory[-2])}, then {in_words(memory[-1])}",
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
                      f"{in_words(memory[-1])}", flush=True)  # fmt: skip
    half = memory[len(memory) // 2 :]
    own, files = (_slope([m[kind] for m in half]) for kind in (0, 1))
    print(f"{runs} runs, nothing left behind; own memory grows by {own / 1e3:.1f} kB a run, "
          f"mapped files by {files / 1e3:.1f} kB")  # fmt: skip
    if runs >= 100 and own * len(half) > GROWTH_BYTES:
        sys.exit(
            f"own memory grew by {own * len(half) / 1e6:.0f} MB over the last {len(half)} runs"
        )


def in_words(memory: tuple[int, int]) -> str:
    return f"{memory[0] / 1e6:.0f} MB and {memory[1] / 1e6:.0f} MB of mapped files"


def _slope(values: list[int]) -> float:
    return statistics.linear_regression(range(len(values)), values).slope if values[1:] else 0.0


if __name__ == "__main__":
    main()
