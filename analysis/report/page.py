# SPDX-License-Identifier: MIT
"""Puts data, style and script into one HTML file."""

import html
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from analysis.report.compare import METRICS, campaign_data, compare_runs
from analysis.report.run_data import run_data
from cosim.traces import TraceError
from cosim.traces.files import write_atomically

HERE = Path(__file__).parent


def write_report(sources: Sequence[Path | str], out: Path | str | None = None) -> Path:
    """Write the report about runs and campaigns and return its path.

    Args:
        sources: folders of runs or campaigns; several runs are compared with the first.
        out: the file; by default `report.html` in the folder, or here for several folders.

    Raises:
        TraceError: a folder is neither, a trace cannot be read, or the file cannot be written.
    """
    if not sources:
        raise TraceError("a report needs the folder of a run or a campaign")
    parts: list[dict[str, Any]] = []
    for source in sources:
        campaign = (Path(source) / "campaign.json").is_file()
        parts.append(campaign_data(source) if campaign else run_data(source))
    runs = [part for part in parts if part["kind"] == "run"]
    data = {
        "parts": parts,
        "comparison": compare_runs(runs) if len(runs) > 1 else [],
        "metrics": METRICS,
    }
    if out is None:
        out = Path(sources[0]) / "report.html" if len(sources) == 1 else Path("report.html")
    path = Path(out)
    title = ", ".join(part["title"] for part in parts)
    write_atomically(path, page(title, data).encode())
    return path


def page(title: str, data: dict[str, Any]) -> str:
    """Return the page with its data; no text of a scenario or a trace can become markup."""
    # Inside a script element only "</" and "<!--" end it or change how it is read.
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    text = text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    script = "\n".join(
        (HERE / name).read_text(encoding="utf-8") for name in ("charts.js", "report.js")
    )
    return (
        (HERE / "page.html")
        .read_text(encoding="utf-8")
        .replace("@TITLE@", html.escape(title))
        .replace("@STYLE@", (HERE / "page.css").read_text(encoding="utf-8"))
        .replace("@SCRIPT@", script)
        .replace("@DATA@", text)
    )
