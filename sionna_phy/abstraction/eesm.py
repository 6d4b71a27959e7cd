# SPDX-License-Identifier: MIT
"""Exponential effective SINR mapping."""

import json
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
import numpy.typing as npt


@cache
def _table() -> dict[str, Any]:
    # Read as a file: importing sionna takes seconds and is not needed for a list of numbers.
    path = resources.files("sionna") / "sys" / "esm_params" / "eesm_beta_table.json"
    table: dict[str, Any] = json.loads(path.read_text())
    return table


def eesm_beta(mcs_table: int = 1) -> npt.NDArray[np.float32]:
    """Return beta of each MCS, linear, shape [mcs], from Sionna's package.

    Raises:
        ValueError: Sionna has betas for MCS tables 1 and 2 only.
    """
    index = _table()["index"]
    if str(mcs_table) not in index:
        raise ValueError(f"no EESM betas for MCS table {mcs_table}; there are {', '.join(index)}")
    return np.asarray(index[str(mcs_table)], dtype=np.float32)


def effective_sinr_eesm(sinr: npt.ArrayLike, beta: float) -> float:
    r"""Return $-\beta \ln \frac{1}{N} \sum_n e^{-\gamma_n / \beta}$, all linear.

    Args:
        sinr: SINR of each PRB, shape [prbs].
        beta: calibrated for the MCS.
    """
    values = np.asarray(sinr, dtype=np.float64)
    least = values.min()  # taken out of the sum so that nothing underflows
    return float(least - beta * np.log(np.mean(np.exp(-(values - least) / beta))))
