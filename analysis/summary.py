# SPDX-License-Identifier: MIT
"""The table at the end of a run, as `summary.json`, `summary.txt` and for the terminal."""

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis import direct, kpi, metrics, truth
from cosim.traces import Manifest, TraceError, read_trace
from cosim.traces.files import write_atomically

if TYPE_CHECKING:
    from rich.table import Table

TEXT_WIDTH = 108
INTERVAL = "95 % interval"


def fact(manifest: Manifest, name: str) -> Any:
    """Return an entry that the engine wrote into the manifest, None if there is none."""
    data = manifest.data
    facts = data.get("facts")
    return data.get(name, facts.get(name) if isinstance(facts, dict) else None)


def summarise_run(run_dir: Path | str) -> dict[str, Any]:
    """Return a run's KPIs as plain JSON types.

    Works for runs that are finished, under way or killed: over what their traces hold.

    Returns:
        `run` (name, seed, status, reason, simulated_s), `answers` (one a task, codec and rung),
        `links` (one a UE), `losses` (packets by reason), `fairness` (Jain's indices), `phy` (the
        block error table's name and what truth replay found, None if it was off).

    Raises:
        TraceError: not a run's folder, or a trace cannot be read.
    """
    manifest = Manifest.read(run_dir)
    duration_s = kpi.simulated_s(run_dir, manifest)
    messages = read_trace(run_dir, "messages")
    packets = read_trace(run_dir, "packets", ["t_s", "ue", "direction", "event", "bytes", "reason"])
    kpis = read_trace(run_dir, "kpis")
    try:
        slots = read_trace(
            run_dir,
            "slots",
            ["ue", "direction", "mcs", "redundancy_version", "sinr_eff_db", "ack"],
        )
    except TraceError:
        slots = None
    answers = kpi.answers(messages, duration_s)
    offline = fact(manifest, "offline") or {}
    for row in answers:
        known = offline.get(f"{row['task']}/{row['codec']}/{row['rung']}", {})
        row["prior_accuracy"] = known.get("prior_accuracy")
        if row["offline_accuracy"] is None:
            row["offline_accuracy"] = known.get("accuracy")
    links = kpi.links(
        packets, slots if slots is not None and len(slots) else None, kpis, duration_s
    )
    return {
        "run": {
            "name": manifest.data.get("name"),
            "seed": manifest.data.get("seed"),
            "status": manifest.data["status"],
            "reason": manifest.data.get("reason"),
            "scenario_hash": manifest.data.get("scenario_hash"),
            "simulated_s": duration_s,
        },
        "answers": answers,
        "links": links,
        "losses": kpi.losses(packets),
        "phy": {
            "bler_table": (fact(manifest, "bler_table") or {}).get("name"),
            "truth": truth.verdict(fact(manifest, "truth_replay")),
            "direct": fact(manifest, "direct"),
        },
        "fairness": {
            "accuracy": metrics.jain_index(kpi.user_accuracy(messages).to_list()),
            "throughput_dl": metrics.jain_index([r["throughput_dl_bps"] or 0.0 for r in links]),
            "throughput_ul": metrics.jain_index([r["throughput_ul_bps"] or 0.0 for r in links]),
        },
    }


def write_summary(run_dir: Path | str, summary: dict[str, Any]) -> None:
    """Write `summary.json` and `summary.txt` into the run's folder.

    Raises:
        TraceError: the folder cannot be written to.
    """
    folder = Path(run_dir)
    text = json.dumps(summary, indent=2, ensure_ascii=False, allow_nan=False)
    write_atomically(folder / "summary.json", text.encode() + b"\n")
    write_atomically(folder / "summary.txt", summary_text(summary).encode())


def summary_text(summary: dict[str, Any]) -> str:
    """Return the tables as plain text, `TEXT_WIDTH` columns wide."""
    from rich.console import Console

    stream = io.StringIO()
    console = Console(file=stream, width=TEXT_WIDTH, color_system=None, force_terminal=False)
    console.print(*render(summary), sep="\n")
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines()) + "\n"


def _number(value: float | None, digits: int = 0, scale: float = 1.0) -> str:
    return "-" if value is None else f"{value * scale:.{digits}f}"


