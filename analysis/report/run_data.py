# SPDX-License-Identifier: MIT
"""What the page shows of a run, as plain JSON types."""

from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd

from analysis import direct, tidy, truth
from analysis.figure import accuracy_so_far
from analysis.summary import fact, summarise_run
from cosim.traces import Manifest, TraceError, read_trace

TIME_BINS = 60
CDF_POINTS = 101
MAX_BLOCKS = 6000
MAX_MESSAGES = 300
MAX_CURVE = 400
STALL_SHARE = 0.05


def run_data(run_dir: Path | str) -> dict[str, Any]:
    """Return all that the page shows of a run.

    Raises:
        TraceError: not a run's folder, or a trace cannot be read.
    """
    folder = Path(run_dir)
    manifest = Manifest.read(folder)
    summary = summarise_run(folder)
    duration_s = summary["run"]["simulated_s"]
    messages = read_trace(folder, "messages")
    scenario = manifest.data.get("scenario", {})
    try:
        text = (folder / "scenario.toml").read_text(encoding="utf-8")
    except OSError:
        text = ""
    return {
        "kind": "run",
        "folder": folder.name,
        "title": f"{manifest.data.get('name')}, seed {manifest.data.get('seed')}",
        "summary": summary,
        "facts": _facts(manifest, scenario),
        "scenario": text,
        "warnings": warnings(manifest, messages),
        "duration_s": duration_s,
        "throughput": _throughput(folder, duration_s),
        "accuracy": _accuracy(messages),
        "cdfs": _cdfs(folder, messages, duration_s),
        "grid": _grid(folder, scenario),
        "messages": _timelines(messages),
        "map": _map(manifest, summary),
        "rungs": _rungs(messages, duration_s),
        "rounds": _records(tidy.fine_tuning(folder)),
        "retrievals": _records(tidy.retrieval(folder)),
    }


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [
        {str(key): _number(value) for key, value in row.items()}
        for row in frame.to_dict(orient="records")
    ]


def _number(value: Any) -> Any:
    """Return a plain number, None for NaN."""
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float):
        return None if not np.isfinite(value) else float(f"{value:.6g}")
    return value


def _list(values: Any) -> list[Any]:
    return [_number(value) for value in np.asarray(values).tolist()]


def _facts(manifest: Manifest, scenario: dict[str, Any]) -> list[list[str]]:
    carrier, channel = scenario.get("carrier", {}), scenario.get("channel", {})
    versions = manifest.data.get("versions", {})
    wall = manifest.data.get("wall", {})
    table = fact(manifest, "bler_table") or {}
    unchecked = direct.sentence(fact(manifest, "direct"))
    rows = [
        ["Status", str(manifest.data["status"])],
        ["Scenario hash", str(manifest.data.get("scenario_hash"))[:16]],
        [
            "Carrier",
            f"{carrier.get('frequency_hz', 0) / 1e9:g} GHz, "
            + " + ".join(
                f"{part.get('bandwidth_mhz')} MHz, numerology {part.get('numerology')}"
                for part in (carrier, *carrier.get("parts", ()))
            )
            + f", {carrier.get('duplex')}",
        ],
        ["Channel", str(channel.get("model"))],
        ["Scheduler", str(scenario.get("mac", {}).get("scheduler"))],
        ["Block error table", str(table.get("provenance") or "-")],
        ["Truth replay", truth.sentence(truth.verdict(fact(manifest, "truth_replay")))],
        *([["Bits and symbols", unchecked]] if unchecked else []),
        ["Wall time", f"{wall.get('total_s', '-')} s, begun {wall.get('started', '-')}"],
        ["Versions", ", ".join(f"{k} {v}" for k, v in versions.items() if v)],
    ]
    return rows


