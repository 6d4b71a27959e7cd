# SPDX-License-Identifier: MIT
"""Draw the figure of a study of docs/studies from its campaign's table, and print the numbers.

    python scripts/study_figures.py schedulers campaigns/schedulers docs/images/studies
    python scripts/study_figures.py separation campaigns/separation docs/images/studies
    python scripts/study_figures.py learning campaigns/learning docs/images/studies
    python scripts/study_figures.py controller campaigns/controller docs/images/studies
    python scripts/study_figures.py battery campaigns/battery docs/images/studies
    python scripts/study_figures.py multi-task campaigns/multi-task docs/images/studies
    python scripts/study_figures.py importance campaigns/importance docs/images/studies

"multi-task" also prints a table a bandwidth and gain; "controller", "controller-photos" and
"controller-questions" (likewise from campaigns/NAME) and "battery" print shares by place and
device, from the runs' messages.
Bars and brackets are 95 % intervals over seeds (Student's t); differences are paired by seed.
"""

import itertools
import math
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import pandas as pd

from analysis.intervals import over_seeds, paired_difference
from analysis.metrics import wilson_interval
from analysis.semantic_table import semantic_table
from cosim.traces import read_trace

SCHEDULER = "mac.ul_scheduler"
SHARE = "share"
UNITS = {
    SHARE: "right and in time, share of messages",
    "goodput_hz": "right and timely answers / s",
    "accuracy": "accuracy (late counts as wrong)",
    "delay_ms_p95": "95th percentile of delay / ms",
    "token_success_rate": "units in time, share",
    "air_bytes_per_correct": "on air a right answer / byte",
}


def load(folder: Path) -> pd.DataFrame:
    """Return the finished rows, with the share of messages that were right and in time."""
    results = pd.read_parquet(folder / "results.parquet")
    results = results[results["status"] == "finished"].copy()
    results[SHARE] = results["goodput_hz"] * results["simulated_s"] / results["messages"]
    return results


def table(frame: pd.DataFrame, by: Sequence[str], metrics: Sequence[str]) -> None:
    """Print a Markdown table of means with intervals."""
    found = over_seeds(frame, by, metrics)
    print("|", " | ".join([*by, *metrics]), "|")
    print("|" + "---|" * (len(by) + len(metrics)))
    for key, group in found.groupby(list(by), sort=False):
        cells = [f"{r.mean:.3g} [{r.low:.3g}, {r.high:.3g}]" for r in group.itertuples(index=False)]
        print("|", " | ".join([*map(str, key if isinstance(key, tuple) else (key,)), *cells]), "|")


def lines(axis: plt.Axes, frame: pd.DataFrame, x: str, line: Sequence[str], y: str) -> None:
    """Draw a line a setting, with intervals."""
    found = over_seeds(frame, [x, *line], [y])
    for number, (key, group) in enumerate(found.groupby(list(line), sort=False)):
        half = group["high"] - group["mean"]
        label = ", ".join(map(str, key))
        axis.errorbar(group[x], group["mean"], yerr=half, label=label, capsize=2,
                      marker="osD^v"[number % 5])  # fmt: skip
    axis.set_xticks(sorted(found[x].unique()) if found[x].dtype.kind in "if" else range(
        found[x].nunique()))  # fmt: skip
    axis.set_ylabel(UNITS[y])
    axis.grid(alpha=0.3)


def differences(frame: pd.DataFrame, by: Sequence[str], what: str, base: str, y: str) -> None:
    """Print y(setting) − y(base), paired by seed."""
    for key, group in frame.groupby(list(by), sort=False):
        values = {name: part.set_index("seed")[y] for name, part in group.groupby(what, sort=False)}
        for name, value in values.items():
            if name != base:
                d = paired_difference(values[base], value)
                print(f"{key}: {name} - {base}, {y}: {d.mean:+.3g} [{d.low:+.3g}, {d.high:+.3g}]")


