# SPDX-License-Identifier: MIT
"""What the bridge costs: echo, ring, pairs, blocks, stream, and a matrix product beside it.

    python benchmarks/bridge/bench.py --seconds 1 --repeat 3 --only echo,pairs --out figures.json

In the manner of HELICS' echo and ring benchmarks. Latencies are in microseconds, measured in C++
from before the first record of a batch is written until the answer was read. Two yardsticks run in
the same minute: a futex and a spin between two C++ processes that exchange as many bytes. On a
shared machine read the ratios: each measurement is repeated in turn with its yardsticks, `best` is
the median of the best tenth of a run, `median` and `p99` are those of the whole of the best run.
`--realtime` (root) keeps other programs off the cores meanwhile, as if the machine were idle.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from cosim.bridge import Bridge
from cosim.bridge.paths import include_dir

HERE = Path(__file__).resolve()
PEER = HERE.parents[2] / "build/bench/bench_peer"
Row = dict[str, Any]


def build() -> None:
    sources = [HERE.with_name("bench_peer.cpp"), *include_dir().rglob("*.hpp")]
    if PEER.exists() and PEER.stat().st_mtime > max(p.stat().st_mtime for p in sources):
        return
    PEER.parent.mkdir(parents=True, exist_ok=True)
    flags = ["-O2", "-std=c++20", f"-I{include_dir()}", "-pthread"]
    subprocess.run(["g++", *flags, str(sources[0]), "-o", str(PEER)], check=True)


@contextmanager
def on(cores: list[int]) -> Iterator[None]:
    """Keep this process and the peers it starts on some cores."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def alone(*arguments: object) -> Row:
    command = [str(PEER), *map(str, arguments)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def coupled(serve: Callable[[Bridge], Row | None], *arguments: object) -> Row:
    """Run a peer with Python's half; add Python's CPU seconds."""
    with Bridge.create() as bridge:
        process = bridge.spawn([str(PEER), *map(str, arguments)], stdout=subprocess.PIPE)
        bridge.wait_ready()
        before = time.process_time()
        extra = serve(bridge) or {}
        python_cpu = time.process_time() - before
        with process.stdout:
            row = json.loads(process.stdout.read())
    return {**row, "python_cpu_s": round(python_cpu, 3), **extra}


def echo(bridge: Bridge) -> None:
    exchange = bridge.exchange("echo")
    for request in exchange:
        exchange.reply(len(request))["values"] = request["values"]
        exchange.send()


def best_of(rows: list[Row], key: str = "median") -> Row:
    return min(rows, key=lambda row: row[key])


def measure_echo(seconds: float, repeat: int) -> dict[str, Row]:
    cores = sorted(os.sched_getaffinity(0))
    # Not more than needed, so that several cores are still just two.
    places = {"two cores": cores[:2], "one core": cores[:1]}
    rows: dict[str, list[Row]] = {}
    for _ in range(repeat):
        for place, where in places.items():
            with on(where):
                for name, run in {
                    "C++ spin, 16 floats": lambda: alone("pingpong", "spin", seconds, 1),
                    "C++ spin, 64 x 16 floats": lambda: alone("pingpong", "spin", seconds, 64),
                    "C++ futex, 16 floats": lambda: alone("pingpong", "futex", seconds, 1),
                    "C++ futex, 64 x 16 floats": lambda: alone("pingpong", "futex", seconds, 64),
                    "bridge, 16 floats": lambda: coupled(echo, "echo", seconds, 1, 0),
                    "bridge, 64 x 16 floats": lambda: coupled(echo, "echo", seconds, 64, 0),
                }.items():
                    if (place, name[:8]) != ("one core", "C++ spin"):  # it waits for its slice
                        rows.setdefault(f"{place}: {name}", []).append(run())
    return {name: best_of(found) for name, found in rows.items()}


def measure_ring(seconds: float, _repeat: int) -> dict[str, Row]:
    """A token goes from program to program through one Python process."""
    bridges = [Bridge.create() for _ in range(4)]
    try:
        for bridge in bridges:
            bridge.spawn(
                [str(PEER), "echo", "1e6", "1", "0"],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        exchanges = []
        for bridge in bridges:
            bridge.wait_ready()
            exchanges.append(bridge.exchange("echo"))
        for exchange in exchanges:
            exchange.receive(5.0)  # all wait, none has the token
        hops, start, cpu = 0, time.perf_counter(), time.process_time()
        lengths = []
        while (now := time.perf_counter()) - start < seconds:
            for exchange in exchanges:
                exchange.reply(1)
                exchange.send()
                exchange.receive()
                hops += 1
            lengths.append((time.perf_counter() - now) / len(exchanges))
        wall = time.perf_counter() - start
        return {
            "ring of 4, a hop": {
                "n": hops,
                "median": round(1e6 * float(np.median(lengths)), 3),
                "p99": round(1e6 * float(np.quantile(lengths, 0.99)), 3),
                "wall_s": round(wall, 3),
                "python_cpu_s": round(time.process_time() - cpu, 3),
            }
        }
    finally:
        for bridge in bridges:
            bridge.close(grace_s=0.0)


def measure_pairs(seconds: float, repeat: int) -> dict[str, Row]:
    """Round trips a second of several pairs at once, each a Python process and its program."""
    rows = {}
    cores = sorted(os.sched_getaffinity(0))[:2]
    for pairs in (1, 2, 4, 8):
        found = []
        for _ in range(repeat):
            begin = time.monotonic() + 1.0 + 0.5 * pairs  # all have been started by then
            with on(cores):
                started = [
                    subprocess.Popen(
                        [sys.executable, str(HERE), "--serve", str(seconds), str(begin)],
                        stdout=subprocess.PIPE,
                    )
                    for _ in range(pairs)
                ]
            reports = [json.loads(p.communicate()[0]) for p in started]
            # Only the time in which all of them run counts.
            first = max(r["start"] for r in reports)
            last = min(r["end"] for r in reports)
            rate = sum(r["n"] / (r["end"] - r["start"]) for r in reports)
            found.append(
                {
                    "per_s": round(rate),
                    "overlap_s": round(last - first, 2),
                    "median": round(float(np.median([r["median"] for r in reports])), 3),
                    "p99": round(max(r["p99"] for r in reports), 3),
                    "cpu_s": round(sum(r["cpu_s"] + r["python_cpu_s"] for r in reports), 2),
                }
            )
        rows[f"{pairs} pairs on two cores"] = max(found, key=lambda row: row["per_s"])
    return rows


def measure_blocks(_seconds: float, repeat: int) -> dict[str, Row]:
    """Blocks of 1 MB, published in place."""
    size, count = 1 << 20, 2000
    rows: dict[str, Row] = {}

    def publish(fill: bool) -> Callable[[Bridge], Row]:
        def serve(bridge: Bridge) -> Row:
            blocks = bridge.blocks("blocks")
            for number in range(count):
                claimed = blocks.claim(number, size)
                assert claimed is not None
                if fill:
                    claimed[1].fill(1.0)
                blocks.commit()
            while not bridge.finished:
                bridge.wait(1.0)
            return {}

        return serve

    for name, fill, read in [
        ("1 MB blocks handed over", False, 0),
        ("1 MB blocks written and read", True, 1),
    ]:
        found = [coupled(publish(fill), "blocks", count, 4, size, read) for _ in range(repeat)]
        row = best_of(found, "wall_s")
        handed = count - 8
        row["gb_per_s"] = round(handed * size / row["wall_s"] / 1e9, 2)
        row["us_per_block"] = round(1e6 * row["wall_s"] / handed, 2)
        row["cpu_us_per_block"] = round(1e6 * (row["cpu_s"] + row["python_cpu_s"]) / handed, 2)
        rows[name] = row
    pair = best_of([alone("handover", count, 4, size) for _ in range(repeat)], "wall_s")
    rows["the same between C++ processes that spin"] = {
        "gb_per_s": round((count - 8) * size / pair["wall_s"] / 1e9, 2),
        "us_per_block": round(1e6 * pair["wall_s"] / (count - 8), 2),
    }
    copies = [alone("copy", size, 0.3)["bytes_per_s"] for _ in range(repeat)]
    fills = []
    array = np.ones(size // 4, np.float32)
    for _ in range(200):
        start = time.perf_counter()
        array.fill(1.0)
        fills.append(time.perf_counter() - start)
    rows["memcpy of 1 MB in C++"] = {"gb_per_s": round(max(copies) / 1e9, 2)}
    rows["NumPy fill of 1 MB"] = {"gb_per_s": round(size / min(fills) / 1e9, 2)}
    return rows


def measure_stream(_seconds: float, repeat: int) -> dict[str, Row]:
    """Records of 64 bytes into a NumPy array."""
    count, capacity = 4_000_000, 16384
    kept = np.zeros((capacity, 16), np.float32)

    def serve(bridge: Bridge) -> Row:
        stream, got, start = bridge.stream("items"), 0, time.perf_counter()
        while got < count:
            bridge.wait(5.0)
            while len(records := stream.read()):
                kept[: len(records)] = records["values"]
                got += len(records)
                stream.release()
        return {"read_s": time.perf_counter() - start}

    row = best_of([coupled(serve, "stream", count, capacity) for _ in range(repeat)], "read_s")
    row["million_per_s"] = round(count / row["read_s"] / 1e6, 2)
    return {"stream of 64-byte records, copied into an array": row}


def measure_product(_seconds: float, repeat: int) -> dict[str, Row]:
    """A matrix product in Python while C++ waits, both kept on one core."""
    a = np.random.default_rng(1).standard_normal((300, 300))

    def product_ms(times: int = 100) -> float:
        found = []
        for _ in range(times):
            start = time.perf_counter()
            a @ a
            found.append(time.perf_counter() - start)
        return 1e3 * float(np.mean(found))

    rows: dict[str, list[float]] = {"alone": [], "bridge": [], "spin": []}
    with on(sorted(os.sched_getaffinity(0))[-1:]):
        for _ in range(2 * repeat):
            rows["alone"].append(product_ms())
            with Bridge.create() as bridge:
                bridge.spawn(
                    [str(PEER), "echo", "1e6", "1", "0"],
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
                bridge.wait_ready()
                bridge.exchange("echo").receive()
                rows["bridge"].append(product_ms())
                bridge.close(grace_s=0.0)
            spinner = subprocess.Popen([str(PEER), "spin", "5"])
            rows["spin"].append(product_ms())
            spinner.kill()
            spinner.wait()
    least = {name: round(min(values), 3) for name, values in rows.items()}
    return {
        f"matrix product, {words}": {"ms": ms, "ratio": round(ms / least["alone"], 3)}
        for (name, ms), words in zip(
            least.items(),
            ["alone", "while ns-3 waits at the bridge", "beside a spinning wait"],
            strict=True,
        )
    }


MEASUREMENTS = {
    "echo": measure_echo,
    "ring": measure_ring,
    "pairs": measure_pairs,
    "blocks": measure_blocks,
    "stream": measure_stream,
    "product": measure_product,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=1.0, help="length of each measurement")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--only", default=",".join(MEASUREMENTS), help=", ".join(MEASUREMENTS))
    parser.add_argument("--out", type=Path, help="write the figures as JSON too")
    parser.add_argument("--realtime", action="store_true", help="real-time scheduling")
    parser.add_argument("--serve", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    build()
    if options.serve is not None:
        print(json.dumps(coupled(echo, "echo", options.serve[0], 1, options.serve[1])))
        return
    if options.realtime:
        # Round robin: the programs that we measure do share the cores with one another.
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    print(f"{len(os.sched_getaffinity(0))} cores, load {os.getloadavg()[0]:.1f}")
    figures: dict[str, Row] = {}
    for name in options.only.split(","):
        for label, row in MEASUREMENTS[name](options.seconds, options.repeat).items():
            row.pop("start", None), row.pop("end", None)
            figures[label] = row
            print(f"{label:50s} " + "  ".join(f"{k} {v:g}" for k, v in row.items()), flush=True)
    if options.out is not None:
        options.out.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
