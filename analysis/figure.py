# SPDX-License-Identifier: MIT
"""The first figure of a run: accuracy and throughput over simulated time, for each task.

The bytes are reproducible: a fixed style, no dates, and identifiers from a fixed salt.
"""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.kpi import simulated_s
from cosim.traces import Manifest, TraceError, read_trace
from cosim.traces.files import write_atomically

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's palette, which readers with colour vision deficiencies can tell apart.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
GREY = "#777777"
LINES = ("-", "--", ":", "-.")
MARKERS = ("o", "s", "^", "D")
STYLE: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "svg.hashsalt": "semcosim",
    "svg.fonttype": "path",
    "pdf.fonttype": 42,  # TrueType: journals refuse Type 3
    "figure.dpi": 120,
    "savefig.dpi": 120,
}
BINS = 20
FORMATS: dict[str, dict[str, None]] = {
    "png": {"Software": None},
    "svg": {"Date": None},
    "pdf": {"CreationDate": None, "Producer": None, "Creator": None},
}
"""Format → the metadata that is left out, so that equal data give equal bytes."""


def plot_run(run_dir: Path | str, formats: Sequence[str] = ("png", "svg")) -> list[Path]:
    """Draw `figure.png` and `figure.svg` into a run's folder and return their paths.

    Args:
        run_dir: the run's folder.
        formats: of `FORMATS`.

    Raises:
        TraceError: not a run's folder, a trace cannot be read, or the files cannot be written.
    """
    import matplotlib

    folder = Path(run_dir)
    manifest = Manifest.read(folder)
    duration_s = simulated_s(folder, manifest)
    messages = read_trace(folder, "messages")
    packets = read_trace(folder, "packets", ["t_s", "direction", "event", "bytes", "message_id"])
    # The backend without a display, for these figures alone: a notebook keeps its own.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    paths = []
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(7.5, 5.6), layout="constrained")
        FigureCanvasAgg(figure)
        upper, lower = figure.subplots(2, 1, sharex=True)
        _accuracy(upper, messages)
        _throughput(lower, packets, messages, duration_s)
        lower.set_xlabel("simulated time (s)")
        lower.set_xlim(0.0, duration_s or 1.0)
        figure.suptitle(
            f"{manifest.data.get('name')}, seed {manifest.data.get('seed')}", x=0.01, ha="left"
        )
        paths += save(figure, folder / "figure", formats)
    return paths


def save(figure: "Figure", stem: Path, formats: Sequence[str]) -> list[Path]:
    """Write a figure in several formats, without dates, and return the files.

    Raises:
        TraceError: an unknown format, or a file cannot be written.
    """
    paths = []
    for suffix in formats:
        if suffix not in FORMATS:
            raise TraceError(f"a figure cannot be {suffix!r}; formats are {', '.join(FORMATS)}")
        buffer = io.BytesIO()
        figure.savefig(buffer, format=suffix, metadata=FORMATS[suffix])
        path = stem.with_name(f"{stem.name}.{suffix}")
        write_atomically(path, buffer.getvalue())
        paths.append(path)
    return paths


def accuracy_so_far(
    group: pd.DataFrame, column: str = "correct"
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return creation times and the share of correct answers so far, both [messages]."""
    ordered = group.sort_values(["t_created_s", "message_id"])
    correct = ordered[column].to_numpy(dtype=np.float64, na_value=np.nan)
    share = np.nancumsum(correct) / np.maximum(np.cumsum(~np.isnan(correct)), 1)
    return ordered["t_created_s"].to_numpy(np.float64), share


def binned_mbps(
    times_s: npt.NDArray[np.float64],
    sizes_bytes: npt.NDArray[np.int64],
    edges_s: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    """Return the rate in each bin in Mbit/s, shape [bins], for `edges_s` of shape [bins + 1]."""
    total, _ = np.histogram(times_s, bins=edges_s, weights=sizes_bytes)
    return np.asarray(total * 8e-6 / np.diff(edges_s))


def _styles(messages: pd.DataFrame) -> tuple[dict[str, str], dict[str, str]]:
    tasks = sorted(map(str, messages["task"].unique()))
    codecs = sorted(map(str, messages["codec"].unique()))
    colours = {task: PALETTE[i % len(PALETTE)] for i, task in enumerate(tasks)}
    lines = {codec: LINES[i % len(LINES)] for i, codec in enumerate(codecs)}
    return colours, lines


def _accuracy(axes: "Axes", messages: pd.DataFrame) -> None:
    axes.set_ylabel("accuracy so far")
    axes.set_ylim(0.0, 1.02)
    colours, lines = _styles(messages)
    markers = {codec: MARKERS[i % len(MARKERS)] for i, codec in enumerate(lines)}
    groups = messages.groupby(["task", "codec"], observed=True)
    named = {(str(task), str(codec)): group for (task, codec), group in groups}
    for (task, codec), group in sorted(named.items(), key=lambda item: item[0]):
        times, share = accuracy_so_far(group)
        axes.plot(
            times, share, color=colours[task], linestyle=lines[codec], label=f"{task}, {codec}"
        )
        offline = group["offline_correct"].dropna()
        if len(offline):
            axes.plot(
                [times[-1]],
                [offline.astype(float).mean()],
                marker=markers[codec],
                markersize=5,
                markerfacecolor="none",
                color=colours[task],
                linestyle="none",
                clip_on=False,
            )
    if len(messages):
        axes.plot([], [], "o", markerfacecolor="none", color=GREY, label="the same, lossless")
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    else:
        axes.text(0.5, 0.5, "no messages", transform=axes.transAxes, ha="center")


def _throughput(
    axes: "Axes", packets: pd.DataFrame, messages: pd.DataFrame, duration_s: float
) -> None:
    axes.set_ylabel("delivered (Mbit/s)")
    delivered = packets[packets["event"] == "deliver"]
    if not len(delivered) or duration_s <= 0:
        axes.text(0.5, 0.5, "no packets", transform=axes.transAxes, ha="center")
        return
    edges = np.linspace(0.0, duration_s, BINS + 1)
    colours, _ = _styles(messages)
    task_of = messages.set_index("message_id")["task"].astype(str)
    task = delivered["message_id"].map(task_of)
    for name, colour in colours.items():
        _rate(axes, delivered[task == name], edges, name, colour, "-")
    rest = delivered[task.isna()]
    for direction, line in (("dl", "-"), ("ul", "--")):
        part = rest[rest["direction"] == direction]
        if len(part):
            _rate(axes, part, edges, f"other {direction.upper()}", GREY, line)
    axes.set_yscale("log")
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))


def _rate(
    axes: "Axes",
    rows: pd.DataFrame,
    edges_s: npt.NDArray[np.float64],
    label: str,
    colour: str,
    line: str,
) -> None:
    rate = binned_mbps(rows["t_s"].to_numpy(), rows["bytes"].to_numpy(), edges_s)
    axes.stairs(
        np.where(rate > 0, rate, np.nan), edges_s, color=colour, linestyle=line, label=label
    )
