# SPDX-License-Identifier: MIT
"""Draw what fine-tuning runs reached over simulated time and over bytes, and print it as a table.

    python scripts/learning_figure.py OUT.png RUN_OR_CAMPAIGN [RUN ...]

Of a campaign all finished runs are taken; a field traffic.1.rate_bps is the load beside them. Left:
test accuracy after a round over simulated seconds; middle: over bytes sent in both directions so
far; right, if there are semantic messages that trained weights decode: their accuracy by version.
Bands and brackets are 95 % intervals of Student's t over seeds. A second table has the accuracy
after the last round less that of the first setting in the same cell, paired by seed.
"""

import functools
import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import pandas as pd

from analysis.intervals import mean_interval, paired_difference
from analysis.metrics import wilson_interval
from cosim.traces import read_trace


@functools.cache
def rounds_of(folder: Path) -> pd.DataFrame:
    """Return a run's rounds."""
    return read_trace(folder, "rounds")


@functools.cache
def curve(folder: Path) -> pd.DataFrame:
    """Return end time, megabytes so far and accuracy of each round that was evaluated."""
    rounds = rounds_of(folder)
    by_round = rounds.groupby("round").agg(
        t_end_s=("t_end_s", "max"),
        up=("bytes_up", "sum"),
        down=("bytes_down", "sum"),
        accuracy=("accuracy", "max"),
    )
    by_round["megabytes"] = (by_round["up"] + by_round["down"]).cumsum() / 1e6
    return by_round.dropna(subset=["accuracy"])


def over_seeds(folders: dict[int, Path]) -> pd.DataFrame:
    """Return means over the seeds of one setting, with the interval of the accuracy."""
    every = pd.concat([curve(folder) for folder in folders.values()]).groupby(level=0)
    out = every[["t_end_s", "megabytes", "accuracy"]].mean()
    found = [mean_interval(values.to_numpy()) for _, values in every["accuracy"]]
    out["low"], out["high"] = [i.low for i in found], [i.high for i in found]
    return out


LOADED_BPS = 1e5
"""From this rate of each UE's other load on a cell counts as loaded."""


def runs_of(folder: Path) -> dict[str, dict[int, Path]]:
    """Return names and folders, by seed, of a run or of a campaign's finished runs."""
    if not (folder / "results.parquet").is_file():
        return {folder.name: {0: folder}}
    results = pd.read_parquet(folder / "results.parquet")
    fields = [c for c in results if c.startswith("traffic.0.")]
    out: dict[str, dict[int, Path]] = {}
    for _, run in results[results["status"] == "finished"].iterrows():
        name = " ".join(str(run[f]) for f in fields if str(run[f]) not in ("nan", "None"))
        if "traffic.1.rate_bps" in run:
            name += ", loaded" if run["traffic.1.rate_bps"] >= LOADED_BPS else ", idle"
        out.setdefault(name, {})[int(run["seed"])] = folder / "runs" / run["run"]
    return out


def table(runs: dict[str, dict[int, Path]]) -> None:
    """Print a row a setting."""
    print("| run | seeds | seconds a round | end, s | kB up and down of a client and round | "
          "repeated and headers, up | accuracy |")  # fmt: skip
    print("|---|---|---|---|---|---|---|")
    for name, folders in runs.items():
        rounds = pd.concat([rounds_of(f).assign(run=str(f)) for f in folders.values()])
        spans = rounds.groupby(["run", "round"]).agg(s=("t_start_s", "min"), e=("t_end_s", "max"))
        up, down = rounds["bytes_up"].mean() / 1e3, rounds["bytes_down"].mean() / 1e3
        more = 1 - rounds["payload_up"].sum() / rounds["bytes_up"].sum()
        end_s = spans.groupby(level=0)["e"].max().mean()
        accuracy = ", ".join(
            f"{r.accuracy:.2f} [{r.low:.2f}, {r.high:.2f}] after {n + 1}"
            for n, r in over_seeds(folders).iterrows()
            if n % 2
        )
        print(f"| {name} | {len(folders)} | {(spans['e'] - spans['s']).mean():.2f} | {end_s:.1f} | "
              f"{up:.1f} + {down:.1f} | {more:.1%} | {accuracy} |")  # fmt: skip


def differences(runs: dict[str, dict[int, Path]]) -> None:
    """Print how the last accuracies differ from those of the first setting in the same cell."""
    print("\n| setting | less | seeds | accuracy after the last round | seconds to it |")
    print("|---|---|---|---|---|")
    first: dict[str, str] = {}
    for name, folders in runs.items():
        base = first.setdefault(name.partition(", ")[2], name)
        if base == name or len(folders) < 2:
            continue
        cells = []
        for column in ("accuracy", "t_end_s"):
            ends = [
                pd.Series({seed: curve(f)[column].iloc[-1] for seed, f in which.items()})
                for which in (runs[base], folders)
            ]
            found = paired_difference(*ends)
            cells.append(f"{found.mean:+.2f} [{found.low:+.2f}, {found.high:+.2f}]")
        print(f"| {name} | {base} | {found.n} | {' | '.join(cells)} |")


def service(axis: plt.Axes, folder: Path) -> None:
    """Draw the accuracy of messages by the version that decoded them."""
    messages = read_trace(folder, "messages")
    messages = messages[messages["codec"] == "split-lora"]
    groups = messages.groupby(messages["model_version"] // 4 * 4)["correct"]
    share = groups.mean()
    ends = [wilson_interval(int(g.sum()), len(g)) for _, g in groups]
    bars = [(p - low, high - p) for p, (low, high) in zip(share, ends, strict=True)]
    axis.errorbar(share.index, share, yerr=list(zip(*bars, strict=True)), marker="o", capsize=3)
    axis.set_xlabel("version in the message")
    axis.set_ylabel("messages right (95 %)")


def main() -> None:
    """Draw the figure and print the table."""
    out = sys.argv[1]
    runs = {k: v for name in sys.argv[2:] for k, v in runs_of(Path(name)).items()}
    table(runs)
    if len(runs) > 1:
        differences(runs)
    every = [folder for folders in runs.values() for folder in folders.values()]
    served = [f for f in every if (read_trace(f, "messages")["codec"] == "split-lora").any()]
    panels = 3 if served else 2
    figure, axes = plt.subplots(
        1, panels, figsize=(3 * panels + 2, 3.2), layout="constrained", squeeze=False
    )
    axes = axes[0]
    colours: dict[str, str] = {}
    for name, folders in runs.items():
        points = over_seeds(folders)
        design, _, cell = name.partition(", ")
        colour = colours.setdefault(design, f"C{len(colours)}")
        line = {"marker": ".", "color": colour, "ls": "--" if cell == "loaded" else "-"}
        for axis, x in ((axes[0], "t_end_s"), (axes[1], "megabytes")):
            axis.plot(points[x], points["accuracy"], label=name, **line)
            if len(folders) > 1:
                axis.fill_between(points[x], points["low"], points["high"], color=colour, alpha=0.1)
    for folder in served:
        service(axes[2], folder)
    for axis, name in zip(axes[:2], ("simulated time / s", "bytes sent / MB"), strict=True):
        axis.set_xlabel(name)
        axis.set_xscale("log" if len(runs) > 1 else "linear")
    for axis in axes:
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("test accuracy")
    figure.legend(*axes[0].get_legend_handles_labels(), fontsize=7, loc="outside right")
    figure.savefig(out, dpi=110)


if __name__ == "__main__":
    main()
