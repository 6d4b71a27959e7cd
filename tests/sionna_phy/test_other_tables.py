# SPDX-License-Identifier: MIT
"""Block errors of MCS tables 2 and 3 are those of the same code in table 1."""

import numpy as np
import pytest

from sionna_phy.abstraction import BlerTableError, beta_of, eesm_beta, load_bler_table
from sionna_phy.abstraction.mcs import MCS_TABLE_1, MCS_TABLES


@pytest.mark.parametrize(("number", "missing"), [(2, 0), (3, 6)])
def test_rows_of_the_same_code_are_equal(number, missing):
    first, other = load_bler_table("sionna", 1), load_bler_table("sionna", number)
    assert list(np.flatnonzero(~other.mcs_available)) == list(range(missing))
    same = 0
    for mcs, row in enumerate(MCS_TABLES[number]):
        if row in MCS_TABLE_1:
            twin = MCS_TABLE_1.index(row)
            assert np.array_equal(other.bler[mcs], first.bler[twin])
            same += 1
    # Table 2 has 20 rows up to 64QAM and 8 of 256QAM; table 3 has 6 rates below table 1's lowest.
    assert same == {2: 20, 3: 23}[number]
    # A higher MCS needs more: thresholds at 10 % of 1000 bits rise.
    at = [other.snr_at(m, 1000.0, 0.1) for m in range(missing, len(other.bler))]
    assert at == sorted(at)


def test_betas_of_table_3_are_those_of_the_same_code():
    beta, first = beta_of(3), eesm_beta(1)
    assert np.array_equal(beta_of(1), first)
    for mcs, row in enumerate(MCS_TABLES[3]):
        if row in MCS_TABLE_1:
            assert beta[mcs] == first[MCS_TABLE_1.index(row)]
    assert (beta > 0).all()


def test_a_table_without_256qam_is_refused_for_table_2():
    with pytest.raises(BlerTableError, match="--mcs-table 2"):
        load_bler_table("semcosim", 2)
