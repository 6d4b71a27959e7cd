# SPDX-License-Identifier: MIT
"""Trace tables: schema, deterministic bytes, converters."""

import hashlib
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosim.traces import (
    TABLES,
    TraceError,
    TraceSet,
    read_trace,
    trace_hashes,
)


def packet_columns(times_s: Any) -> dict[str, Any]:
    """Return rows of `packets` that differ in every column that can differ."""
    t = np.asarray(times_s, dtype=np.float64)
    n = len(t)
    order = np.arange(n)
    return {
        "t_s": t,
        "flow": order % 3,
        "ue": order % 5,
        "event": np.array(["enqueue", "dequeue", "deliver", "drop", "discard"])[order % 5],
        "bytes": 100 + order,
        "reason": np.array(["none", "deadline"])[order % 2],
        "cell": np.zeros(n, dtype=np.int32),
        "direction": np.array(["ul", "dl"])[(order // 7) % 2],
        "packet_id": order,
        "message_id": (order % 4).astype(np.int64) << 32,
        "air_bytes": 2 * order,
    }


def rows(columns: dict[str, Any], first: int, last: int) -> dict[str, Any]:
    return {name: values[first:last] for name, values in columns.items()}


def test_schema_has_the_documented_columns_in_order():
    documented = {
        "messages": "message_id node task modality codec rung t_created_s t_encoded_s t_first_tx_s "
        "t_delivered_s t_decoded_s deadline_s units_sent units_received bytes_app bytes_air "
        "received_mask on_time accepted prediction label correct score kb_version energy_j",
        "slots": "t_s cell direction ue prb_first prb_count layers mcs tbs_bits harq_process "
        "redundancy_version sinr_eff_db bler_predicted ack",
        "packets": "t_s flow ue event bytes reason",
        "kpis": "t_s cell ue direction throughput_bps bler mcs_mean sinr_db prb_used queue_bytes "
        "delay_ms_mean delay_ms_p95",
        "rounds": "round client cut_layer rank bytes_up bytes_down t_start_s t_end_s late loss "
        "accuracy",
        "retrievals": "t_s node query_id store hit staleness_s bytes score",
    }
    assert set(documented) <= set(TABLES)  # tables may be added, as columns may
    for table, names in documented.items():
        mine = [c.name for c in TABLES[table].columns]
        assert [name for name in mine if name in names.split()] == names.split()


def test_every_column_tells_its_meaning_and_unit():
    suffixes = {
        "_s": "s",
        "_bps": "bit/s",
        "_db": "dB",
        "_j": "J",
        "bytes": "bytes",
        "_bits": "bit",
    }
    for spec in TABLES.values():
        for column in spec.columns:
            field = spec.schema.field(column.name)
            assert field.metadata[b"description"]
            for suffix, unit in suffixes.items():
                if column.name.endswith(suffix):
                    assert field.metadata[b"unit"].decode() == unit, column.name


def test_written_rows_come_back(tmp_path):
    columns = packet_columns(np.linspace(0.0, 4.9, 50))
    with TraceSet(tmp_path, flush_interval_s=1.0) as traces:
        assert traces.append("packets", columns) == 50
    table = read_trace(tmp_path, "packets")
    for name, values in columns.items():
        assert list(table[name]) == list(values), name
    # five seconds give five parts after the empty one
    parts = sorted(p.name for p in (tmp_path / "packets.parquet").iterdir())
    assert parts == [f"part-{n:05d}.parquet" for n in range(6)]
    assert list(read_trace(tmp_path, "packets", ["ue", "t_s"]).columns) == ["ue", "t_s"]
    late = read_trace(tmp_path, "packets", ["t_s"], filter=pc.field("t_s") > 4.0)
    assert late["t_s"].min() > 4.0 and 0 < len(late) < 50


def test_a_run_without_rows_can_be_read(tmp_path):
    TraceSet(tmp_path).close()
    for table in ("messages", "slots", "packets", "kpis"):
        assert len(read_trace(tmp_path, table)) == 0
        assert len(pd.read_parquet(tmp_path / f"{table}.parquet")) == 0
    with pytest.raises(TraceError, match="rounds"):
        read_trace(tmp_path, "rounds")


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_bytes_do_not_depend_on_how_rows_were_appended(tmp_path_factory, data):
    n = 200
    columns = packet_columns(np.linspace(0.0, 3.0, n))

    def write(cuts: list[int], advance: bool) -> dict[str, str]:
        folder = tmp_path_factory.mktemp("run")
        with TraceSet(folder, flush_interval_s=0.7, max_part_rows=30) as traces:
            for first, last in zip([0, *cuts], [*cuts, n], strict=True):
                traces.append("packets", rows(columns, first, last))
                if advance and last < n:
                    traces.advance(float(columns["t_s"][last]))
        assert len(read_trace(folder, "packets")) == n
        return trace_hashes(folder)

    cuts = sorted(data.draw(st.lists(st.integers(0, n), max_size=12)))
    assert write(cuts, data.draw(st.booleans())) == write([], False)


def test_messages_out_of_order_stay_readable_and_deterministic(tmp_path):
    def write(name: str, portions: list[list[float]]) -> str:
        folder = tmp_path / name
        folder.mkdir()
        with TraceSet(folder, flush_interval_s=1.0) as traces:
            for portion in portions:
                traces.append("messages", message_columns(portion))
                traces.advance(5.0)  # says nothing about messages, which are decided later
        assert list(read_trace(folder, "messages")["t_created_s"]) == [
            t for portion in portions for t in portion
        ]
        return trace_hashes(folder)["messages"]

    one = write("a", [[0.5, 0.2, 1.5, 0.9, 2.5]])
    assert one == write("b", [[0.5], [0.2, 1.5], [0.9, 2.5]])


def message_columns(created_s: list[float]) -> dict[str, Any]:
    n = len(created_s)
    return {
        "message_id": np.array([int(t * 10) for t in created_s]),
        "node": np.zeros(n, dtype=np.int32),
        "task": ["sentiment"] * n,
        "codec": ["raw-text"] * n,
        "rung": ["default"] * n,
        "t_created_s": created_s,
        "t_delivered_s": [float("nan")] * n,
        "units_sent": [4] * n,
        "units_received": [2] * n,
        "bytes_app": [40] * n,
        "received_mask": [b"\x01\x00\x01\x00"] * n,
        "on_time": [True] * n,
        "label": [1] * n,
        "correct": [False] * n,
    }


def test_nan_is_null_and_masks_are_bytes(tmp_path):
    with TraceSet(tmp_path, csv=True) as traces:
        traces.append("messages", message_columns([0.1]))
    table = pa.dataset.dataset(tmp_path / "messages.parquet").to_table()
    assert table["t_delivered_s"].null_count == 1
    assert table["received_mask"].to_pylist() == [b"\x01\x00\x01\x00"]
    frame = pd.read_csv(tmp_path / "messages.csv")
    assert frame["received_mask"].astype(str).tolist() == ["1000100"]  # pandas reads 01000100 so
    assert (tmp_path / "messages.csv").read_text().count("01000100") == 1


def test_csv_holds_the_same_rows(tmp_path):
    columns = packet_columns(np.linspace(0.0, 2.0, 20))
    with TraceSet(tmp_path, csv=True, flush_interval_s=0.5) as traces:
        traces.append("packets", columns)
    frame = pd.read_csv(tmp_path / "packets.csv", keep_default_na=False)
    assert frame["event"].tolist() == list(columns["event"])
    assert frame["t_s"].tolist() == list(columns["t_s"])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"nonsense": [1, 2]}, "no column 'nonsense'"),
        ({"ue": None}, "packets.ue is missing"),
        ({"ue": [1]}, "different lengths"),
        ({"event": ["drop", "lost"]}, "'lost' is none of enqueue"),
        ({"bytes": [1, "many"]}, "packets.bytes"),
        ({"bytes": np.array([1.0, np.nan])}, "must have a value"),
        ({"bytes": np.array([1, 2**40])}, "packets.bytes"),
        ({"t_s": np.array([0.0, np.inf])}, "no finite time"),
    ],
)
def test_wrong_rows_are_refused_by_name(tmp_path, change, words):
    columns = packet_columns([0.0, 0.1])
    for name, value in change.items():
        if value is None:
            del columns[name]
        else:
            columns[name] = value
    with TraceSet(tmp_path) as traces, pytest.raises(TraceError, match=words):
        traces.append("packets", columns)