def warnings(manifest: Manifest, messages: pd.DataFrame) -> list[str]:
    """Return what a reader must know before believing the numbers."""
    found = []
    status, reason = manifest.data["status"], manifest.data.get("reason")
    if status != "finished":
        found.append(f"The run is {status}{f': {reason}' if reason else ''}. It is shown as far as "
                     "it went.")  # fmt: skip
    whole = messages[messages["complete"].astype("boolean").fillna(False).astype(bool)]
    wrong = int((whole["prediction"] != whole["offline_prediction"]).sum())
    if wrong:
        found.append(
            f"Oracle breach: {wrong} of {len(whole)} messages that arrived whole and in time were "
            "decided otherwise than without a network."
        )
    broken = [row for row in fact(manifest, "counters") or [] if not _balanced(row)]
    if broken:
        where = ", ".join(f"UE {r.get('ue')} {r.get('direction')}" for r in broken[:5])
        found.append(
            f"Oracle breach: bytes do not add up from the air to the application: {where}."
        )
    channel = fact(manifest, "channel") or {}
    total_s = manifest.data.get("wall", {}).get("total_s") or 0.0
    # What is waited for the first block is the start, which looking ahead does not shorten.
    stall_s = (channel.get("stall_s") or 0.0) - (channel.get("start_stall_s") or 0.0)
    if total_s and stall_s > STALL_SHARE * total_s:
        found.append(
            f"The simulator waited {stall_s:.2f} s of {total_s:.1f} s of wall time for channel "
            "blocks. Results do not depend on it; a larger channel.look_ahead_blocks may be faster."
        )
    replayed = truth.verdict(fact(manifest, "truth_replay"))
    if replayed is not None and abs(replayed["z"] or 0.0) > truth.Z_LIMIT:
        found.append(
            "The link abstraction is off: " + truth.sentence(replayed) + " Delays and losses of "
            "this run are as good as that."
        )
    if replayed is None:
        found.append(
            "No truth replay in this run: the error of the link abstraction against decoded blocks "
            "is not known for it."
        )
    if not len(messages):
        found.append("No message was decided.")
    return found


def _balanced(row: dict[str, Any]) -> bool:
    """Return whether a link's byte counters add up (DESIGN §6, oracle 3)."""
    try:
        headers = row["mac_header"] + row["rlc_header"] + row["pdcp_header"]
        return bool(
            row["phy"] == row["retransmitted"] + row["padding"] + headers + row["sdu_sent"]
            and row["sdu_sent"] == row["sdu_delivered"] + row["sdu_lost"] + row["sdu_in_flight"]
            and row["sdu_delivered"] == row["app_delivered"] + row["ip_udp_header"]
        )
    except KeyError:
        return True


def _throughput(folder: Path, duration_s: float) -> list[dict[str, Any]]:
    if duration_s <= 0:
        return []
    bin_s = duration_s / TIME_BINS
    frame = tidy.throughput(folder, bin_s)
    series = []
    for key, group in frame.groupby(["ue", "direction"], sort=True):
        ue, direction = cast(tuple[int, str], key)
        rates = np.zeros(TIME_BINS)
        index = np.minimum(np.rint(group["t_s"] / bin_s).astype(int), TIME_BINS - 1)
        rates[index] = group["throughput_bps"] / 1e6
        series.append(
            {
                "ue": int(ue),
                "direction": str(direction),
                "x": _list((np.arange(TIME_BINS) + 0.5) * bin_s),
                "y": _list(rates),
            }
        )
    return series


def _thinned(x: np.ndarray, y: np.ndarray) -> dict[str, list[Any]]:
    keep = np.unique(np.linspace(0, len(x) - 1, min(len(x), MAX_CURVE)).astype(int))
    return {"x": _list(x[keep]), "y": _list(y[keep])}


def _accuracy(messages: pd.DataFrame) -> list[dict[str, Any]]:
    series = []
    for (task, codec), group in messages.groupby(["task", "codec"], observed=True):
        base: dict[str, Any] = {"task": str(task), "codec": str(codec)}
        series.append(base | {"ue": None} | _thinned(*accuracy_so_far(group)))
        for node, part in group.groupby("node", sort=True):
            series.append(base | {"ue": int(cast(int, node))} | _thinned(*accuracy_so_far(part)))
    return series


def _cdf(label: str, values: np.ndarray) -> dict[str, Any]:
    shares = np.linspace(0.0, 1.0, CDF_POINTS)
    return {"label": label, "x": _list(np.quantile(values, shares)), "y": _list(shares)}


