# SPDX-License-Identifier: MIT
"""What a run leaves behind: Parquet tables with one schema, a manifest, and the folder for both.

Simulated time only in the tables, so one seed gives the same bytes; wall-clock times are in
`run.json` alone. May import `cosim.scenario`'s types; imports neither ns-3, torch nor Sionna.
"""

from cosim.traces.files import TraceError
from cosim.traces.folder import create_run_folder
from cosim.traces.manifest import Manifest, Status
from cosim.traces.reader import read_trace, table_path, trace_hashes
from cosim.traces.records import (
    columns_from_records,
    counters_from_records,
    kpis_from_records,
    packets_from_records,
    slots_from_records,
)
from cosim.traces.schema import TABLES, Column, TableSpec
from cosim.traces.writer import TraceSet

__all__ = [
    "TABLES",
    "Column",
    "Manifest",
    "Status",
    "TableSpec",
    "TraceError",
    "TraceSet",
    "columns_from_records",
    "counters_from_records",
    "create_run_folder",
    "kpis_from_records",
    "packets_from_records",
    "read_trace",
    "slots_from_records",
    "table_path",
    "trace_hashes",
]
