# SPDX-License-Identifier: MIT
"""How much memory is free, and how much a process with its children holds. Linux's /proc only."""

import os
from pathlib import Path

PAGE_MB = os.sysconf("SC_PAGE_SIZE") / 2**20
PROC = Path("/proc")
CGROUP = Path("/sys/fs/cgroup")


def available_mb() -> float:
    """Return the memory that can be had without swapping, within the container's limit, in MiB."""
    free = float("inf")
    for line in (PROC / "meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            free = int(line.split()[1]) / 1024
    try:
        limit = (CGROUP / "memory.max").read_text().strip()
        if limit != "max":
            used = int((CGROUP / "memory.current").read_text())
            # The page cache counts as used there, and is given back when it is needed.
            stat = dict(line.split() for line in (CGROUP / "memory.stat").read_text().splitlines())
            cache = int(stat.get("inactive_file", 0))
            free = min(free, (int(limit) - used + cache) / 2**20)
    except (OSError, ValueError):
        pass
    return free


def tree_mb(pid: int) -> float:
    """Return the private memory of a process and all its descendants in MiB, 0 if it is gone.

    Resident pages less those shared with files (statm): libraries that all runs map count once in
    the machine, so they are not counted for each run.
    """
    total = 0.0
    seen, todo = set(), [pid]
    while todo:
        current = todo.pop()
        if current in seen:
            continue
        seen.add(current)
        try:
            _, resident, shared, *_ = (PROC / str(current) / "statm").read_text().split()
            total += (int(resident) - int(shared)) * PAGE_MB
            for task in (PROC / str(current) / "task").iterdir():
                todo += [int(child) for child in (task / "children").read_text().split()]
        except (OSError, ValueError):
            continue
    return total
