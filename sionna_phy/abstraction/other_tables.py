# SPDX-License-Identifier: MIT
"""Block error rates for MCS tables 2 and 3 from those of table 1, where the codes are the same.

Most rows of the tables 5.1.3.1-2 and -3 of TS 38.214 have the modulation and code rate of a row of
table 1, hence its block error rate. What is left is the six lowest rates of table 3, which are our
own (`cosim phy bler --mcs-table 3 --mcs 0-5`) whatever the table is, and 256QAM: our own for our
table (`--mcs-table 2 --mcs 20-27`), for Sionna's the points in its package.

The package's 256QAM points end at 25 dB, where its highest MCS still loses 15 % of the code blocks.
Up to 30 dB the last slope is continued, so MCS 27 keeps a loss of up to 5 % (of 100 bits; 4e-4
of 2000 bits) at any SNR. A table of one's own (`cosim phy bler --mcs-table 2`) is better.
"""

import json
from importlib import metadata, resources

import numpy as np

from sionna_phy.abstraction.bler import NONE, BlerTable, Doubles, Floats, resample
from sionna_phy.abstraction.curve_fit import CurveFit
from sionna_phy.abstraction.mcs import MCS_TABLE_1, MCS_TABLES

LOWEST_OF_3 = "bler_table3_mcs0-5.json"
HIGHEST_OF_2 = "bler_table2_mcs20-27.json"
LOWER_DB = 8.0


def from_table_1(table: BlerTable, mcs_table: int) -> BlerTable:
    """Return the rates of another MCS table.

    Args:
        table: rates of MCS table 1.
        mcs_table: 2 or 3.
    """
    rows = {(m.bits_per_symbol, m.code_rate): n for n, m in enumerate(MCS_TABLE_1)}
    wanted = MCS_TABLES[mcs_table]
    snr_db, before = _grid(table, mcs_table)
    bler = np.full((len(wanted), len(table.cbs_bits), len(snr_db)), np.nan)
    if mcs_table == 3:
        own, source = _generated(LOWEST_OF_3, table, snr_db)
    elif table.name == "semcosim":
        own, source = _generated(HIGHEST_OF_2, table, snr_db)
    else:
        own = _package_points(mcs_table, table)
        source = f"sionna {metadata.version('sionna')}"
    for mcs, row in enumerate(wanted):
        same = rows.get((row.bits_per_symbol, row.code_rate))
        if same is not None:
            # Below where its table begins, a row has the rate that it begins with: all is lost.
            bler[mcs] = np.pad(table.bler[same], ((0, 0), (before, 0)), mode="edge")
        elif mcs in own:
            bler[mcs] = own[mcs]
    bler = bler.astype(np.float32)
    bler.flags.writeable = False
    return BlerTable(
        table.name,
        f"{table.provenance}; MCS table {mcs_table}: rows of the same modulation and code rate, "
        f"others from {source}",
        table.cbs_bits,
        snr_db,
        bler,
    )


def _grid(table: BlerTable, mcs_table: int) -> tuple[Floats, int]:
    """Return the grid of SNRs, and by how many points it begins before the table's.

    The lowest rate of table 3 (30/1024) works 6 dB below the lowest of the others.
    """
    if mcs_table != 3:
        return table.snr_db, 0
    step = float(table.snr_db[1] - table.snr_db[0])
    before = round(LOWER_DB / step)
    first = table.snr_db[0] - step * np.arange(before, 0, -1)
    grid = np.concatenate([first, table.snr_db]).astype(np.float32)
    grid.flags.writeable = False
    return grid, before


def _generated(name: str, table: BlerTable, snr_db: Floats) -> tuple[dict[int, Doubles], str]:
    """Return MCS → rates, shape [sizes, snrs], of generated curves, and where they come from.

    A size that was not measured has that of the nearest size.

    Args:
        name: of the shipped file.
        table: whose sizes are asked for.
        snr_db: of the rates, shape [snrs].
    """
    content = json.loads((resources.files("sionna_phy") / "data" / name).read_text())
    fits: dict[int, dict[int, CurveFit]] = {}
    for curve in content["curves"]:
        fits.setdefault(int(curve["mcs"]), {})[int(curve["cbs_bits"])] = CurveFit(**curve["fit"])
    points = {}
    for mcs, curves in fits.items():
        sizes = np.array(sorted(curves), dtype=np.float64)
        nearest = [int(sizes[np.argmin(np.abs(np.log(sizes / float(s))))]) for s in table.cbs_bits]
        rates = np.stack([curves[size].bler(snr_db) for size in nearest])
        points[mcs] = np.maximum(rates, NONE)
    return points, f"{name}: {content['command']}, sionna {content['versions']['sionna']}"


def _package_points(mcs_table: int, table: BlerTable) -> dict[int, Doubles]:
    """Return MCS → rates, shape [sizes, snrs], of the package's own table of this number.

    A size that it lacks has that of the nearest size.
    """
    path = resources.files("sionna") / "sys" / "bler_tables" / f"PDSCH_table{mcs_table}.json"
    content = json.loads(path.read_text())["category"]["1"]["index"][str(mcs_table)]["MCS"]
    points: dict[int, Doubles] = {}
    for mcs, row in content.items():
        sizes = np.array(sorted(int(size) for size in row["CBS"]), dtype=np.float64)
        rates = []
        for size in table.cbs_bits:
            nearest = int(sizes[np.argmin(np.abs(np.log(sizes / float(size))))])
            rates.append(
                resample(
                    np.asarray(row["SNR_db"]),
                    np.asarray(row["CBS"][str(nearest)]["BLER"]),
                    table.snr_db.astype(np.float64),
                )
            )
        points[int(mcs)] = np.stack(rates)
    return points
