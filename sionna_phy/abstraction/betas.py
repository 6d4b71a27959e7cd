# SPDX-License-Identifier: MIT
"""The betas of effective SINR mapping that a scenario can name: `sionna` or `semcosim`.

Ours are fitted MCS by MCS (`cosim phy eesm`, `eesm_fit`) and shipped with their errors. An MCS that
has not been fitted takes its beta from a straight line, over code rate, through the logarithms of
those of its modulation; leaving a fitted one out and taking it from the line says how good that is
(`scripts/phy_validation.py --only eesm`). A modulation without fits (256QAM) has Sionna's betas.
"""

import json
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
import numpy.typing as npt

from sionna_phy.abstraction.eesm import eesm_beta
from sionna_phy.abstraction.mcs import MCS_TABLE_1, MCS_TABLES, Mcs

SHIPPED = "eesm_table1.json"
BETA_NAMES = ("sionna", "semcosim")


@cache
def shipped_fits() -> dict[str, Any]:
    """Return the contents of the shipped file."""
    path = resources.files("sionna_phy") / "data" / SHIPPED
    content: dict[str, Any] = json.loads(path.read_text())
    return content


def beta_of(mcs_table: int, name: str = "sionna") -> npt.NDArray[np.float32]:
    """Return EESM's beta of each MCS, linear, shape [mcs].

    Args:
        mcs_table: number of the MCS table, 1, 2 or 3.
        name: "sionna": those of its package, and for table 3, which it lacks, that of the row of
            table 1 with the same modulation and the nearest code rate; "semcosim": ours.

    Raises:
        ValueError: no such betas.
    """
    if name not in BETA_NAMES:
        raise ValueError(f"no EESM betas {name!r}; there are {', '.join(BETA_NAMES)}")
    sionna = _sionna(mcs_table)
    if name == "sionna":
        return sionna
    fits = {int(fit["mcs"]): float(fit["beta"]) for fit in shipped_fits()["fits"]}
    own = [fitted_beta(row, fits) for row in MCS_TABLES[mcs_table]]
    pairs = zip(own, sionna, strict=True)
    return np.array([theirs if ours is None else ours for ours, theirs in pairs], dtype=np.float32)


def fitted_beta(scheme: Mcs, fits: dict[int, float]) -> float | None:
    """Return the beta of a modulation and code rate, None if its modulation has no two fits.

    Args:
        scheme: modulation and code rate.
        fits: MCS of table 1 → its fitted beta.
    """
    known = {MCS_TABLE_1[mcs]: beta for mcs, beta in fits.items()}
    if scheme in known:
        return known[scheme]
    like = [(m.code_rate, np.log(b)) for m, b in known.items()
            if m.bits_per_symbol == scheme.bits_per_symbol]  # fmt: skip
    if len(like) < 2:
        return None
    rates, logs = (np.array(values) for values in zip(*like, strict=True))
    slope, offset = np.polyfit(rates, logs, 1)
    return float(np.exp(offset + slope * scheme.code_rate))


def _sionna(mcs_table: int) -> npt.NDArray[np.float32]:
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