def test_rows_before_a_time_declared_complete_are_refused(tmp_path):
    with TraceSet(tmp_path, flush_interval_s=1.0) as traces:
        traces.append("packets", packet_columns([0.5]))
        traces.advance(2.3)  # whole intervals: complete up to 2 s
        traces.append("packets", packet_columns([2.0]))
        with pytest.raises(TraceError, match=r"1\.9 s came after .* 2 s"):
            traces.append("packets", packet_columns([1.9]))


def test_unknown_tables_and_second_writers_are_refused(tmp_path):
    traces = TraceSet(tmp_path, tables=("packets",))
    assert traces.append("slots", {}) == 0  # known but not wanted
    with pytest.raises(TraceError, match="unknown table"):
        traces.append("slot", {})
    with pytest.raises(TraceError, match="folder of its own"):
        TraceSet(tmp_path, tables=("packets",))
    traces.close()
    traces.close()
    with pytest.raises(TraceError, match="closed"):
        traces.append("packets", packet_columns([0.0]))


def test_hashes_are_of_names_sizes_and_bytes(tmp_path):
    with TraceSet(tmp_path, tables=("packets",)) as traces:
        traces.append("packets", packet_columns([0.0, 1.5]))
    expected = hashlib.sha256()
    for part in sorted((tmp_path / "packets.parquet").iterdir()):
        expected.update(f"{part.name} {part.stat().st_size}\n".encode() + part.read_bytes())
    assert trace_hashes(tmp_path) == {"packets": expected.hexdigest()}


def test_damaged_parts_and_wrong_folders_are_named(tmp_path):
    with pytest.raises(TraceError, match="no table 'packets'"):
        read_trace(tmp_path, "packets")
    with TraceSet(tmp_path) as traces:
        traces.append("packets", packet_columns([0.0]))
    with pytest.raises(TraceError, match="no column 'byte'"):
        read_trace(tmp_path, "packets", ["byte"])
    (tmp_path / "packets.parquet" / "part-00001.parquet").write_bytes(b"PAR1 nothing")
    with pytest.raises(TraceError, match=r"packets\.parquet"):
        read_trace(tmp_path, "packets")
