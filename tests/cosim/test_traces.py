# SPDX-License-Identifier: MIT
"""Trace tables: schema, deterministic bytes, converters, manifest and run folder."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosim.scenario import load_scenario
from cosim.traces import (
    TABLES,
    Manifest,
    TraceError,
    TraceSet,
    columns_from_records,
    counters_from_records,
    create_run_folder,
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


# The layouts of cosim/sim/records.hpp, written out by hand.
SLOT = np.dtype(
    [("t_s", "<f8"), ("cell", "<u4"), ("direction", "<u4"), ("ue", "<u4"), ("tbs_bits", "<u4"),
     ("prb_first", "<u2"), ("prb_count", "<u2"), ("layers", "u1"), ("mcs", "u1"),
     ("harq_process", "u1"), ("redundancy_version", "u1"), ("sinr_eff_db", "<f4"),
     ("bler_predicted", "<f4"), ("ack", "<u4"), ("reserved", "<u4")]
)  # fmt: skip
PACKET = np.dtype(
    [("t_s", "<f8"), ("packet_id", "<u8"), ("message_id", "<u8"), ("flow", "<u4"), ("ue", "<u4"),
     ("cell", "<u4"), ("direction", "<u4"), ("event", "<u4"), ("reason", "<u4"), ("bytes", "<u4"),
     ("air_bytes", "<u4")]
)  # fmt: skip
KPI = np.dtype(
    [("t_s", "<f8"), ("cell", "<u4"), ("ue", "<u4"), ("direction", "<u4"), ("prb_used", "<u4"),
     ("throughput_bps", "<f8"), ("bler", "<f8"), ("mcs_mean", "<f8"), ("sinr_db", "<f8"),
     ("queue_bytes", "<u8"), ("delay_ms_mean", "<f8"), ("delay_ms_p95", "<f8")]
)  # fmt: skip


def test_record_layouts_here_are_those_of_the_header():
    text = (Path(__file__).parents[2] / "cosim/bridge/include/cosim/sim/records.hpp").read_text()
    for macro, dtype in (("SLOT", SLOT), ("PACKET", PACKET), ("KPI", KPI)):
        body = text.split(f"#define COSIM_{macro}_FIELDS(F, A)")[1].split("\n\n")[0]
        names = [
            line.split(",")[1].split(")")[0].strip() for line in body.splitlines() if "F(" in line
        ]
        assert names == list(dtype.names)


def test_records_become_rows(tmp_path):
    slots = np.zeros(2, SLOT)
    slots[0] = (0.5, 0, 1, 3, 1234, 2, 10, 1, 9, 4, 2, 7.5, 0.25, 1, 0)
    slots[1] = (0.5005, 0, 0, 2, 99, 0, 51, 2, 28, 15, 0, np.nan, 1.0, 0, 0)
    packets = np.zeros(2, PACKET)
    packets[0] = (0.1, 7, (2 << 32) | 1, 2, 3, 0, 1, 3, 0, 228, 260)
    packets[1] = (0.2, 8, 0, 3, 1, 0, 0, 5, 4, 1228, 0)
    kpis = np.zeros(1, KPI)
    kpis[0] = (0.1, 0, 3, 1, 510, 1e6, 0.1, 12.5, np.nan, 4096, 3.0, 9.0)
    with TraceSet(tmp_path) as traces:
        for table, records in (("slots", slots), ("packets", packets), ("kpis", kpis)):
            columns = columns_from_records(table, records)
            records[:] = 0  # shared memory is given back: the columns must be copies
            traces.append(table, columns)
    got = read_trace(tmp_path, "slots")
    assert got["direction"].tolist() == ["ul", "dl"]
    assert got["ack"].tolist() == [True, False]
    assert got["sinr_eff_db"].iloc[0] == 7.5 and np.isnan(got["sinr_eff_db"].iloc[1])
    assert got["prb_count"].tolist() == [10, 51] and got["tbs_bits"].tolist() == [1234, 99]
    got = read_trace(tmp_path, "packets")
    assert got["event"].tolist() == ["deliver", "discard"]
    assert got["reason"].tolist() == ["none", "deadline"]
    assert got["message_id"].tolist() == [(2 << 32) + 1, 0]
    assert got["air_bytes"].tolist() == [260, 0]
    got = read_trace(tmp_path, "kpis")
    assert got["throughput_bps"].tolist() == [1e6] and got["sinr_db"].isna().all()


def test_one_record_is_copied_too():
    packets = np.zeros(1, PACKET)
    packets[0] = (0.1, 7, 0, 2, 3, 0, 1, 3, 0, 228, 260)
    columns = columns_from_records("packets", packets)
    packets[:] = 0
    assert columns["bytes"].tolist() == [228] and columns["event"].tolist() == ["deliver"]


def test_unknown_codes_are_refused():
    packets = np.zeros(2, PACKET)
    packets["event"] = [1, 9]
    with pytest.raises(TraceError, match=r"event is 9; known codes are 1 to 5"):
        columns_from_records("packets", packets)
    with pytest.raises(TraceError, match="slots, packets, kpis"):
        columns_from_records("counters", packets)


def test_counters_become_plain_numbers():
    dtype = np.dtype([("cell", "<u4"), ("ue", "<u4"), ("direction", "<u4"), ("reserved", "<u4"),
                      ("phy", "<u8")])  # fmt: skip
    records = np.array([(0, 2, 1, 0, 2**40)], dtype)
    assert json.dumps(counters_from_records(records)) == (
        '[{"cell": 0, "ue": 2, "direction": "ul", "phy": 1099511627776}]'
    )


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


def test_manifest_says_how_a_run_ended(tmp_path):
    scenario = load_scenario("hello", seed=7)
    manifest = Manifest.start(tmp_path, scenario, command=["cosim", "run"])
    started = Manifest.read(tmp_path).data
    assert started["status"] == "running" and started["seed"] == 7
    assert started["scenario_hash"] == scenario.content_hash()
    assert load_scenario(tmp_path / "scenario.toml").content_hash() == scenario.content_hash()
    TraceSet(tmp_path).close()
    manifest.finish(
        "failed", "ns-3 ended", facts={"offline": {"accuracy": np.float64(0.5), "n": np.int64(3)}},
        mean=float("nan"),
    )  # fmt: skip
    ended = Manifest.read(tmp_path).data
    assert ended["status"] == "failed" and ended["reason"] == "ns-3 ended"
    assert ended["facts"] == {"offline": {"accuracy": 0.5, "n": 3}} and ended["mean"] is None
    assert ended["hashes"] == trace_hashes(tmp_path)
    assert ended["wall"]["started"] == started["wall"]["started"] and ended["wall"]["total_s"] >= 0
    assert ended["versions"]["pyarrow"] == pa.__version__


@pytest.mark.parametrize("text", [None, "", "{", "[]", '{"status": 3}'])
def test_broken_manifests_are_refused(tmp_path, text):
    if text is not None:
        (tmp_path / "run.json").write_text(text)
    with pytest.raises(TraceError, match=r"run\.json"):
        Manifest.read(tmp_path)


def test_run_folders_are_never_reused(tmp_path):
    scenario = load_scenario("hello")
    stem = f"hello-1-{scenario.content_hash()[:8]}"
    made = [create_run_folder(scenario, root=tmp_path / "runs").name for _ in range(3)]
    assert made == [stem, f"{stem}-2", f"{stem}-3"]
    assert create_run_folder(scenario, tmp_path / "mine").is_dir()
    assert create_run_folder(scenario, tmp_path / "mine").is_dir()  # still empty
    (tmp_path / "mine" / "x").write_text("kept")
    with pytest.raises(TraceError, match="not empty"):
        create_run_folder(scenario, tmp_path / "mine")
    with pytest.raises(TraceError, match="is a file"):
        create_run_folder(scenario, tmp_path / "mine" / "x")
    with pytest.raises(TraceError, match="--out"):
        create_run_folder(scenario, tmp_path / "mine" / "x" / "y")
    assert (tmp_path / "mine" / "x").read_text() == "kept"


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_records_give_the_same_bytes_in_any_portions(tmp_path_factory, data):
    records = np.zeros(300, PACKET)
    records["t_s"] = np.linspace(0.0, 2.5, 300)
    records["event"] = 1 + np.arange(300) % 5
    records["packet_id"] = np.arange(300)
    cuts = sorted(data.draw(st.lists(st.integers(0, 300), max_size=20)))

    def write(portions: list[int], advance: bool, at_once: bool) -> dict[str, str]:
        folder = tmp_path_factory.mktemp("run")
        with TraceSet(folder, flush_interval_s=0.4) as traces:
            for first, last in zip([0, *portions], [*portions, 300], strict=True):
                part = records[first:last].copy()
                if at_once:
                    traces.append("packets", columns_from_records("packets", part))
                else:
                    assert traces.append_records("packets", part) == len(part)
                    part[:] = 0  # the memory is given back at once
                if advance and last < 300:
                    traces.advance(float(records["t_s"][last]))
                    # whole intervals that are over can be read now
                    over = np.floor(records["t_s"][last] / 0.4) * 0.4
                    seen = read_trace(folder, "packets", ["t_s"])["t_s"]
                    assert (seen < over).sum() == (records["t_s"] < over).sum()
        assert read_trace(folder, "packets")["packet_id"].tolist() == list(range(300))
        return trace_hashes(folder)

    advance = data.draw(st.booleans())
    assert write(cuts, advance, False) == write([], False, True)


def test_only_tables_of_records_take_records(tmp_path):
    with TraceSet(tmp_path, tables=("messages", "packets")) as traces:
        assert traces.append_records("slots", np.zeros(3, SLOT)) == 0
        with pytest.raises(TraceError, match="slots, packets, kpis"):
            traces.append_records("messages", np.zeros(3, SLOT))
        bad = np.zeros(1, PACKET)
        bad["event"] = 77
        with pytest.raises(TraceError, match="event is 77"):
            traces.append_records("packets", bad)
