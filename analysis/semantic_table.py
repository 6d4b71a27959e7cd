# SPDX-License-Identifier: MIT
"""One table over codecs and tasks: what was right, what it cost the air, what is trusted."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from analysis import kpi, metrics
from cosim.traces import Manifest, read_trace

SUBCARRIERS = 12
SYMBOLS = 14
"""Of a PRB in a slot (TS 38.211); control and reference symbols are spent too, so they count."""

COLUMNS = (
    "task", "codec", "rung", "messages", "accuracy", "accuracy_low", "accuracy_high", "prior",
    "offline", "coverage", "accepted_outage", "token_success", "bytes_app", "bytes_air",
    "bytes_air_per_correct", "symbols", "semantic_efficiency", "goodput_hz", "goodput_per_mhz",
)  # fmt: skip


def symbols_per_byte(run_dir: Path | str) -> pd.Series:
    """Return uplink resource elements spent on a byte of a transport block, indexed by UE.

    Σ PRBs · 12 · 14 · layers over all transmissions, repeated ones too, divided by Σ TBS / 8.
    """
    slots = read_trace(run_dir, "slots", ["direction", "ue", "prb_count", "layers", "tbs_bits"])
    up = slots[slots["direction"] == "ul"]
    elements = up["prb_count"] * up["layers"] * (SUBCARRIERS * SYMBOLS)
    sums = pd.DataFrame({"ue": up["ue"], "elements": elements, "bytes": up["tbs_bits"] / 8})
    total = sums.groupby("ue").sum()
    return total["elements"] / total["bytes"]


def _symbols(messages: pd.DataFrame, folder: Path | str) -> pd.Series:
    """Return resource elements spent on each message.

    As ns-3 counted them, or, in traces from before it did, by bytes: the UE's mean over the run.
    """
    by_bytes = messages["bytes_air"] * messages["node"].map(symbols_per_byte(folder))
    counted = messages.get("elements_air")
    return by_bytes if counted is None else counted.fillna(by_bytes)


def entries_of(manifest: Manifest) -> list[tuple[int, int]]:
    """Return the first and the last flow number of each [[traffic]] entry, in their order."""
    scenario = manifest.data["scenario"]
    out = []
    number = 1
    for traffic in scenario["traffic"]:
        chosen = traffic.get("ues", "all")
        count = int(scenario["ues"]["count"]) if chosen == "all" else len(chosen)
        both = traffic.get("direction") == "both" or traffic.get("feedback", "none") != "none"
        out.append((number, number + count * (2 if both else 1) - 1))
        number = out[-1][1] + 1
    return out


def semantic_table(
    run_dirs: Path | str | Sequence[Path | str], *, by_entry: bool = False
) -> pd.DataFrame:
    """Return one row a task, codec and rung, over all messages of some runs.

    With `by_entry` the number of the [[traffic]] entry, from 0, is a part of the rung's name, so
    that entries which differ in packing or QoS alone have rows of their own.

    The semantic spectral efficiency is Φ = ξ / symbols a message in answers/s/Hz, where ξ is the
    accuracy corrected for the prior's (`metrics.floor_corrected`): an answer that could have been
    given without any message is none. Goodput a MHz divides right answers in time by the whole
    carrier, which all codecs of a run share. Bytes and symbols on air are of all messages.

    Raises:
        TraceError: not a run's folder, or its slots were not traced.
    """
    folders = [run_dirs] if isinstance(run_dirs, str | Path) else list(run_dirs)
    frames, duration_s, width_hz = [], 0.0, 0.0
    for folder in folders:
        manifest = Manifest.read(folder)
        messages = read_trace(folder, "messages")
        for name in ("task", "codec", "rung"):
            messages[name] = messages[name].astype(str)
        if by_entry:
            for entry, (first, last) in enumerate(entries_of(manifest)):
                mine = messages["flow"].between(first, last)
                messages.loc[mine, "rung"] = messages.loc[mine, "rung"] + f" #{entry}"
        messages["symbols"] = _symbols(messages, folder)
        frames.append(messages)
        duration_s += kpi.simulated_s(folder, manifest)
        carrier = manifest.data["scenario"]["carrier"]
        widths_mhz = [part["bandwidth_mhz"] for part in (carrier, *carrier.get("parts", ()))]
        width_hz = 1e6 * float(sum(widths_mhz))
    every = pd.concat(frames)
    rows = [
        dict(zip(("task", "codec", "rung"), map(str, key), strict=True))
        | _row(group, duration_s, width_hz)
        for key, group in every.groupby(["task", "codec", "rung"])
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _row(group: pd.DataFrame, duration_s: float, width_hz: float) -> dict[str, float | None]:
    count, correct = len(group), int(group["correct"].sum())
    on_time = group["on_time"].astype(bool)
    accepted = group["accepted"].fillna(False).astype(bool)
    useful = int((group["correct"].astype(bool) & on_time).sum())
    interval = metrics.wilson_interval(correct, count) or (0.0, 1.0)
    # What always giving the same answer would have reached on these very messages: the majority's.
    prior = float(group["label"].value_counts().max()) / count
    symbols = float(group["symbols"].mean())
    gained = metrics.floor_corrected(correct / count, prior) if prior < 1 else 0.0
    return {
        "messages": count,
        "accuracy": correct / count,
        "accuracy_low": interval[0],
        "accuracy_high": interval[1],
        "prior": prior,
        "offline": float(group["offline_correct"].astype(float).mean()),
        "coverage": metrics.coverage(int(accepted.sum()), count),
        "accepted_outage": metrics.accepted_outage(
            int(accepted.sum()), int((accepted & group["correct"].astype(bool)).sum())
        ),
        "token_success": metrics.token_success_rate(
            int(group["units_received"].sum()), int(group["units_sent"].sum())
        ),
        "bytes_app": float(group["bytes_app"].mean()),
        "bytes_air": float(group["bytes_air"].mean()),
        "bytes_air_per_correct": metrics.per_correct(float(group["bytes_air"].sum()), correct),
        "symbols": symbols,
        "semantic_efficiency": gained / symbols if symbols > 0 else None,
        "goodput_hz": metrics.semantic_goodput_hz(useful, duration_s),
        "goodput_per_mhz": metrics.goodput_per_hz(useful, duration_s, width_hz / 1e6),
    }
