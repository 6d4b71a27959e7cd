# SPDX-License-Identifier: MIT
"""Records of the bridge as rows of trace tables."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosim.traces import (
    TraceError,
    TraceSet,
    columns_from_records,
    counters_from_records,
    read_trace,
    trace_hashes,
)

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
     ("air_bytes", "<u4"), ("air_elements", "<f8")]
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
    packets[0] = (0.1, 7, (2 << 32) | 1, 2, 3, 0, 1, 3, 0, 228, 260, 1234.5)
    packets[1] = (0.2, 8, 0, 3, 1, 0, 0, 5, 4, 1228, 0, 0.0)
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
    packets[0] = (0.1, 7, 0, 2, 3, 0, 1, 3, 0, 228, 260, 1234.5)
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
