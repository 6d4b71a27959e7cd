# SPDX-License-Identifier: MIT
"""Print a campaign of fine-tuning as a Markdown table: what its settings reach and cost.

    python scripts/finetuning_table.py CAMPAIGN

A row is a setting: means over seeds with 95 % intervals of Student's t, and differences to the
first setting, paired by seed. "on the air" are the bytes of all transport blocks in both
directions, with headers, padding and retransmissions; "used" is the share of the clients' begun
rounds whose results went into the model.
"""

import json
import sys
from pathlib import Path

import pandas as pd

from analysis.intervals import Interval, mean_interval, paired_difference
from cosim.traces import read_trace

PREFIX = "traffic.0."


def load(folder: Path) -> dict[str, pd.DataFrame]:
    """Return setting → what was measured, a row a seed."""
    results = pd.read_parquet(folder / "results.parquet")
    results = results[results["status"] == "finished"]
    fields = [c for c in results if c.startswith(PREFIX)]
    found: dict[str, dict[int, dict[str, float]]] = {}
    for _, run in results.iterrows():
        name = ", ".join(
            f"{f.removeprefix(PREFIX)} = {show(run[f])}" for f in fields if present(run[f])
        )
        found.setdefault(name, {})[int(run["seed"])] = measure(folder / "runs" / run["run"])
    return {name: pd.DataFrame.from_dict(seeds, orient="index") for name, seeds in found.items()}


def present(value: object) -> bool:
    """Return whether a setting names a field."""
    return str(value) not in ("None", "nan", "<NA>")


def show(value: object) -> str:
    """Return a value as in TOML."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def measure(run: Path) -> dict[str, float]:
    """Return accuracies half-way and at the end, seconds and megabytes of a run."""
    rounds = read_trace(run, "rounds")
    # The rows of one round all have the accuracy after it.
    accuracy = rounds.dropna(subset=["accuracy"]).groupby("version")["accuracy"].max()
    counters = json.loads((run / "run.json").read_text())["counters"]
    return {
        "half": accuracy.iloc[0],
        "end": accuracy.iloc[-1],
        "end_s": rounds["t_end_s"].max(),
        "megabytes": sum(c["phy"] for c in counters) / 1e6,
        "used": rounds["used"].mean(),
    }


def text(found: Interval, digits: int, *, sign: bool = False) -> str:
    """Return an estimate with its interval."""
    form = f"{{:{'+' if sign else ''}.{digits}f}}"
    low, high = form.format(found.low), form.format(found.high)
    return f"{form.format(found.mean)} [{low}, {high}]".replace("-", "\N{MINUS SIGN}")


def main() -> None:
    """Print the table."""
    settings = load(Path(sys.argv[1]))
    (first, *_) = settings.values()
    print(
        "| setting | seeds | accuracy half-way | at the end | less the first's | seconds | less "
        "the first's | MB on the air | less the first's | used |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    for name, values in settings.items():
        cells = [name, str(len(values)), f"{values['half'].mean():.2f}"]
        for column, digits in (("end", 3), ("end_s", 1), ("megabytes", 1)):
            cells.append(text(mean_interval(values[column]), digits))
            difference = paired_difference(first[column], values[column])
            cells.append("" if values is first else text(difference, digits, sign=True))
        print("| " + " | ".join([*cells, f"{values['used'].mean():.2f}"]) + " |")


if __name__ == "__main__":
    main()
