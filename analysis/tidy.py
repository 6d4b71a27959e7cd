# SPDX-License-Identifier: MIT
"""From a run's traces to tidy data frames: one row an observation, units in the column names.

Tables that grow with simulated time (`slots`, `packets`, `kpis`) are read in batches and added up,
so they may be larger than memory; the results grow with time bins and UEs alone. `messages` is read
at once: a message is one row.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset

from analysis import metrics
from cosim.traces import TABLES, TraceError, read_trace, table_path

BATCH_ROWS = 65_536
ANSWER_KEYS = ["task", "codec", "rung"]
_DELAY_EDGES_MS = np.geomspace(1e-2, 1e5, 1621)
"""1 % wide bins from 10 us to 100 s."""


def batches(
    run_dir: Path | str, table: str, columns: Sequence[str], rows: int = BATCH_ROWS
) -> Iterator[pd.DataFrame]:
    """Yield a table's rows in order, `rows` at most at a time; names are text.

    Raises:
        TraceError: no such table or column, or a part that cannot be read.
    """
    path, spec = table_path(run_dir, table), TABLES[table]
    for name in columns:
        if name not in spec.by_name:
            raise TraceError(
                f"{table} has no column {name!r}; columns are {', '.join(spec.by_name)}"
            )
    # One part after the other: a dataset reads ahead, which is memory that we do not have.
    for part in sorted(path.glob("part-*.parquet")):
        try:
            data = pyarrow.dataset.dataset(str(part), schema=spec.schema, format="parquet")
            for batch in data.to_batches(
                columns=list(columns), batch_size=rows, batch_readahead=0, fragment_readahead=0
            ):
                frame = pa.Table.from_batches([batch]).to_pandas(strings_to_categorical=False)
                for name in columns:
                    if isinstance(frame[name].dtype, pd.CategoricalDtype):
                        frame[name] = frame[name].astype(str)
                if len(frame):
                    yield frame
        except (pa.ArrowException, OSError) as error:
            raise TraceError(f"cannot read {part}: {error}") from error


def _summed(parts: Iterator[pd.DataFrame], keys: list[str]) -> pd.DataFrame:
    """Return the sums of frames that have been grouped by `keys`, added up as they come."""
    total: pd.DataFrame | None = None
    for part in parts:
        if part.empty:  # its keys have lost their types
            continue
        total = part if total is None else pd.concat([total, part]).groupby(level=keys).sum()
    return pd.DataFrame() if total is None else total.sort_index()


def _bin(times_s: pd.Series, bin_s: float) -> pd.Series:
    """Return the start of each time's bin, exact multiples of `bin_s`."""
    # 0.3 / 0.1 is a little less than 3: times on an edge belong to the bin that begins there.
    return pd.Series(np.floor(times_s / bin_s + 1e-9).astype(np.int64) * bin_s)


def throughput(run_dir: Path | str, bin_s: float = 0.1) -> pd.DataFrame:
    """Return delivered IP bytes a UE, direction and bin.

    Returns:
        t_s (the bin's start), ue, direction, throughput_bps; bins without packets have no row.
    """
    keys = ["t_s", "ue", "direction"]

    def parts() -> Iterator[pd.DataFrame]:
        for rows in batches(run_dir, "packets", ["t_s", "ue", "direction", "event", "bytes"]):
            rows = rows[rows["event"] == "deliver"].assign(t_s=_bin(rows["t_s"], bin_s))
            yield rows.groupby(keys)[["bytes"]].sum()

    total = _summed(parts(), keys)
    if total.empty:
        return pd.DataFrame(columns=[*keys, "throughput_bps"])
    total["throughput_bps"] = total.pop("bytes") * 8.0 / bin_s
    return total.reset_index()


