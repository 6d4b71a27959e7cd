# SPDX-License-Identifier: MIT
"""Block error rate tables over SNR for each MCS and code-block size."""

import json
from dataclasses import dataclass
from importlib import resources

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
STEP_DB = 0.25
LAST_MEASURABLE = 1e-4
"""What a 0 right after the last positive point of a table counts as: the points of Sionna's tables are
means over at most some ten thousand blocks. Further zeros count as `NONE`."""
NONE = 1e-9
MCS_COUNT = 29


@dataclass(frozen=True)
class BlerTable:
    """Code-block error rates in AWGN.

    Attributes:
        name: as a scenario names it.
        provenance: where every part of it comes from.
        cbs_bits: code-block sizes in bits, ascending, shape [sizes].
        snr_db: Es/N0 of a data symbol in dB, equal steps, shape [snrs].
        bler: shape [mcs, sizes, snrs]; NaN where nothing was measured.
    """

    name: str
    provenance: str
    cbs_bits: Floats
    snr_db: Floats
    bler: Floats

    @property
    def mcs_available(self) -> npt.NDArray[np.bool_]:
        """Return which MCS indices the table has, shape [mcs]."""
        return ~np.isnan(self.bler).any(axis=(1, 2))

    def snr_at(self, mcs: int, cbs_bits: float, target: float) -> float:
        """Return the SNR in dB at which one of the table's sizes meets a target rate."""
        size = int(np.flatnonzero(self.cbs_bits == cbs_bits)[0])
        row = np.log10(self.bler[mcs, size].astype(np.float64))
        below = int(np.flatnonzero(row <= np.log10(target))[0])
        if below == 0:
            return float(self.snr_db[0])
        left, right = row[below - 1], row[below]
        part = (left - np.log10(target)) / (left - right)
        return float(self.snr_db[below - 1] + part * STEP_DB)


def load_bler_table(name: str = "sionna") -> BlerTable:
    """Return a table by name.

    `sionna`: the points that ship in the Sionna package for the PDSCH and MCS table 1 of TS 38.214.
    They lie 1.79 dB apart; between them the logarithm of the rate is taken to be linear in dB.
    The package has nothing for MCS 0 to 2.

    Raises:
        ValueError: no such table.
    """
    if name != "sionna":
        raise ValueError(f"no BLER table {name!r}; there is: sionna")
    path = resources.files("sionna") / "sys" / "bler_tables" / "PDSCH_table1.json"
    rows = json.loads(path.read_text())["category"]["1"]["index"]["1"]["MCS"]
    sizes = sorted({int(size) for row in rows.values() for size in row["CBS"]})
    grids = [np.asarray(row["SNR_db"]) for row in rows.values()]
    first, last = min(g[0] for g in grids), max(g[-1] for g in grids)
    snr_db = np.arange(np.floor(first), last + STEP_DB, STEP_DB)
    bler = np.full((MCS_COUNT, len(sizes), len(snr_db)), np.nan)
    for mcs, row in rows.items():
        for index, size in enumerate(sizes):
            rates = row["CBS"].get(str(size))
            if rates is not None:
                bler[int(mcs), index] = resample(
                    np.asarray(row["SNR_db"]), np.asarray(rates["BLER"]), snr_db
                )
    return BlerTable(
        name=name,
        provenance="sionna 2.2 package, sys/bler_tables/PDSCH_table1.json; nothing for MCS 0 to 2",
        cbs_bits=np.asarray(sizes, dtype=np.float32),
        snr_db=snr_db.astype(np.float32),
        bler=bler.astype(np.float32),
    )


def resample(
    snr_db: npt.NDArray[np.float64],
    bler: npt.NDArray[np.float64],
    grid_db: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    """Return rates on another grid, falling, log-linear between the points.

    Args:
        snr_db: of the points, ascending, shape [points].
        bler: measured rates, shape [points].
        grid_db: shape [snrs].
    """
    falling = np.minimum.accumulate(np.clip(bler, 0.0, 1.0))
    zeros = np.flatnonzero(falling <= 0.0)
    filled = np.where(falling > 0.0, falling, NONE)
    if len(zeros):
        smallest = falling[zeros[0] - 1] if zeros[0] > 0 else 1.0
        filled[zeros[0]] = min(LAST_MEASURABLE, smallest)
    return np.asarray(10 ** np.interp(grid_db, snr_db, np.log10(filled)))