def _cdfs(folder: Path, messages: pd.DataFrame, duration_s: float) -> dict[str, Any]:
    delay = []
    for (task, codec), group in messages.groupby(["task", "codec"], observed=True):
        values = (group["t_decoded_s"] - group["t_created_s"]).dropna().to_numpy() * 1e3
        if len(values):
            delay.append(_cdf(f"{task}, {codec}", values))
    sinr, rate = [], []
    bin_s = max(duration_s / TIME_BINS, 1e-6)
    try:
        quality = tidy.link_quality(folder, bin_s)
    except TraceError:  # the run was told not to write `slots`
        quality = pd.DataFrame(columns=["direction", "sinr_db"])
    for direction, group in quality.groupby("direction", sort=True):
        values = group["sinr_db"].dropna().to_numpy(np.float64)
        if len(values):
            sinr.append(_cdf(str(direction).upper(), values))
    throughput = tidy.throughput(folder, bin_s)
    for direction, group in throughput.groupby("direction", sort=True):
        rate.append(
            _cdf(str(direction).upper(), group["throughput_bps"].to_numpy(np.float64) / 1e6)
        )
    return {"delay_ms": delay, "sinr_db": sinr, "throughput_mbps": rate}


def _grid(folder: Path, scenario: dict[str, Any]) -> dict[str, Any] | None:
    carrier = scenario.get("carrier", {})
    # The shortest slot of the bandwidth parts: one of twice the length fills every other column.
    parts = (carrier, *carrier.get("parts", ()))
    slot_s = 1e-3 / 2 ** max(int(part.get("numerology", 0)) for part in parts)
    columns = ["t_s", "cell", "direction", "ue", "prb_first", "prb_count", "redundancy_version",
               "ack"]  # fmt: skip
    try:
        first = next(tidy.batches(folder, "slots", columns, rows=MAX_BLOCKS), None)
    except TraceError:
        return None
    if first is None or not len(first):
        return None
    slots = np.rint(first["t_s"] / slot_s).astype(int)
    return {
        "slot_ms": slot_s * 1e3,
        "first_slot": int(slots.min()),
        "cut": len(first) == MAX_BLOCKS,
        "slot": _list(slots - slots.min()),
        "cell": _list(first["cell"]),
        "ue": _list(first["ue"]),
        "up": _list((first["direction"] == "ul").astype(int)),
        "first": _list(first["prb_first"]),
        "count": _list(first["prb_count"]),
        "again": _list((first["redundancy_version"] != 0).astype(int)),
        "lost": _list((~first["ack"].astype(bool)).astype(int)),
        "prbs": int((first["prb_first"] + first["prb_count"]).max()),
    }


def _timelines(messages: pd.DataFrame) -> dict[str, Any]:
    rows = messages.sort_values(["t_created_s", "message_id"]).head(MAX_MESSAGES)
    names = ["node", "t_created_s", "t_encoded_s", "t_first_tx_s", "t_delivered_s", "t_decoded_s",
             "deadline_s", "units_sent", "units_received"]  # fmt: skip
    data: dict[str, Any] = {name: _list(rows[name].astype("object")) for name in names}
    for name in ("task", "codec", "rung"):
        data[name] = rows[name].astype(str).to_list()
    for name in ("on_time", "correct"):
        data[name] = rows[name].astype(int).to_list()
    return data | {"shown": len(rows), "all": len(messages)}


def _map(manifest: Manifest, summary: dict[str, Any]) -> dict[str, Any] | None:
    layout = fact(manifest, "layout")
    if not isinstance(layout, dict) or not layout.get("ues_m"):
        return None
    links = {row["ue"]: row for row in summary["links"]}
    return {
        "cells": [position[:2] for position in layout["cells_m"]],
        "ues": [
            {
                "ue": number,
                "x": position[0],
                "y": position[1],
                "cell": layout["serving_cell"][number],
                "dl": links.get(number, {}).get("sinr_db_dl"),
                "ul": links.get(number, {}).get("sinr_db_ul"),
            }
            for number, position in enumerate(layout["ues_m"])
        ],
    }


def _rungs(messages: pd.DataFrame, duration_s: float) -> list[dict[str, Any]]:
    """Return messages of each rung over time, in twenty bins."""
    edges = np.linspace(0.0, duration_s or 1.0, 21)
    series = []
    for (codec, rung), group in messages.groupby(["codec", "rung"], observed=True):
        count, _ = np.histogram(group["t_created_s"], bins=edges)
        series.append(
            {
                "label": f"{codec} {rung}",
                "x": _list((edges[1:] + edges[:-1]) / 2),
                "y": _list(count),
            }
        )
    return series
