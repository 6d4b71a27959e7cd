# SPDX-License-Identifier: MIT
"""From the bridge's record arrays to columns of the trace tables.

Codes are those of `cosim/sim/records.hpp`. Everything is copied: the records lie in shared memory
and are given back after reading.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from cosim.traces.files import TraceError
from cosim.traces.schema import DIRECTIONS, PACKET_EVENTS, PACKET_REASONS

Columns = dict[str, Any]
Records = npt.NDArray[np.void]


def _names(
    records: Records, field: str, names: tuple[str, ...], first: int
) -> npt.NDArray[np.object_]:
    """Return the names of a field's codes, which count from `first`."""
    codes = records[field].astype(np.int64) - first
    if codes.size and not (codes.min() >= 0 and codes.max() < len(names)):
        wrong = int(codes[(codes < 0) | (codes >= len(names))][0]) + first
        raise TraceError(
            f"a record's {field} is {wrong}; known codes are {first} to {first + len(names) - 1} "
            f"({', '.join(names)})"
        )
    return np.array(names, dtype=object)[codes]


def _copied(records: Records, *fields: str) -> Columns:
    return {field: records[field].copy() for field in fields}


def slots_from_records(records: Records) -> Columns:
    """Return columns of `slots` from SlotRecords, shape [records]."""
    return {
        **_copied(records, "t_s", "cell", "ue", "prb_first", "prb_count", "layers", "mcs"),
        **_copied(records, "tbs_bits", "harq_process", "redundancy_version"),
        **_copied(records, "sinr_eff_db", "bler_predicted"),
        "direction": _names(records, "direction", DIRECTIONS, 0),
        "ack": records["ack"] != 0,
    }


def packets_from_records(records: Records) -> Columns:
    """Return columns of `packets` from PacketRecords, shape [records]."""
    return {
        **_copied(records, "t_s", "flow", "ue", "cell", "bytes", "air_bytes"),
        **_copied(records, "packet_id", "message_id"),
        "direction": _names(records, "direction", DIRECTIONS, 0),
        "event": _names(records, "event", PACKET_EVENTS, 1),
        "reason": _names(records, "reason", PACKET_REASONS, 0),
    }


def kpis_from_records(records: Records) -> Columns:
    """Return columns of `kpis` from KpiRecords, shape [records]."""
    return {
        **_copied(records, "t_s", "cell", "ue", "prb_used", "throughput_bps", "bler", "mcs_mean"),
        **_copied(records, "sinr_db", "queue_bytes", "delay_ms_mean", "delay_ms_p95"),
        "direction": _names(records, "direction", DIRECTIONS, 0),
    }


def counters_from_records(records: Records) -> list[dict[str, int | str]]:
    """Return the byte counters of CounterRecords, one dictionary a UE and direction, in bytes."""
    rows: list[dict[str, int | str]] = []
    for record in records:
        row: dict[str, int | str] = {
            name: int(record[name]) for name in records.dtype.names or () if name != "reserved"
        }
        row["direction"] = DIRECTIONS[int(record["direction"])]
        rows.append(row)
    return rows


CONVERTERS = {
    "slots": slots_from_records,
    "packets": packets_from_records,
    "kpis": kpis_from_records,
}
"""Table → from its records to its columns."""


def columns_from_records(table: str, records: Records) -> Columns:
    """Return the columns of one of the tables that ns-3 writes: slots, packets or kpis."""
    try:
        convert = CONVERTERS[table]
    except KeyError:
        raise TraceError(f"no records make up {table!r}, only {', '.join(CONVERTERS)}") from None
    return convert(records)
