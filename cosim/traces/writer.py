# SPDX-License-Identifier: MIT
"""Writes trace tables as numbered Parquet parts while the run goes on.

Which row stands in which part follows from the rows alone, never from when or in what portions they
were appended; so one seed gives the same bytes however the two processes took turns.
"""

import contextlib
import io
import itertools
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from cosim.traces.files import TraceError, write_atomically
from cosim.traces.records import CONVERTERS, Records
from cosim.traces.schema import TABLES, Column, TableSpec

MAX_PART_ROWS = 500_000
STAGED_ROWS = 4096


class TraceSet:
    """The trace tables of one run.

    A part covers `flush_interval_s` of simulated time. It is written under a temporary name and
    then renamed, so a table can be read at any moment, and after a kill, with
    `pandas.read_parquet`.

    Args:
        run_dir: the run's folder, which exists.
        csv: write `<table>.csv` as well when closed.
        flush_interval_s: simulated seconds a part.
        tables: what to write; by default every table, optional ones when they get rows.
        max_part_rows: a part is never longer.

    Raises:
        TraceError: a table exists already, or the disk refuses.
    """

    def __init__(
        self,
        run_dir: Path | str,
        *,
        csv: bool = False,
        flush_interval_s: float = 1.0,
        tables: tuple[str, ...] | None = None,
        max_part_rows: int = MAX_PART_ROWS,
    ) -> None:
        self.run_dir = Path(run_dir)
        self._csv = csv
        self._closed = False
        chosen = TABLES if tables is None else {name: TABLES[name] for name in tables}
        self._writers = {
            name: _TableWriter(self.run_dir, spec, flush_interval_s, max_part_rows)
            for name, spec in chosen.items()
        }
        for writer in self._writers.values():
            if writer.spec.always:
                writer.open()

    def append(self, table: str, columns: Mapping[str, Any]) -> int:
        """Append rows and return how many.

        Args:
            table: name of the table; rows of one that is not written are ignored.
            columns: column name → values of one length (NumPy, Arrow or a list). Optional columns
                may be left out.

        Raises:
            TraceError: unknown table or column, a missing column, values of another type or length,
                rows before a time that `advance` declared complete, or a full disk.
        """
        if self._closed:
            raise TraceError("the traces are closed")
        if table not in TABLES:
            raise TraceError(f"unknown table {table!r}; tables are {', '.join(TABLES)}")
        writer = self._writers.get(table)
        return 0 if writer is None else writer.append(columns)

    def append_records(self, table: str, records: Records) -> int:
        """Append records of the bridge (`cosim.traces.records`) and return how many.

        They are copied at once and converted many together: a call costs a few microseconds however
        few the records are.

        Raises:
            TraceError: as `append`, possibly in a later call.
        """
        if self._closed:
            raise TraceError("the traces are closed")
        if table not in CONVERTERS:
            raise TraceError(f"no records make up {table!r}, only {', '.join(CONVERTERS)}")
        writer = self._writers.get(table)
        return 0 if writer is None else writer.append_records(records)

    def advance(self, t_s: float) -> None:
        """Declare that every row of the time-ordered tables before `t_s` has been appended.

        Parts that are thereby complete are written. To call it is never necessary: a later row
        completes a part too.
        """
        for writer in self._writers.values():
            writer.advance(t_s)

    def close(self) -> None:
        """Write what is left; then, if asked, the CSV files. Closing twice does nothing."""
        if self._closed:
            return
        self._closed = True
        for writer in self._writers.values():
            writer.settle()
            writer.flush()
        if self._csv:
            for writer in self._writers.values():
                if writer.opened:
                    writer.write_csv()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self.close()
            return
        # What went wrong is in flight already; a second error must not hide it.
        with contextlib.suppress(TraceError):
            self.close()


