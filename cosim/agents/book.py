# SPDX-License-Identifier: MIT
"""Rows that agents write into optional trace tables."""

from collections.abc import Callable
from typing import Any


class Book:
    """Collects rows until the recorder takes them."""

    def __init__(self) -> None:
        self._rows: list[tuple[str, dict[str, Any]]] = []
        self._at_end: list[Callable[[], None]] = []

    def at_end(self, call: Callable[[], None]) -> None:
        """Call something once the simulation is over, before the last rows are taken."""
        self._at_end.append(call)

    def close(self) -> None:
        """The simulation is over."""
        for call in self._at_end:
            call()
        self._at_end = []

    def add(self, table: str, **row: Any) -> None:
        """Enter one row of a trace table."""
        self._rows.append((table, row))

    def take(self) -> list[tuple[str, dict[str, list[Any]]]]:
        """Return the rows so far, one table's neighbours together, column by column."""
        out: list[tuple[str, dict[str, list[Any]]]] = []
        for table, row in self._rows:
            if not out or out[-1][0] != table or out[-1][1].keys() != row.keys():
                out.append((table, {name: [] for name in row}))
            for name, value in row.items():
                out[-1][1][name].append(value)
        self._rows = []
        return out
