# SPDX-License-Identifier: MIT
"""Link abstraction: from the SINRs of a block's PRBs to the probability that it is lost.

Tables of Sionna's package and generated ones, effective SINR, and the generator. It imports nothing
of the project but its neighbours in `sionna_phy`.
"""

from sionna_phy.abstraction.betas import beta_of
from sionna_phy.abstraction.bler import BlerTable
from sionna_phy.abstraction.eesm import eesm_beta, effective_sinr_eesm
from sionna_phy.abstraction.tables import BlerTableError, load_bler_table

__all__ = [
    "BlerTable",
    "BlerTableError",
    "beta_of",
    "eesm_beta",
    "effective_sinr_eesm",
    "load_bler_table",
]