class _TableWriter:
    """Cuts one table's rows into parts."""

    def __init__(self, run_dir: Path, spec: TableSpec, interval_s: float, max_rows: int) -> None:
        self.spec = spec
        self.folder = run_dir / f"{spec.name}.parquet"
        self.opened = False
        self._csv_path = run_dir / f"{spec.name}.csv"
        self._interval_s = interval_s
        self._max_rows = max_rows
        self._staged: list[Records] = []
        self._staged_rows = 0
        self._pending: list[pa.Table] = []
        self._rows = 0
        self._latest_s = -np.inf
        self._period = -1
        self._complete_s = -np.inf
        self._parts = 0
        # Names are dictionary-encoded when a part is written: the dictionary then depends on the
        # part's rows and not on the portions in which they came.
        self._plain = pa.schema(
            [
                field.with_type(column.type)
                for field, column in zip(spec.schema, spec.columns, strict=True)
            ]
        )

    def open(self) -> None:
        """Make the folder with an empty part: the table can be read before it has rows."""
        try:
            self.folder.mkdir()
        except FileExistsError:
            raise TraceError(f"{self.folder} exists: a run needs a folder of its own") from None
        except OSError as error:
            raise TraceError(f"cannot make {self.folder}: {error.strerror or error}") from error
        self.opened = True
        self._write_part(self._plain.empty_table())

    def append_records(self, records: Records) -> int:
        count = len(records)
        if count:
            self._staged.append(records.copy())
            self._staged_rows += count
            period = int(records[self.spec.time][-1] // self._interval_s)
            if self._staged_rows >= STAGED_ROWS or period > self._period:
                self.settle()
        return count

    def settle(self) -> None:
        """Convert what `append_records` has put aside."""
        if self._staged:
            records = np.concatenate(self._staged)
            self._staged, self._staged_rows = [], 0
            self._append(CONVERTERS[self.spec.name](records))

    def append(self, columns: Mapping[str, Any]) -> int:
        self.settle()
        return self._append(columns)

    def _append(self, columns: Mapping[str, Any]) -> int:
        rows = self._as_table(columns)
        if rows.num_rows == 0:
            return 0
        times = rows.column(self.spec.time).to_numpy()
        if not np.isfinite(times).all():
            raise TraceError(
                f"{self.spec.name}.{self.spec.time} has values that are no finite time"
            )
        if self.spec.ordered and times.min() < self._complete_s:
            raise TraceError(
                f"{self.spec.name}: a row of {times.min():.9g} s came after simulated time had "
                f"been declared complete up to {self._complete_s:.9g} s"
            )
        if not self.opened:
            self.open()
        running = np.maximum.accumulate(np.maximum(times, self._latest_s))
        periods = np.floor(running / self._interval_s).astype(np.int64)
        starts = np.flatnonzero(np.diff(periods, prepend=self._period))
        edges = [0, *(int(s) for s in starts if s > 0), rows.num_rows]
        for first, last in itertools.pairwise(edges):
            if periods[first] > self._period:
                self.flush()
                self._period = int(periods[first])
            self._add(rows.slice(first, last - first))
        self._latest_s = float(running[-1])
        return int(rows.num_rows)

    def _add(self, rows: pa.Table) -> None:
        while rows.num_rows:
            take = min(rows.num_rows, self._max_rows - self._rows)
            self._pending.append(rows.slice(0, take))
            self._rows += take
            rows = rows.slice(take)
            if self._rows == self._max_rows:
                self.flush()

    def advance(self, t_s: float) -> None:
        if not self.spec.ordered:
            return
        period = int(np.floor(t_s / self._interval_s))
        if period * self._interval_s <= self._complete_s:
            return
        self.settle()
        self._complete_s = period * self._interval_s
        if self._rows and period > self._period:
            self.flush()

    def flush(self) -> None:
        if self._rows:
            table = pa.concat_tables(self._pending).combine_chunks()
            self._pending, self._rows = [], 0
            self._write_part(table)

    def _write_part(self, table: pa.Table) -> None:
        buffer = io.BytesIO()
        pyarrow.parquet.write_table(
            _encoded(table, self.spec),
            buffer,
            compression="zstd",
            version="2.6",
            row_group_size=max(table.num_rows, 1),
        )
        write_atomically(self.folder / f"part-{self._parts:05d}.parquet", buffer.getvalue())
        self._parts += 1

    def write_csv(self) -> None:
        """Write the table as CSV, part after part; masks become hexadecimal."""
        buffer = io.BytesIO()
        for number, part in enumerate(sorted(self.folder.glob("part-*.parquet"))):
            table = pyarrow.parquet.read_table(part).cast(self._plain)
            for index, column in enumerate(self.spec.columns):
                if pa.types.is_binary(column.type):
                    values = [v.hex() for v in table.column(index).to_pylist()]
                    table = table.set_column(index, column.name, pa.array(values, pa.string()))
            options = pyarrow.csv.WriteOptions(include_header=number == 0)
            pyarrow.csv.write_csv(table, buffer, options)
        write_atomically(self._csv_path, buffer.getvalue())

    def _as_table(self, columns: Mapping[str, Any]) -> pa.Table:
        spec = self.spec
        unknown = [name for name in columns if name not in spec.by_name]
        if unknown:
            raise TraceError(
                f"{spec.name} has no column {unknown[0]!r}; columns are {', '.join(spec.by_name)}"
            )
        lengths = {name: len(values) for name, values in columns.items()}
        if len(set(lengths.values())) > 1:
            raise TraceError(f"{spec.name}: columns of different lengths: {lengths}")
        count = next(iter(lengths.values()), 0)
        arrays = []
        for column in spec.columns:
            if column.name in columns:
                arrays.append(self._as_array(column, columns[column.name]))
            elif column.optional:
                arrays.append(pa.nulls(count, column.type))
            else:
                raise TraceError(f"{spec.name}.{column.name} is missing")
        return pa.table(arrays, schema=self._plain)

    def _as_array(self, column: Column, values: Any) -> pa.Array:
        where = f"{self.spec.name}.{column.name}"
        try:
            if isinstance(values, pa.Array):
                array = values.cast(column.type)
            elif isinstance(values, np.ndarray) and values.dtype.kind in "iufb":
                array = pa.array(values, from_pandas=values.dtype.kind == "f").cast(column.type)
            else:
                array = pa.array(values, column.type, from_pandas=True)
        except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
            raise TraceError(f"{where}: {error}") from None
        if array.null_count and not column.optional:
            raise TraceError(f"{where} must have a value in every row")
        if column.categories:
            wrong = set(array.unique().to_pylist()) - set(column.categories)
            if wrong:
                raise TraceError(
                    f"{where}: {min(map(str, wrong))!r} is none of {', '.join(column.categories)}"
                )
        return array


def _encoded(table: pa.Table, spec: TableSpec) -> pa.Table:
    """Return the rows in the table's schema, names dictionary-encoded by appearance."""
    arrays = []
    for column, values in zip(spec.columns, table.columns, strict=True):
        if pa.types.is_string(column.type):
            flat = values.combine_chunks()
            flat = flat.chunk(0) if isinstance(flat, pa.ChunkedArray) and flat.num_chunks else flat
            arrays.append(
                pa.array([], column.field.type) if len(values) == 0 else flat.dictionary_encode()
            )
        else:
            arrays.append(values)
    return pa.table(arrays, schema=spec.schema)