def schedulers(results: pd.DataFrame) -> plt.Figure:
    """Scheduler x bandwidth and load."""
    load_mbps = results["traffic.2.rate_bps"] * 6 / 1e6
    bandwidth = results["carrier.bandwidth_mhz"].map("{:g}".format)
    results["cell"] = bandwidth + " MHz, " + load_mbps.map("{:.1f}".format) + " Mbit/s"
    by = ["cell", SCHEDULER, "codec"]
    table(results, by, ["accuracy", SHARE, "goodput_hz", "delay_ms_p95", "cell_throughput_ul_bps"])
    differences(results, ["cell", "codec"], SCHEDULER, "pf", SHARE)
    cells = list(dict.fromkeys(results["cell"]))
    figure, axes = plt.subplots(1, len(cells), figsize=(9, 3.4), sharey=True, layout="constrained")
    for axis, cell in zip(axes, cells, strict=True):
        lines(axis, results[results["cell"] == cell], SCHEDULER, ["codec"], SHARE)
        axis.set_title(cell)
        plt.setp(axis.get_xticklabels(), rotation=30, ha="right")
        for line in axis.lines:
            line.set_linestyle("none")  # schedulers have no order
    for axis in axes[1:]:
        axis.set_ylabel("")
    axes[0].legend(fontsize=8)
    return figure


def separation(results: pd.DataFrame) -> plt.Figure:
    """Tokens against compressed text over the channel's mean gain."""
    x, line = "channel.gain_db", ["codec", "rung"]
    table(results, [x, *line], [SHARE, "goodput_hz", "token_success_rate", "cell_sinr_db_ul",
                                "bytes_per_message"])  # fmt: skip
    results["kind"] = results["codec"] + " " + results["rung"]
    differences(results, [x], "kind", "raw-text default", SHARE)
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
    for axis, y in zip(axes, (SHARE, "token_success_rate"), strict=True):
        lines(axis, results, x, line, y)
        axis.set_xlabel("mean channel gain / dB")
    axes[0].legend(fontsize=8)
    return figure


def learning(results: pd.DataFrame) -> plt.Figure:
    """Answers with and without learning beside them."""
    off = results["traffic.1.start_s"] > 0
    results["learning"] = off.map({True: "off", False: "on"})
    results["load / Mbit/s"] = results["traffic.3.rate_bps"] * 4 / 1e6
    results = results[results["codec"] == "raw-text"]
    by = ["load / Mbit/s", "learning"]
    table(results, by, [SHARE, "accuracy", "delay_ms_p95", "cell_throughput_ul_bps"])
    for y in (SHARE, "delay_ms_p95"):
        differences(results, by[:1], "learning", "off", y)
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
    for axis, y in zip(axes, (SHARE, "delay_ms_p95"), strict=True):
        lines(axis, results, by[0], ["learning"], y)
        axis.set_xlabel("offered uplink load / Mbit/s")
    axes[0].legend(title="learning traffic", fontsize=8)
    return figure


def whole_runs(results: pd.DataFrame, setting: str) -> pd.DataFrame:
    """Return a row a run from rows a rung: a controller's run has several."""
    rows = []
    for (value, seed), group in results.groupby([setting, "seed"], sort=False):
        count = group["messages"].sum()
        rows.append(
            {
                setting: value,
                "seed": seed,
                "messages": count,
                SHARE: (group["goodput_hz"] * group["simulated_s"]).sum() / count,
                "goodput_hz": group["goodput_hz"].sum(),
                "accuracy": (group["accuracy"] * group["messages"]).sum() / count,
                "bytes_per_message": (group["bytes_per_message"] * group["messages"]).sum() / count,
                "air_bytes_per_message": (
                    (group["air_bytes_per_message"] * group["messages"]).sum() / count
                ),
            }
        )
    return pd.DataFrame(rows)


