# SPDX-License-Identifier: MIT
"""Draw how much of sentences comes back over the channel's gain, and print the numbers.

    cosim campaign studies/sentences.toml
    python scripts/sentences_figure.py campaigns/sentences docs/images/studies

Messages of all seeds together; a message of which nothing came counts as what the receiver guesses.
Intervals are 1.96 standard errors of the mean.
"""

import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import pandas as pd

from analysis.semantic_table import semantic_table
from cosim.traces import read_trace

GAIN = "channel.gain_db"
MARKS = ("o-", "s--", "D:", "^-.")


def measured(folder: Path) -> pd.DataFrame:
    """Return a row a gain and codec."""
    results = pd.read_parquet(folder / "results.parquet")
    results = results[results["status"] == "finished"]
    rows = []
    for gain, names in results.groupby(GAIN)["run"]:
        runs = [folder / "runs" / name for name in names.unique()]
        slots = pd.concat([read_trace(run, "slots", ["direction", "sinr_eff_db"]) for run in runs])
        sinr_db = slots[slots["direction"] == "ul"]["sinr_eff_db"].mean()
        table = semantic_table(runs).set_index(["codec", "rung"])
        columns = ["codec", "rung", "similarity", "on_time"]
        messages = pd.concat([read_trace(run, "messages", columns) for run in runs])
        for key, group in messages.groupby(["codec", "rung"], observed=True):
            found = group["similarity"]
            rows.append(
                {
                    "codec": " ".join(map(str, key)).replace(" default", ""),
                    "gain_db": gain,
                    "sinr_db": sinr_db,
                    "messages": len(group),
                    "similarity": found.mean(),
                    "half": 1.96 * found.std() / len(found) ** 0.5,
                    "symbols": table.loc[key, "symbols"],
                    "good": table.loc[key, "accuracy"],
                }
            )
    return pd.DataFrame(rows).sort_values(["codec", "gain_db"], ascending=[True, False])


def main() -> None:
    """Draw and print."""
    folder, out = Path(sys.argv[1]), Path(sys.argv[2])
    table = measured(folder)
    plt.rcParams["svg.hashsalt"] = "sentences"  # the same bytes each time
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.5, 3.2), layout="constrained")
    for mark, (codec, part) in zip(MARKS, table.groupby("codec"), strict=True):
        left.errorbar(part["sinr_db"], part["similarity"], yerr=part["half"], fmt=mark,
                      label=codec, capsize=2, ms=4, lw=1)  # fmt: skip
        right.plot(part["sinr_db"], part["symbols"], mark, label=codec, ms=4, lw=1)
    left.set_ylabel("similarity, floor-corrected")
    left.set_ylim(0.0, 1.02)
    right.set_ylabel("resource elements a message")
    right.set_yscale("log")
    right.legend(fontsize=7)
    for axis in (left, right):
        axis.set_xlabel("mean uplink SINR / dB")
        axis.grid(alpha=0.3)
    print("| codec | gain | SINR | messages | similarity | good | resource elements |")
    print("|" + "---|" * 7)
    for row in table.itertuples():
        cells = [
            row.codec, f"{row.gain_db:g}", f"{row.sinr_db:.1f}", row.messages,
            f"{row.similarity:.2f} ± {row.half:.2f}", f"{row.good:.2f}", f"{row.symbols:.0f}",
        ]  # fmt: skip
        print("| " + " | ".join(map(str, cells)) + " |")
    out.mkdir(parents=True, exist_ok=True)
    figure.savefig(out / "sentences.svg", metadata={"Date": None})


if __name__ == "__main__":
    main()
