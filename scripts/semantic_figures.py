# SPDX-License-Identifier: MIT
"""The figures of docs/semantics.md, from measured numbers alone.

python scripts/semantic_figures.py --modes modes.json --out docs/images
"""

import argparse
import json
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from analysis.metrics import wilson_interval
from models.codecs.weights import SHIPPED

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
TASKS = ("sentiment", "topic", "image", "vqa")


def loss_figure(out):
    """Accuracy over the share of units lost, all tasks and codecs."""
    figure, axes = plt.subplots(1, 4, figsize=(11, 2.8), sharey=True, layout="constrained")
    names = []
    for axis, task in zip(axes, TASKS, strict=True):
        data = json.loads((SHIPPED / f"{task}.json").read_text())
        for codec, entry in data["codecs"].items():
            if codec not in names:
                names.append(codec)
            colour = COLOURS[names.index(codec) % len(COLOURS)]
            points = entry["lost_share"]
            x = [float(share) for share in points]
            y = [p["accuracy"] for p in points.values()]
            low = [p["accuracy"] - p["low"] for p in points.values()]
            high = [p["high"] - p["accuracy"] for p in points.values()]
            axis.errorbar(
                x, y, [low, high], color=colour, marker="o", ms=3, lw=1, elinewidth=0.6, label=codec
            )
        axis.axhline(data["prior_accuracy_test"], color="grey", lw=0.8, ls=":")
        axis.set_title(task, fontsize=9)
        axis.set_xlabel("share of units lost")
        axis.legend(fontsize=6)
    axes[0].set_ylabel("accuracy, 95 % Wilson")
    figure.savefig(out / "semantics-loss.png", dpi=150, metadata={"Software": None})


def modes_figure(paths, out):
    """Accuracy over SNR of the delivery modes."""
    figure, axes = plt.subplots(
        1, len(paths), figsize=(4.2 * len(paths), 3), squeeze=False, layout="constrained"
    )
    for axis, path in zip(axes[0], paths, strict=True):
        points = json.loads(path.read_text())
        for number, key in enumerate(sorted({(p["codec"], p["mode"]) for p in points})):
            mine = sorted(
                (p for p in points if (p["codec"], p["mode"]) == key), key=lambda p: p["snr_db"]
            )
            y = [p["correct"] / p["n"] for p in mine]
            bounds = [wilson_interval(p["correct"], p["n"]) for p in mine]
            errors = [
                [v - b[0] for v, b in zip(y, bounds, strict=True)],
                [b[1] - v for v, b in zip(y, bounds, strict=True)],
            ]
            symbols = sum(p["symbols"] for p in mine) / len(mine)
            axis.errorbar(
                [p["snr_db"] for p in mine], y, errors, marker="o", ms=3, lw=1, elinewidth=0.6,
                color=COLOURS[number], label=f"{key[0]} {key[1]}, {symbols:.0f} symbols",
            )  # fmt: skip
        axis.set_xlabel("SNR in dB")
        axis.set_ylabel("accuracy, 95 % Wilson")
        axis.set_title(path.stem, fontsize=9)
        axis.legend(fontsize=7)
    figure.savefig(out / "semantics-modes.png", dpi=150, metadata={"Software": None})


def main() -> None:
    """Draw the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--modes", type=Path, nargs="*", default=[])
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    loss_figure(options.out)
    if options.modes:
        modes_figure(options.modes, options.out)


if __name__ == "__main__":
    main()