def delays(run_dir: Path | str, shares: Sequence[float] = (0.5, 0.95, 0.99)) -> pd.DataFrame:
    """Return the delay of packets from entering the radio queue to delivery.

    Means are exact; quantiles are upper edges of bins 1 % wide, so up to 1 % too high. Memory grows
    with the packets that are under way at one time.

    Returns:
        ue, direction, packets, delay_ms_mean and delay_ms_p50, … for each share.
    """
    entered: dict[int, float] = {}
    sums: dict[tuple[int, str], list[float]] = {}
    counts: dict[tuple[int, str], np.ndarray] = {}
    columns = ["t_s", "ue", "direction", "event", "packet_id"]
    for rows in batches(run_dir, "packets", columns):
        for t_s, ue, direction, event, packet in rows.itertuples(index=False):
            if event == "enqueue":
                entered[packet] = t_s
            elif event in ("deliver", "drop", "discard"):
                began = entered.pop(packet, None)
                if began is None or event != "deliver":
                    continue
                key, delay_ms = (int(ue), direction), (t_s - began) * 1e3
                total = sums.setdefault(key, [0.0, 0.0])
                total[0] += delay_ms
                total[1] += 1
                histogram = counts.setdefault(key, np.zeros(len(_DELAY_EDGES_MS) + 1, np.int64))
                histogram[np.searchsorted(_DELAY_EDGES_MS, delay_ms)] += 1
    found = []
    for (ue, direction), (total_ms, count) in sorted(sums.items()):
        row: dict[str, object] = {"ue": ue, "direction": direction, "packets": int(count)}
        row["delay_ms_mean"] = total_ms / count
        cumulative = np.cumsum(counts[(ue, direction)])
        for share in shares:
            index = int(np.searchsorted(cumulative, share * count))
            row[f"delay_ms_p{share * 100:g}"] = float(
                _DELAY_EDGES_MS[min(index, len(_DELAY_EDGES_MS) - 1)]
            )
        found.append(row)
    names = [f"delay_ms_p{share * 100:g}" for share in shares]
    return pd.DataFrame(found, columns=["ue", "direction", "packets", "delay_ms_mean", *names])


def link_quality(run_dir: Path | str, bin_s: float = 0.1) -> pd.DataFrame:
    """Return what became of transport blocks a UE, direction and bin.

    Returns:
        t_s, ue, direction, blocks, bler (of all transmissions), bler_first (redundancy version 0
        only), bler_predicted, sinr_db and mcs_mean (means over blocks), prbs (PRBs x slots).
    """
    keys = ["t_s", "ue", "direction"]
    columns = ["t_s", "ue", "direction", "prb_count", "mcs", "redundancy_version", "sinr_eff_db",
               "bler_predicted", "ack"]  # fmt: skip

    def parts() -> Iterator[pd.DataFrame]:
        for rows in batches(run_dir, "slots", columns):
            first = rows["redundancy_version"] == 0
            lost = ~rows["ack"].astype(bool)
            sinr = rows["sinr_eff_db"].astype(np.float64)
            yield (
                pd.DataFrame(
                    {
                        "t_s": _bin(rows["t_s"], bin_s),
                        "ue": rows["ue"],
                        "direction": rows["direction"],
                        "blocks": 1,
                        "lost": lost.astype(np.int64),
                        "firsts": first.astype(np.int64),
                        "lost_first": (first & lost).astype(np.int64),
                        "predicted": rows["bler_predicted"].astype(np.float64),
                        "sinr": sinr.fillna(0.0),
                        "sinrs": sinr.notna().astype(np.int64),
                        "mcs": rows["mcs"].astype(np.float64),
                        "prbs": rows["prb_count"].astype(np.int64),
                    }
                )
                .groupby(keys)
                .sum()
            )

    total = _summed(parts(), keys)
    names = ["blocks", "bler", "bler_first", "bler_predicted", "sinr_db", "mcs_mean", "prbs"]
    if total.empty:
        return pd.DataFrame(columns=[*keys, *names])
    blocks = total["blocks"]
    total["bler"] = total["lost"] / blocks
    total["bler_first"] = total["lost_first"] / total["firsts"].where(total["firsts"] > 0)
    total["bler_predicted"] = total["predicted"] / blocks
    total["sinr_db"] = total["sinr"] / total["sinrs"].where(total["sinrs"] > 0)
    total["mcs_mean"] = total["mcs"] / blocks
    return total[names].reset_index()


def queues(run_dir: Path | str) -> pd.DataFrame:
    """Return t_s, ue, direction, queue_bytes: the RLC queues at each period's end, all parts."""
    frames = list(batches(run_dir, "kpis", ["t_s", "ue", "direction", "queue_bytes"]))
    names = ["t_s", "ue", "direction", "queue_bytes"]
    if not frames:
        return pd.DataFrame(columns=names)
    every = pd.concat(frames, ignore_index=True)
    # A UE has a row for each bandwidth part.
    return every.groupby(names[:3], observed=True, sort=False)["queue_bytes"].sum().reset_index()


