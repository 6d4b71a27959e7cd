# SPDX-License-Identifier: MIT
"""Reads trace tables, of finished runs and of running or killed ones."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute
import pyarrow.dataset

from cosim.traces.files import TraceError
from cosim.traces.schema import TABLES

if TYPE_CHECKING:
    import pandas as pd


def table_path(run_dir: Path | str, table: str) -> Path:
    """Return the folder of a table's parts.

    Raises:
        TraceError: no such table, or the run has not written it.
    """
    if table not in TABLES:
        raise TraceError(f"unknown table {table!r}; tables are {', '.join(TABLES)}")
    path = Path(run_dir) / f"{table}.parquet"
    if not path.is_dir():
        raise TraceError(f"{run_dir} has no table {table!r}: is it the folder of a run?")
    return path


def read_trace(
    run_dir: Path | str,
    table: str,
    columns: Sequence[str] | None = None,
    filter: "pyarrow.compute.Expression | None" = None,
) -> "pd.DataFrame":
    """Return a table as a data frame; names become categories.

    Args:
        run_dir: the run's folder.
        table: a name in `TABLES`.
        columns: which columns, in this order; all by default.
        filter: an Arrow expression such as `pyarrow.compute.field("ue") == 3`.

    Raises:
        TraceError: no such table or column, or a part that cannot be read.
    """
    path = table_path(run_dir, table)
    spec = TABLES[table]
    for name in columns or ():
        if name not in spec.by_name:
            raise TraceError(
                f"{table} has no column {name!r}; columns are {', '.join(spec.by_name)}"
            )
    files = sorted(str(p) for p in path.glob("part-*.parquet"))
    try:
        data = pyarrow.dataset.dataset(files, schema=spec.schema, format="parquet")
        rows = data.to_table(columns=list(columns) if columns else None, filter=filter)
        frame: pd.DataFrame = rows.unify_dictionaries().to_pandas()
    except (pa.ArrowException, OSError) as error:
        raise TraceError(f"cannot read {path}: {error}") from error
    return frame


def trace_hashes(run_dir: Path | str) -> dict[str, str]:
    """Return table → SHA-256 (hex) over the names, sizes and bytes of its parts, in order."""
    hashes: dict[str, str] = {}
    for name in TABLES:
        folder = Path(run_dir) / f"{name}.parquet"
        if not folder.is_dir():
            continue
        digest = hashlib.sha256()
        for part in sorted(folder.glob("part-*.parquet")):
            data = part.read_bytes()
            digest.update(f"{part.name} {len(data)}\n".encode())
            digest.update(data)
        hashes[name] = digest.hexdigest()
    return hashes
