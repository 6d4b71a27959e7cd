# SPDX-License-Identifier: MIT
"""Draw what fine-tuning runs reached over simulated time and over bytes.

    python scripts/learning_figure.py OUT.png RUN [RUN ...]

Left: test accuracy after a round over simulated seconds; middle: over bytes sent in both directions
so far; right: accuracy of the semantic messages by the version that decoded them, if there are any.
"""

import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import pandas as pd

from analysis.metrics import wilson_interval
from cosim.traces import read_trace


def curve(rounds: pd.DataFrame) -> pd.DataFrame:
    """Return end time, bytes so far and accuracy of each round that was evaluated."""
    by_round = rounds.groupby("round").agg(
        t_end_s=("t_end_s", "max"),
        up=("bytes_up", "sum"),
        down=("bytes_down", "sum"),
        accuracy=("accuracy", "max"),
    )
    by_round["megabytes"] = (by_round["up"] + by_round["down"]).cumsum() / 1e6
    return by_round.dropna(subset=["accuracy"])


def main() -> None:
    """Draw the figure."""
    out, folders = sys.argv[1], [Path(name) for name in sys.argv[2:]]
    figure, axes = plt.subplots(1, 3, figsize=(11, 3.2), layout="constrained")
    for folder in folders:
        rounds = read_trace(folder, "rounds")
        points = curve(rounds)
        name = folder.name
        axes[0].plot(points["t_end_s"], points["accuracy"], marker=".", label=name)
        axes[1].plot(points["megabytes"], points["accuracy"], marker=".", label=name)
        messages = read_trace(folder, "messages")
        messages = messages[messages["codec"] == "split-lora"]
        if len(messages):
            groups = messages.groupby(messages["model_version"] // 4 * 4)["correct"]
            share = groups.mean()
            ends = [wilson_interval(int(g.sum()), len(g)) for _, g in groups]
            bars = [(p - low, high - p) for p, (low, high) in zip(share, ends, strict=True)]
            axes[2].errorbar(
                share.index, share, yerr=list(zip(*bars, strict=True)), marker="o", capsize=3
            )
    for axis, name in zip(
        axes, ("simulated time / s", "bytes sent / MB", "version in the message"), strict=True
    ):
        axis.set_xlabel(name)
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("test accuracy")
    axes[2].set_ylabel("messages right (95 %)")
    axes[0].legend(fontsize=7)
    figure.savefig(out, dpi=110)


if __name__ == "__main__":
    main()
