# SPDX-License-Identifier: MIT
"""The table of a campaign: one row a run, task, codec and rung."""

import io
import json
from typing import Any

from cosim.campaign.design import Design, Point
from cosim.campaign.folder import KEY_DIGITS, CampaignFolder
from cosim.traces import Manifest, TraceError
from cosim.traces.files import write_atomically

FILE_NAME = "results.parquet"
_LINK_SUMS = ("throughput_dl_bps", "throughput_ul_bps")
_LINK_MEANS = ("bler_dl", "bler_ul", "bler_first_dl", "bler_first_ul", "mcs_mean_dl",
               "mcs_mean_ul", "sinr_db_dl", "sinr_db_ul")  # fmt: skip


def write_results(folder: CampaignFolder, design: Design) -> int:
    """Write `results.parquet` from what the folder holds and return its rows.

    Columns: `run` (the key), `seed`, each varied field under its dotted path, `status` (finished,
    failed, missing), `reason`, `wall_s`, and of finished runs the answers' columns of
    `summary.json` (accuracy, goodput_hz, delay_ms_p95, …) and of the cell `cell_…` sums of
    throughputs in bit/s, means over UEs of BLER, MCS and SINR, and Jain's indices.

    Raises:
        TraceError: the file cannot be written.
    """
    import pandas as pd

    rows: list[dict[str, Any]] = []
    for point in design.points:
        rows += _rows(folder, point)
    frame = pd.DataFrame(rows)
    for name in frame.columns:
        column = frame[name]
        if column.dtype == object:
            kinds = {type(value) for value in column.dropna()}
            if len(kinds - {int, float}) and not kinds <= {str} and not kinds <= {bool}:
                frame[name] = column.map(lambda v: v if v is None else _text(v))
    buffer = io.BytesIO()
    frame.to_parquet(buffer, index=False)
    write_atomically(folder.path / FILE_NAME, buffer.getvalue())
    return len(frame)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _rows(folder: CampaignFolder, point: Point) -> list[dict[str, Any]]:
    base: dict[str, Any] = {"run": point.key[:KEY_DIGITS], "seed": point.scenario.run.seed}
    base |= {path: _scalar(value) for path, value in point.fields.items()}
    run = folder.run_dir(point.key)
    try:
        summary = json.loads((run / "summary.json").read_text(encoding="utf-8"))
        manifest = Manifest.read(run).data
    except (OSError, ValueError, TraceError):
        reason = folder.failure(point.key)
        status = "missing" if reason is None else "failed"
        return [base | {"status": status, "reason": reason}]
    base |= {
        "status": "finished",
        "reason": None,
        "wall_s": manifest.get("wall", {}).get("total_s"),
        "simulated_s": summary["run"]["simulated_s"],
    }
    links = summary["links"]
    for name in _LINK_SUMS:
        base[f"cell_{name}"] = sum(link.get(name) or 0.0 for link in links)
    for name in _LINK_MEANS:
        values = [link[name] for link in links if link.get(name) is not None]
        base[f"cell_{name}"] = sum(values) / len(values) if values else None
    base |= {f"jain_{name}": value for name, value in summary["fairness"].items()}
    return [base | answer for answer in summary["answers"]] or [base]


def _scalar(value: Any) -> Any:
    return value if isinstance(value, str | int | float | bool) else json.dumps(value, default=str)
