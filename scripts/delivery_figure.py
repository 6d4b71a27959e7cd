# SPDX-License-Identifier: MIT
"""Draw packets, bits and symbols over the channel's gain, and print the numbers.

    cosim campaign studies/delivery.toml
    python scripts/delivery_figure.py campaigns/delivery docs/images/studies

Messages of all seeds together; intervals are Wilson's.
"""

import math
import sys
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import pandas as pd

from analysis.semantic_table import semantic_table
from cosim.traces import Manifest, read_trace

GAIN = "channel.gain_db"
MARKS = {"packet": "o-", "bits": "s--", "symbols": "D:"}


def measured(folder: Path) -> pd.DataFrame:
    """Return a row a gain, task and delivery."""
    results = pd.read_parquet(folder / "results.parquet")
    results = results[results["status"] == "finished"]
    frames = []
    for gain, names in results.groupby(GAIN)["run"]:
        runs = [folder / "runs" / name for name in names.unique()]
        slots = pd.concat([read_trace(run, "slots", ["direction", "sinr_eff_db"]) for run in runs])
        facts = [Manifest.read(run).data["direct"] for run in runs]
        table = semantic_table(runs)
        table["delivery"] = [([*name.split(":"), "packet"])[1] for name in table["codec"]]
        table["gain_db"] = gain
        table["sinr_db"] = slots[slots["direction"] == "ul"]["sinr_eff_db"].mean()
        table["bit_error_rate"] = mean(facts, "bits", "bit_error_rate")
        table["squared_error"] = mean(facts, "values", "mean_squared_error")
        frames.append(table)
    return pd.concat(frames).sort_values(["task", "delivery", "gain_db"], ascending=False)


def mean(facts: list[dict[str, Any]], count: str, rate: str) -> float:
    """Return the mean rate over runs of which each counted something, NaN if none did."""
    pairs = [(f[count], f[rate]) for f in facts if f[count]]
    total = sum(n for n, _ in pairs)
    return sum(n * r for n, r in pairs) / total if total else math.nan


def main() -> None:
    """Draw and print."""
    folder, out = Path(sys.argv[1]), Path(sys.argv[2])
    table = measured(folder)
    tasks = sorted(table["task"].unique())
    figure, axes = plt.subplots(1, len(tasks), figsize=(8, 3.2), sharey=True, layout="constrained")
    for axis, task in zip(axes, tasks, strict=True):
        for delivery, mark in MARKS.items():
            part = table[(table["task"] == task) & (table["delivery"] == delivery)]
            low = part["accuracy"] - part["accuracy_low"]
            high = part["accuracy_high"] - part["accuracy"]
            axis.errorbar(part["sinr_db"], part["accuracy"], yerr=[low, high], fmt=mark,
                          label=delivery, capsize=2, ms=4, lw=1)  # fmt: skip
        axis.set_title(task, fontsize=9)
        axis.set_xlabel("mean uplink SINR / dB")
        axis.set_ylim(0.0, 1.0)
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("accuracy, late and lost as the prior")
    axes[-1].legend(fontsize=8)
    print("| gain | SINR | task | delivery | messages | accuracy | 95 % interval | units in time "
          "| resource elements | of a right answer | wrong bits | squared error |")  # fmt: skip
    print("|" + "---|" * 12)
    for row in table.itertuples():
        own = {
            "bits": (f"{row.bit_error_rate:.1e}", "-"),
            "symbols": ("-", f"{row.squared_error:.3f}"),
        }
        wrong = own.get(row.delivery, ("-", "-"))
        cells = [
            f"{row.gain_db:g}", f"{row.sinr_db:.1f}", row.task, row.delivery, row.messages,
            f"{row.accuracy:.3f}", f"{row.accuracy_low:.3f}-{row.accuracy_high:.3f}",
            f"{row.token_success:.2f}", f"{row.symbols:.0f}", f"{row.symbols / row.accuracy:.0f}",
            *wrong,
        ]  # fmt: skip
        print("| " + " | ".join(map(str, cells)) + " |")
    out.mkdir(parents=True, exist_ok=True)
    plt.rcParams["svg.hashsalt"] = "delivery"  # the same bytes each time
    figure.savefig(out / "delivery.svg", metadata={"Date": None})


if __name__ == "__main__":
    main()
