# SPDX-License-Identifier: MIT
"""Side by side: runs with each other, and the settings of a campaign."""

import json
import math
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.intervals import Interval, over_seeds, paired_difference, proportion_difference
from cosim.traces import TraceError

METRICS = {
    "accuracy": "accuracy",
    "goodput_hz": "right and in time, a second",
    "delay_ms_p50": "delay, median (ms)",
    "delay_ms_p95": "delay, 95th percentile (ms)",
    "token_success_rate": "units received in time",
    "air_bytes_per_message": "bytes on air a message",
    "air_bytes_per_correct": "bytes on air a right answer",
    "energy_per_message_j": "energy of the encoder a message (J)",
    "cell_throughput_dl_bps": "cell throughput, downlink (bit/s)",
    "cell_throughput_ul_bps": "cell throughput, uplink (bit/s)",
    "cell_bler_first_dl": "first-transmission BLER, downlink",
    "cell_bler_first_ul": "first-transmission BLER, uplink",
    "jain_accuracy": "Jain's index of UEs' accuracy",
}
ANSWER = ["task", "codec", "rung"]


def plain(interval: Interval) -> dict[str, Any]:
    """Return an interval as JSON types, NaN as None."""
    return {
        key: None if isinstance(value, float) and math.isnan(value) else value
        for key, value in vars(interval).items()
    }


def compare_runs(runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a row a task, codec and rung that the first run shares with another.

    The difference of accuracies has Newcombe's interval over messages; other metrics of single runs
    have none: that takes seeds, so a campaign.
    """
    rows = []
    for answer in runs[0]["summary"]["answers"]:
        key = [answer[name] for name in ANSWER]
        for number, other in enumerate(runs[1:], start=1):
            for match in other["summary"]["answers"]:
                if [match[name] for name in ANSWER] != key:
                    continue
                difference = proportion_difference(
                    (answer["correct"], answer["messages"]), (match["correct"], match["messages"])
                )
                metrics = {
                    name: [answer.get(name), match.get(name)]
                    for name in METRICS
                    if name in answer and name in match
                }
                rows.append(
                    {
                        "answer": " ".join(map(str, key)),
                        "other": number,
                        "difference": plain(difference),
                        "metrics": metrics,
                    }
                )
    return rows


def campaign_data(folder: Path | str) -> dict[str, Any]:
    """Return what the page shows of a campaign: intervals over seeds and paired differences.

    Raises:
        TraceError: not a campaign's folder, or its table cannot be read.
    """
    path = Path(folder)
    try:
        definition = json.loads((path / "campaign.json").read_text(encoding="utf-8"))
        results = pd.read_parquet(path / "results.parquet")
    except (OSError, ValueError) as error:
        raise TraceError(
            f"cannot read the campaign in {folder}: {error}; does `cosim campaign {folder}` finish?"
        ) from None
    fields = [name for name in definition["fields"] if name in results.columns]
    names = [name for name in METRICS if name in results.columns and results[name].notna().any()]
    done = results[results["status"] == "finished"]
    failed = results[results["status"] != "finished"]
    data: dict[str, Any] = {
        "kind": "campaign",
        "folder": path.name,
        "title": str(definition["name"]),
        "fields": fields,
        "definition": json.dumps(definition["definition"], indent=1),
        "runs": len(definition["runs"]),
        "finished": int(done["run"].nunique()),
        "failed": [
            {
                "run": str(row["run"]),
                "status": str(row["status"]),
                "reason": str(row["reason"] or ""),
            }
            for row in failed.to_dict(orient="records")
        ],
        "metrics": {name: METRICS[name] for name in names},
        "rows": [],
    }
    if not len(done) or "task" not in done.columns:
        return data
    table = over_seeds(done, [*fields, *ANSWER], names)
    for row in table.to_dict(orient="records"):
        data["rows"].append(
            {
                "setting": [_show(row[name]) for name in fields],
                "answer": " ".join(str(row[name]) for name in ANSWER),
                "metric": row["metric"],
                **plain(Interval(row["mean"], row["low"], row["high"], row["n"], row["method"])),
                "difference": None,
            }
        )
    _differences(data, done, fields)
    return data


def _show(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _differences(data: dict[str, Any], done: pd.DataFrame, fields: list[str]) -> None:
    """Add to each row its difference from the first setting, over the seeds that both have."""
    shown = done[fields].map(_show) if fields else pd.DataFrame(index=done.index)
    settings = [tuple(row) for row in shown.itertuples(index=False)]
    answers = done[ANSWER].astype(str).agg(" ".join, axis=1).to_list()
    columns: dict[tuple[Any, str], pd.DataFrame] = {
        key: done.iloc[list(rows)].drop_duplicates("seed").set_index("seed")
        for key, rows in _positions(list(zip(settings, answers, strict=True))).items()
    }
    if not settings:
        return
    for row in data["rows"]:
        first = columns.get((settings[0], row["answer"]))
        mine = columns.get((tuple(row["setting"]), row["answer"]))
        if first is None or mine is None or tuple(row["setting"]) == settings[0]:
            continue
        row["difference"] = plain(paired_difference(first[row["metric"]], mine[row["metric"]]))


def _positions(keys: list[Any]) -> dict[Any, list[int]]:
    found: dict[Any, list[int]] = {}
    for position, key in enumerate(keys):
        found.setdefault(key, []).append(position)
    return found