def controller(results: pd.DataFrame) -> plt.Figure:
    """The controller's choice against every fixed rung."""
    setting = "traffic.0.rung"
    runs = whole_runs(results, setting)
    metrics = ["goodput_hz", SHARE, "accuracy", "bytes_per_message", "air_bytes_per_message"]
    table(runs, [setting], metrics)
    chosen = runs[runs[setting] == "auto"].set_index("seed")
    ahead = {}
    for rung, group in runs[runs[setting] != "auto"].groupby(setting, sort=False):
        for y in ("goodput_hz", SHARE):
            d = paired_difference(group.set_index("seed")[y], chosen[y])
            print(f"auto - {rung}, {y}: {d.mean:+.3f} [{d.low:+.3f}, {d.high:+.3f}]")
            ahead[rung, y] = d
    rungs = [rung for rung, y in ahead if y == SHARE]
    found = [ahead[rung, "goodput_hz"] for rung in rungs]
    figure, axis = plt.subplots(figsize=(6, 3.4), layout="constrained")
    axis.errorbar(rungs, [d.mean for d in found], yerr=[d.high - d.mean for d in found], fmt="o",
                  capsize=2)  # fmt: skip
    axis.axhline(0.0, color="grey", lw=0.8)
    axis.set_ylabel("auto is ahead by (right answers in time / s)")
    axis.grid(alpha=0.3)
    plt.setp(axis.get_xticklabels(), rotation=20, ha="right")
    return figure


def importance(results: pd.DataFrame) -> plt.Figure:
    """Each use of importance on the same messages."""
    ways = {
        ("d8-int4-flat", 4, 0): "off",
        ("d8-int4", 4, 0): "packing",
        ("d8-int4", 1, 0): "packing + QoS",
        ("d8-int4", 1, 2): "packing + QoS + MCS back-off",
    }
    fields = ["traffic.0.rung", "traffic.0.less_harq_tx", "traffic.0.mcs_backoff"]
    results["way"] = [ways[row] for row in results[fields].itertuples(index=False, name=None)]
    cost = "air_bytes_per_correct"
    metrics = ["accuracy", "token_success_rate", "air_bytes_per_message", cost]
    table(results, ["way"], metrics)
    names = list(ways.values())
    for before, after in itertools.pairwise(names):
        pair = results[results["way"].isin((before, after))].assign(all="all")
        for y in metrics:
            differences(pair, ["all"], "way", before, y)
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
    for axis, y in zip(axes, ("accuracy", cost), strict=True):
        found = over_seeds(results, ["way"], [y])
        axis.errorbar(found["way"], found["mean"], yerr=found["high"] - found["mean"], fmt="o",
                      capsize=2)  # fmt: skip
        axis.set_ylabel(UNITS.get(y, y))
        axis.grid(alpha=0.3)
        plt.setp(axis.get_xticklabels(), rotation=20, ha="right")
    return figure


def multi_task(results: pd.DataFrame) -> plt.Figure:
    """All tasks and codecs over the channel's mean gain, a row of panels a bandwidth.

    Intervals are Wilson's, over the messages of all seeds.
    """
    results["way"] = results["codec"] + " " + results["rung"].replace("d8-int4", "default")
    by = ["carrier.bandwidth_mhz", "task", "way", "channel.gain_db"]
    found = results.groupby(by)[["correct", "messages"]].sum().reset_index()
    ways = list(dict.fromkeys(found["way"]))
    widths, tasks = (sorted(found[name].unique()) for name in by[:2])
    figure, axes = plt.subplots(
        len(widths), len(tasks), figsize=(9, 5), sharex=True, sharey=True, layout="constrained"
    )
    for row, width in zip(axes, widths, strict=True):
        for axis, task in zip(row, tasks, strict=True):
            for number, way in enumerate(ways):
                mine = (found[by[0]] == width) & (found["task"] == task) & (found["way"] == way)
                part = found[mine]
                if part.empty:
                    continue
                y = part["correct"] / part["messages"]
                pairs = zip(part["correct"], part["messages"], strict=True)
                bounds = [wilson_interval(c, n) or (0.0, 1.0) for c, n in pairs]
                low = [v - b[0] for v, b in zip(y, bounds, strict=True)]
                high = [b[1] - v for v, b in zip(y, bounds, strict=True)]
                axis.errorbar(
                    part[by[3]] + 0.15 * (number - 2), y, yerr=[low, high], label=way,
                    capsize=2, color=f"C{number}", marker="osD^v"[number % 5], ms=4, lw=1,
                )  # fmt: skip
            axis.set_title(f"{task}, {width:g} MHz", fontsize=9)
            axis.set_ylim(0.0, 1.0)
            axis.grid(alpha=0.3)
    for axis in axes[-1]:
        axis.set_xlabel("mean channel gain / dB")
    for row in axes:
        row[0].set_ylabel("accuracy")
    labels = {label: line for axis in axes.flat for line, label in zip(
        *axis.get_legend_handles_labels(), strict=True)}  # fmt: skip
    figure.legend(labels.values(), labels, loc="outside lower center", ncols=3, fontsize=8)
    return figure


