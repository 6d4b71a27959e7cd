# SPDX-License-Identifier: MIT
"""The figure of a campaign for a paper: a metric over a field, with intervals over seeds."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from analysis.figure import LINES, MARKERS, PALETTE, STYLE, save
from analysis.intervals import over_seeds
from analysis.report.compare import METRICS
from cosim.traces import TraceError

COLUMN_INCHES = 3.5
"""Width of a column in IEEE journals."""


def plot_campaign(
    folder: Path | str,
    y: str = "accuracy",
    x: str | None = None,
    formats: Sequence[str] = ("pdf", "svg"),
) -> list[Path]:
    """Draw a metric over a varied field, a line a setting of the other fields and answer.

    Bars are 95 % intervals over seeds (Student's t); there are none with one seed.

    Args:
        folder: the campaign's folder.
        y: a column of `results.parquet` with numbers.
        x: a varied field; by default the first with numbers, else the first.
        formats: pdf, svg, png.

    Returns:
        the files, named `figure-Y.FORMAT`, in the folder.

    Raises:
        TraceError: no campaign, no such column, or nothing has finished.
    """
    import json

    path = Path(folder)
    try:
        fields = json.loads((path / "campaign.json").read_text(encoding="utf-8"))["fields"]
        results = pd.read_parquet(path / "results.parquet")
    except (OSError, ValueError, KeyError) as error:
        raise TraceError(f"cannot read the campaign in {folder}: {error}") from None
    results = results[results["status"] == "finished"]
    if not len(results) or "task" not in results.columns:
        raise TraceError(f"no run of the campaign in {folder} has finished")
    if y not in results.columns or not pd.api.types.is_numeric_dtype(results[y]):
        numbers = [c for c in results.columns if pd.api.types.is_numeric_dtype(results[c])]
        raise TraceError(f"--y {y} is no column of numbers; they are {', '.join(numbers)}")
    fields = [name for name in fields if name in results.columns]
    if x is None:
        numeric = [f for f in fields if pd.api.types.is_numeric_dtype(results[f])]
        x = (numeric or fields or ["seed"])[0]
    elif x not in results.columns:
        raise TraceError(f"--x {x} is not varied; fields are {', '.join(fields) or 'none'}")
    answer = ["task", "codec", "rung"]
    lines = [f for f in [*fields, *answer] if f != x and results[f].nunique() > 1]
    table = over_seeds(results, [x, *lines], [y])
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with rc_context({**STYLE, "font.size": 8}):
        figure = Figure(figsize=(COLUMN_INCHES, 2.6), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplots()
        groups = table.groupby(lines, sort=False) if lines else [((), table)]
        for number, (key, group) in enumerate(groups):
            if pd.api.types.is_numeric_dtype(group[x]):
                group = group.sort_values(x)
            half = (group["high"] - group["mean"]).to_numpy()
            axes.errorbar(
                group[x], group["mean"], yerr=half, capsize=2, linewidth=1.2, markersize=4,
                color=PALETTE[number % len(PALETTE)], marker=MARKERS[number % len(MARKERS)],
                linestyle=LINES[number // len(PALETTE) % len(LINES)],
                label=", ".join(map(str, key if isinstance(key, tuple) else (key,))),
            )  # fmt: skip
        axes.set_xlabel(x)
        axes.set_ylabel(METRICS.get(y, y))
        if lines:
            axes.legend(fontsize=7)
        return save(figure, path / f"figure-{y}", formats)
