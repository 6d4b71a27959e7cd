# SPDX-License-Identifier: MIT
"""Block error rates for MCS tables 2 and 3 from those of table 1, where the codes are the same.

Most rows of the tables 5.1.3.1-2 and -3 of TS 38.214 have the modulation and code rate of a row of
table 1, hence its block error rate. What is left is 256QAM, for which the Sionna package has
points, and the six lowest rates of table 3, which are not available: link adaptation then begins at
the seventh.

The package's 256QAM points end at 25 dB, where its highest MCS still loses 15 % of the code blocks.
Up to 30 dB the last slope is continued, so MCS 27 keeps a loss of up to 5 % (of 100 bits; 4e-4
of 2000 bits) at any SNR. A table of one's own (`cosim phy bler --mcs-table 2`) is better.
"""

import json
from importlib import metadata, resources

import numpy as np

from sionna_phy.abstraction.bler import BlerTable, Doubles, resample
from sionna_phy.abstraction.eesm import eesm_beta
from sionna_phy.abstraction.mcs import MCS_TABLE_1, MCS_TABLES


def from_table_1(table: BlerTable, mcs_table: int) -> BlerTable:
    """Return the rates of another MCS table.

    Args:
        table: rates of MCS table 1.
        mcs_table: 2 or 3.
    """
    rows = {(m.bits_per_symbol, m.code_rate): n for n, m in enumerate(MCS_TABLE_1)}
    wanted = MCS_TABLES[mcs_table]
    bler = np.full((len(wanted), len(table.cbs_bits), len(table.snr_db)), np.nan)
    own = _package_points(mcs_table, table)
    for mcs, row in enumerate(wanted):
        same = rows.get((row.bits_per_symbol, row.code_rate))
        if same is not None:
            bler[mcs] = table.bler[same]
        elif mcs in own:
            bler[mcs] = own[mcs]
    bler = bler.astype(np.float32)
    bler.flags.writeable = False
    return BlerTable(
        table.name,
        f"{table.provenance}; MCS table {mcs_table}: rows of the same modulation and code rate, "
        f"others from sionna {metadata.version('sionna')}",
        table.cbs_bits,
        table.snr_db,
        bler,
    )


def beta_of(mcs_table: int) -> np.ndarray:
    """Return EESM's beta of each MCS, linear, shape [mcs]; see `eesm_beta`.

    For table 3 it is that of the row of table 1 with the same modulation and code rate, or the
    nearest rate.
    """
    if mcs_table != 3:
        return eesm_beta(mcs_table)
    beta = eesm_beta(1)
    nearest = [
        min(
            range(len(MCS_TABLE_1)),
            key=lambda n: (
                MCS_TABLE_1[n].bits_per_symbol != row.bits_per_symbol,
                abs(MCS_TABLE_1[n].code_rate - row.code_rate),
            ),
        )
        for row in MCS_TABLES[3]
    ]
    return np.asarray(beta[nearest], dtype=np.float32)


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