def by_channel(folder: Path, results: pd.DataFrame) -> None:
    """Print `semantic_table` of each bandwidth and gain, over all seeds, in Markdown."""
    settings = ["carrier.bandwidth_mhz", "channel.gain_db"]
    for (width, gain), group in results.groupby(settings, sort=False):
        sinr_db = group["cell_sinr_db_ul"].mean()
        for row in semantic_table(
            [folder / "runs" / n for n in group["run"].unique()]
        ).itertuples():
            outage = "-" if pd.isna(row.accepted_outage) else f"{row.accepted_outage:.2f}"
            right = row.bytes_air_per_correct
            right = "-" if pd.isna(right) else f"{right:.0f}"
            cells = [
                f"{width:g}", f"{gain:g}", f"{sinr_db:.1f}", row.task, f"`{row.codec}` {row.rung}",
                row.messages, f"{row.accuracy:.3f}",
                f"{row.accuracy_low:.3f}-{row.accuracy_high:.3f}", f"{row.token_success:.2f}",
                right, f"{1e6 * row.semantic_efficiency:.0f}",
                f"{row.goodput_per_mhz:.3f}", f"{row.coverage:.2f}", outage,
            ]  # fmt: skip
            print("| " + " | ".join(map(str, cells)) + " |")


def by_place(folder: Path, results: pd.DataFrame) -> None:
    """Print what became of messages by the UE's distance and device, with all seeds together.

    The rung "auto", the two fixed ones with the most right answers in time, and the share that is
    right and in time were the best fixed rung known for each place and device.
    """
    setting = "traffic.0.rung"
    runs = whole_runs(results, setting)
    best = runs[runs[setting] != "auto"].groupby(setting)["goodput_hz"].mean().nlargest(2).index
    frames = []
    for (value, name), _ in results.groupby([setting, "run"], sort=False):
        run = folder / "runs" / str(name)
        ues = tomllib.loads((run / "scenario.toml").read_text())["ues"]
        messages = read_trace(run, "messages", ["node", "rung", "bytes_app", "correct", "on_time"])
        places, devices = ues["positions_m"], ues["profiles"]
        messages["m"] = [round(math.hypot(*places[node][:2]), -1) for node in messages["node"]]
        messages["device"] = [devices[node % len(devices)] for node in messages["node"]]
        messages["right"] = messages["correct"] & messages["on_time"]
        frames.append(messages.assign(rungs=value, rung=messages["rung"].astype(str)))
    every = pd.concat(frames)
    for (m, device, value), group in every.groupby(["m", "device", "rungs"]):
        if value not in ("auto", *best):
            continue
        chosen = group["rung"].value_counts(normalize=True)[:3]
        print(
            f"{m:.0f} m, {device}, {value}: {group['right'].mean():.3f} right and in time, "
            f"{group['bytes_app'].mean():.0f} bytes, "
            + ", ".join(f"{rung} {share:.0%}" for rung, share in chosen.items())
        )
    shares = every.pivot_table(index=["m", "device"], columns="rungs", values="right")
    known, auto = shares.drop(columns="auto").max(axis=1).mean(), shares["auto"].mean()
    print(f"mean of places: auto {auto:.3f}, the best fixed rung of each place {known:.3f}")


def main() -> None:
    """Draw and print."""
    name, folder, out = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    drawn = {"schedulers": schedulers, "separation": separation, "learning": learning,
             "controller": controller, "controller-photos": controller,
             "controller-questions": controller, "battery": controller,
             "importance": importance, "multi-task": multi_task}[name]  # fmt: skip
    plt.rcParams["svg.hashsalt"] = name  # the same bytes each time
    results = load(folder)
    figure = drawn(results)
    if drawn is controller:
        by_place(folder, results)
    elif drawn is multi_task:
        by_channel(folder, results)
    out.mkdir(parents=True, exist_ok=True)
    figure.savefig(out / f"{name}.svg", metadata={"Date": None})


if __name__ == "__main__":
    main()
