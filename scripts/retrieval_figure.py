# SPDX-License-Identifier: MIT
"""Print a campaign of retrieval as a Markdown table and, over a numeric field, draw it.

    python scripts/retrieval_figure.py CAMPAIGN [OUT.png FIELD]

A row of the table is a setting, its seeds together: shares with Wilson's 95 % intervals, medians
and 95th percentiles of seconds, bytes of UDP payload in both directions.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import pandas as pd

from analysis.metrics import wilson_interval
from cosim.traces import read_trace

PREFIX = "traffic.0."
OWN = ("run", "seed", "status", "reason", "wall_s", "simulated_s")


def load(folder: Path) -> tuple[list[str], pd.DataFrame]:
    """Return the varied fields, and the questions and exchanges of all finished runs."""
    results = pd.read_parquet(folder / "results.parquet")
    results = results[results["status"] == "finished"]
    fields = [c for c in results if c not in OWN and "." in c]
    parts = []
    for _, run in results.iterrows():
        rows = read_trace(folder / "runs" / run["run"], "retrievals")
        for name in fields:
            rows[name] = "" if pd.isna(run[name]) else run[name]
        lost = packet_loss(read_trace(folder / "runs" / run["run"], "packets"))
        parts.append(rows.assign(bler=run["cell_bler_ul"], lost=lost))
    return fields, pd.concat(parts, ignore_index=True)


def packet_loss(packets: pd.DataFrame) -> float:
    """Return the share of agents' packets that did not arrive; only theirs name the flow."""
    mine = packets[packets["message_id"] // 2**32 == packets["flow"]]
    sent = mine[mine["event"] == "enqueue"]
    return 1 - len(mine[mine["event"] == "deliver"]) / len(sent) if len(sent) else float("nan")


def settings(rows: pd.DataFrame, fields: list[str]) -> Iterator[tuple[tuple[object, ...], dict]]:
    """Yield each setting and what was measured in it."""
    rows = rows.assign(seconds=rows["t_end_s"] - rows["t_s"])
    for key, group in rows.groupby(fields, sort=False):
        asked, sync = group[group["kind"] == "question"], group[group["kind"] == "sync"]
        found = asked[asked["hit"] & asked["t_end_s"].notna()]
        stale = found["staleness_s"] > 0
        yield (
            key,
            {
                "questions": len(asked),
                "correct": asked.loc[asked["t_end_s"].notna(), "correct"].dropna().astype(bool),
                "hit": asked["hit"].astype(bool),
                "local": (asked["store"] == "local"),
                "right": asked["right_entry"].astype(bool),
                "stale": stale,
                "staleness_s": found.loc[stale, "staleness_s"].median(),
                "answered": asked["t_end_s"].notna(),
                "median_s": asked["seconds"].median(),
                "late_s": asked["seconds"].quantile(0.95),
                "bytes": int(asked["bytes"].sum()),
                "syncs": len(sync),
                "sync_s": sync["seconds"].median(),
                "sync_bytes": int(sync["bytes"].sum()),
                "bler": group["bler"].mean(),
                "lost": group["lost"].mean(),
            },
        )


def share(values: pd.Series) -> str:
    """Return a share with its interval."""
    if not len(values):
        return ""
    low, high = wilson_interval(int(values.sum()), len(values))
    return f"{values.mean():.2f} [{low:.2f}, {high:.2f}]"


def number(value: float, form: str = "{:.3g}") -> str:
    """Return a number, nothing if there is none."""
    return "" if pd.isna(value) else form.format(value)


def table(rows: pd.DataFrame, fields: list[str]) -> None:
    """Print what was measured."""
    head = (
        "questions", "answer right", "something found", "from the own base", "right entry",
        "stale", "median staleness, s", "answered", "median, s", "95 %, s", "bytes of questions",
        "synchronisations", "median, s", "bytes of synchronisation", "uplink BLER",
        "packets lost",
    )  # fmt: skip
    print("|", " | ".join([*(f.removeprefix(PREFIX) for f in fields), *head]), "|")
    print("|" + "---|" * (len(fields) + len(head)))
    for key, m in settings(rows, fields):
        cells = [
            m["questions"], share(m["correct"]), share(m["hit"]), share(m["local"]),
            share(m["right"]), share(m["stale"]), number(m["staleness_s"]), share(m["answered"]),
            number(m["median_s"]), number(m["late_s"]), m["bytes"], m["syncs"],
            number(m["sync_s"]), m["sync_bytes"], number(m["bler"]), number(m["lost"]),
        ]  # fmt: skip
        print("|", " | ".join(map(str, [*key, *cells])), "|")


def draw(rows: pd.DataFrame, fields: list[str], field: str, out: str) -> None:
    """Draw right entries, seconds and bytes a question over a field."""
    figure, axes = plt.subplots(1, 3, figsize=(10.5, 3.0), layout="constrained")
    others = [f for f in fields if f != field]
    for key, group in rows.groupby(others, sort=False):
        name = ", ".join(str(v) for v in key[:2])
        points = [(k[0], m) for k, m in settings(group, [field])]
        x = [p[0] for p in points]
        ends = [wilson_interval(int(m["right"].sum()), m["questions"]) for _, m in points]
        mean = [m["right"].mean() for _, m in points]
        bars = [[a - low for a, (low, _) in zip(mean, ends, strict=True)],
                [high - a for a, (_, high) in zip(mean, ends, strict=True)]]  # fmt: skip
        axes[0].errorbar(x, mean, yerr=bars, marker="o", capsize=3, label=name)
        (line,) = axes[1].plot(x, [m["median_s"] for _, m in points], marker="o")
        axes[1].plot(x, [m["late_s"] for _, m in points], ls="--", color=line.get_color())
        axes[2].plot(x, [(m["bytes"] + m["sync_bytes"]) / m["questions"] for _, m in points],
                     marker="o")  # fmt: skip
    for axis, text in zip(
        axes,
        ("right entry (95 %)", "seconds: median, 95 % (dashed)", "bytes a question, all traffic"),
        strict=True,
    ):
        axis.set_xlabel(field)
        axis.set_ylabel(text)
        axis.grid(alpha=0.3)
    for axis in axes[1:]:
        axis.set_yscale("log")
    axes[0].legend(fontsize=7)
    figure.savefig(out, dpi=110)


def main() -> None:
    """Read the campaign, print, and draw if asked to."""
    fields, rows = load(Path(sys.argv[1]))
    table(rows, fields)
    if len(sys.argv) > 2:
        draw(rows, fields, sys.argv[3], sys.argv[2])


if __name__ == "__main__":
    main()