def render(summary: dict[str, Any]) -> "list[str | Table]":
    """Return the summary as what rich can print: a headline and three tables."""
    run = summary["run"]
    head = (
        f"{run['name']}, seed {run['seed']}: {run['status']}, {run['simulated_s']:.1f} s simulated"
    )
    if run["reason"]:
        head += f" ({run['reason']})"
    foot = "Packets lost: " + (
        ", ".join(f"{count} {reason}" for reason, count in summary["losses"].items()) or "none"
    )
    phy = f"Block error table: {summary['phy']['bler_table'] or '-'}. " + truth.sentence(
        summary["phy"]["truth"]
    )
    if unchecked := direct.sentence(summary["phy"]["direct"]):
        phy += f" {unchecked}"
    fidelity = [_fidelity(summary)] if _rebuilt(summary) else []
    return [head, _accuracy(summary), *fidelity, _cost(summary), _links(summary), foot, phy]


def _table(title: str, *columns: str) -> "Table":
    """Return a table whose first column holds names and may wrap, the others numbers."""
    from rich import box
    from rich.table import Table

    table = Table(
        title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 0)
    )
    first, *others = columns
    table.add_column(first, overflow="fold")
    for column in others:
        # On a narrow terminal headings wrap at their spaces; no number is ever cut.
        words = max(len(word) for word in column.split(" "))
        widest = len("0.123-0.456") if column == INTERVAL else len("99999")
        table.add_column(column, justify="right", min_width=max(words, widest), overflow="fold")
    return table


def _name(row: dict[str, Any]) -> str:
    rung = "" if row["rung"] == "default" else f" {row['rung']}"
    return f"{row['task']} {row['codec']}{rung}"


def _accuracy(summary: dict[str, Any]) -> "Table":
    table = _table(
        "Messages and the share of right answers",
        "task and codec", "sent", "whole", "partly", "lost", "in time", "prior", "offline",
        "network", INTERVAL,
    )  # fmt: skip
    for row in summary["answers"]:
        low, high = row["accuracy_low"], row["accuracy_high"]
        table.add_row(
            _name(row),
            str(row["messages"]),
            str(row["complete"]),
            str(row["partial"]),
            str(row["nothing"]),
            str(row["on_time"]),
            _number(row["prior_accuracy"], 3),
            _number(row["offline_accuracy"], 3),
            _number(row["accuracy"], 3),
            "-" if low is None else f"{low:.3f}-{high:.3f}",
        )
    return table


def _rebuilt(summary: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the answers of reconstruction tasks."""
    return [
        row
        for row in summary["answers"]
        if any(row.get(f"{name}_mean") is not None for name in kpi.FIDELITY)
    ]


def _fidelity(summary: dict[str, Any]) -> "Table":
    table = _table(
        "Fidelity of what was reconstructed; all units: PSNR or similarity without a network",
        "task and codec", "PSNR dB", "MS-SSIM", "similarity", "all units",
    )  # fmt: skip
    for row in _rebuilt(summary):
        table.add_row(
            _name(row),
            _number(row["psnr_db_mean"], 2),
            _number(row["ms_ssim_mean"], 3),
            _number(row["similarity_mean"], 3),
            _number(row["offline_score_mean"], 3),
        )
    return table


def _cost(summary: dict[str, Any]) -> "Table":
    table = _table(
        "Bytes and delay of a message; on air and for each right answer",
        "task and codec", "bytes", "air", "air/right", "units", "right/s", "p50 ms", "p95 ms",
        "p99 ms",
    )  # fmt: skip
    for row in summary["answers"]:
        table.add_row(
            _name(row),
            _number(row["bytes_per_message"], 1),
            _number(row["air_bytes_per_message"], 1),
            _number(row["air_bytes_per_correct"], 1),
            _number(row["token_success_rate"], 3),
            _number(row["goodput_hz"], 2),
            _number(row["delay_ms_p50"], 1),
            _number(row["delay_ms_p95"], 1),
            _number(row["delay_ms_p99"], 1),
        )
    return table


def _links(summary: dict[str, Any]) -> "Table":
    table = _table(
        "Links",
        "UE", "DL Mbit/s", "UL Mbit/s", "DL BLER", "UL BLER", "DL MCS", "UL MCS", "DL SINR dB",
        "UL SINR dB",
    )  # fmt: skip
    for row in summary["links"]:
        table.add_row(
            str(row["ue"]),
            _number(row["throughput_dl_bps"], 3, 1e-6),
            _number(row["throughput_ul_bps"], 3, 1e-6),
            _number(row["bler_dl"], 3),
            _number(row["bler_ul"], 3),
            _number(row["mcs_mean_dl"], 1),
            _number(row["mcs_mean_ul"], 1),
            _number(row["sinr_db_dl"], 1),
            _number(row["sinr_db_ul"], 1),
        )
    return table