def outcomes(
    run_dir: Path | str,
    duration_s: float,
    bandwidth_hz: float | None = None,
    *,
    by_node: bool = False,
) -> pd.DataFrame:
    """Return what came of messages a task, codec and rung (and sending node).

    Args:
        run_dir: the run's folder.
        duration_s: simulated time, for rates.
        bandwidth_hz: of the carrier; goodput_per_hz is null without it.
        by_node: a row for each sender too.

    Returns:
        the keys, messages, accuracy, goodput_hz (correct and on time, a second), goodput_per_hz,
        coverage P(accepted), outage P(wrong | accepted), on_time (share), fairness (Jain's index
        over the senders' accuracies), age_peak_s (mean peak age, see `peak_ages`).
    """
    messages = read_trace(run_dir, "messages")
    keys = [*ANSWER_KEYS, "node"] if by_node else ANSWER_KEYS
    rows = []
    for key, group in messages.groupby(keys, observed=True, sort=True):
        correct = group["correct"].astype(bool)
        on_time = group["on_time"].astype(bool)
        # A decoder that never abstains accepts every answer.
        accepted = group["accepted"].astype("boolean").fillna(True).astype(bool)
        goodput = metrics.semantic_goodput_hz(int((correct & on_time).sum()), duration_s)
        ages = peak_ages(group)["age_peak_s"]
        rows.append(
            dict(zip(keys, key, strict=True))
            | {
                "messages": len(group),
                "accuracy": float(correct.mean()),
                "goodput_hz": goodput,
                "goodput_per_hz": goodput / bandwidth_hz if goodput and bandwidth_hz else None,
                "coverage": float(accepted.mean()),
                "outage": metrics.proportion(int((accepted & ~correct).sum()), int(accepted.sum())),
                "on_time": float(on_time.mean()),
                "fairness": metrics.jain_index(
                    group.groupby("node", observed=True)["correct"].mean().to_list()
                ),
                "age_peak_s": float(ages.mean()) if len(ages) else None,
            }
        )
    return pd.DataFrame(rows)


def peak_ages(messages: pd.DataFrame) -> pd.DataFrame:
    """Return the age of a node's task information just before each newer answer replaces it.

    With correct answers in the order of their decoding, the peak before answer k is t_decoded(k) −
    t_created of the newest answer before it (Costa, Codreanu, Ephremides, IEEE Trans. IT 62(4),
    2016); an answer about an older sample than the newest known does not lower the age.

    Args:
        messages: the `messages` table.

    Returns:
        node, task, t_s (of the peak), age_peak_s.
    """
    good = messages[messages["correct"].astype(bool) & messages["t_decoded_s"].notna()]
    rows = []
    for (node, task), group in good.groupby(["node", "task"], observed=True, sort=True):
        newest = None
        ordered = group.sort_values("t_decoded_s")
        for created, decoded in zip(ordered["t_created_s"], ordered["t_decoded_s"], strict=True):
            if newest is not None and created > newest:
                rows.append((node, task, decoded, decoded - newest))
            newest = created if newest is None else max(newest, created)
    return pd.DataFrame(rows, columns=["node", "task", "t_s", "age_peak_s"])


def fine_tuning(run_dir: Path | str) -> pd.DataFrame:
    """Return one row a round: clients, late, bytes_up, bytes_down, duration_s, loss, accuracy.

    Empty for a run without fine-tuning.
    """
    names = ["round", "clients", "late", "bytes_up", "bytes_down", "duration_s", "loss", "accuracy"]
    try:
        rows = read_trace(run_dir, "rounds")
    except TraceError:
        return pd.DataFrame(columns=names)
    groups = rows.groupby("round", sort=True)
    found = groups.agg(
        clients=("client", "nunique"),
        late=("late", "sum"),
        bytes_up=("bytes_up", "sum"),
        bytes_down=("bytes_down", "sum"),
        loss=("loss", "mean"),
        accuracy=("accuracy", "mean"),
    )
    found["duration_s"] = groups["t_end_s"].max() - groups["t_start_s"].min()
    return found.reset_index()[names]


def retrieval(run_dir: Path | str) -> pd.DataFrame:
    """Return one row a store: queries, hit_rate, bytes, staleness_s (mean); empty without any."""
    names = ["store", "queries", "hit_rate", "bytes", "staleness_s"]
    try:
        rows = read_trace(run_dir, "retrievals")
    except TraceError:
        return pd.DataFrame(columns=names)
    found = rows.groupby("store", observed=True, sort=True).agg(
        queries=("query_id", "count"),
        hit_rate=("hit", "mean"),
        bytes=("bytes", "sum"),
        staleness_s=("staleness_s", "mean"),
    )
    return found.reset_index()[names]
