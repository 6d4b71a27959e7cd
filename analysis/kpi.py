# SPDX-License-Identifier: MIT
"""Tidy tables from a run's traces: one function a table, one row an observation."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from analysis import metrics
from cosim.traces import Manifest, TraceError, read_trace

GROUP = ["task", "codec", "rung"]
FIDELITY = ("psnr_db", "ms_ssim", "similarity")
"""Measures of reconstruction tasks, columns of `messages`."""


def simulated_s(run_dir: Path | str, manifest: Manifest) -> float:
    """Return the simulated time that the traces cover, in seconds.

    The scenario's duration with its drain time; of a run that ended early, the last row's time.
    """
    run = manifest.data.get("scenario", {}).get("run", {})
    planned = float(run.get("duration_s", 0.0)) + float(run.get("drain_s", 0.0))
    if manifest.data["status"] == "finished":
        return planned
    latest = 0.0
    for table in ("packets", "kpis", "slots"):
        try:
            times = read_trace(run_dir, table, ["t_s"])["t_s"]
        except TraceError:
            continue
        if len(times):
            latest = max(latest, float(times.max()))
    return latest


def answers(messages: pd.DataFrame, duration_s: float) -> list[dict[str, Any]]:
    """Return one dictionary a task, codec and rung: what came of its messages and what it cost.

    Args:
        messages: the `messages` table.
        duration_s: simulated time, for rates.
    """
    # Categories sort by their first appearance, names should by the alphabet.
    rows = []
    for key, group in messages.groupby(GROUP, observed=True):
        rows.append(dict(zip(GROUP, map(str, key), strict=True)) | _answer(group, duration_s))
    return sorted(rows, key=lambda row: tuple(row[name] for name in GROUP))


def _answer(group: pd.DataFrame, duration_s: float) -> dict[str, Any]:
    count = len(group)
    correct = int(group["correct"].sum())
    complete = (group["units_received"] == group["units_sent"]) & (group["units_sent"] > 0)
    on_time = group["on_time"].astype(bool)
    offline = group["offline_correct"].dropna().astype(bool)
    delay_ms = (group["t_decoded_s"] - group["t_created_s"]).to_numpy(np.float64) * 1e3
    p50, p95, p99 = metrics.quantiles(delay_ms, (0.5, 0.95, 0.99))
    sent, received = int(group["units_sent"].sum()), int(group["units_received"].sum())
    air_bytes = float(group["bytes_air"].fillna(0).sum())
    energy_j = float(group["energy_j"].fillna(0.0).sum())
    useful = int((group["correct"].astype(bool) & on_time).sum())
    interval = metrics.wilson_interval(correct, count)
    return {
        "messages": count,
        "complete": int(complete.sum()),
        "partial": int(((group["units_received"] > 0) & ~complete).sum()),
        "nothing": int((group["units_received"] == 0).sum()),
        "on_time": int(on_time.sum()),
        "correct": correct,
        "accuracy": metrics.proportion(correct, count),
        "accuracy_low": interval[0] if interval else None,
        "accuracy_high": interval[1] if interval else None,
        "offline_accuracy": metrics.proportion(int(offline.sum()), len(offline)),
        "token_success_rate": metrics.token_success_rate(received, sent),
        "units_sent": sent,
        "units_received": received,
        "bytes_per_message": metrics.proportion(int(group["bytes_app"].sum()), count),
        "air_bytes_per_message": air_bytes / count if count else None,
        "air_bytes_per_correct": metrics.per_correct(air_bytes, correct),
        "energy_per_message_j": energy_j / count if count else None,
        "energy_per_correct_j": metrics.per_correct(energy_j, correct),
        "goodput_hz": metrics.semantic_goodput_hz(useful, duration_s),
        "delay_ms_p50": p50,
        "delay_ms_p95": p95,
        "delay_ms_p99": p99,
        **{f"{name}_mean": _mean_of(group, name) for name in FIDELITY},
        "offline_score_mean": _mean_of(group, "offline_score")
        if any(_mean_of(group, name) is not None for name in FIDELITY)
        else None,
    }


def _mean_of(group: pd.DataFrame, name: str) -> float | None:
    """Return a column's mean, None where it has no value or older traces lack it."""
    return _mean(group[name]) if name in group else None


def user_accuracy(messages: pd.DataFrame) -> pd.Series:
    """Return each sending node's share of correct answers, indexed by node."""
    return messages.groupby("node", sort=True)["correct"].mean()


def links(
    packets: pd.DataFrame, slots: pd.DataFrame | None, kpis: pd.DataFrame, duration_s: float
) -> list[dict[str, Any]]:
    """Return one dictionary a UE: throughput, block errors, MCS and SINR of both directions.

    Args:
        packets: `packets` with t_s, ue, direction, event, bytes.
        slots: the `slots` table, or None if the run did not write it: then the means of `kpis` over
            periods with a value stand in.
        kpis: the `kpis` table.
        duration_s: simulated time.

    `bler` counts every transmission, `bler_first` those of redundancy version 0.
    """
    delivered = packets[packets["event"] == "deliver"]
    ues = sorted({int(u) for table in (packets, kpis) for u in table["ue"].unique()})
    rows = []
    for ue in ues:
        row: dict[str, Any] = {"ue": ue}
        for direction in ("dl", "ul"):
            mine = _of(delivered, ue, direction)
            row[f"throughput_{direction}_bps"] = metrics.throughput_bps(
                int(mine["bytes"].sum()), duration_s
            )
            if slots is not None:
                values = _from_slots(_of(slots, ue, direction))
            else:
                values = _from_kpis(_of(kpis, ue, direction))
            row |= {f"{name}_{direction}": value for name, value in values.items()}
        rows.append(row)
    return rows


def _of(table: pd.DataFrame, ue: int, direction: str) -> pd.DataFrame:
    return table[(table["ue"] == ue) & (table["direction"] == direction)]


def _mean(values: pd.Series) -> float | None:
    values = values.dropna()
    return float(values.astype(np.float64).mean()) if len(values) else None


def _from_slots(slots: pd.DataFrame) -> dict[str, float | None]:
    first = slots[slots["redundancy_version"] == 0]
    return {
        "bler": _mean(~slots["ack"].astype(bool)),
        "bler_first": _mean(~first["ack"].astype(bool)),
        "mcs_mean": _mean(slots["mcs"]),
        "sinr_db": _mean(slots["sinr_eff_db"]),
    }


def _from_kpis(kpis: pd.DataFrame) -> dict[str, float | None]:
    return {
        "bler": _mean(kpis["bler"]),
        "bler_first": None,
        "mcs_mean": _mean(kpis["mcs_mean"]),
        "sinr_db": _mean(kpis["sinr_db"]),
    }


def losses(packets: pd.DataFrame) -> dict[str, int]:
    """Return reason → packets dropped or discarded for it."""
    lost = packets[packets["event"].isin(["drop", "discard"])]
    counts = lost.groupby("reason", observed=True, sort=True).size()
    return {str(reason): int(count) for reason, count in counts.items()}
