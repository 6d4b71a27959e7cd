# SPDX-License-Identifier: MIT
"""Block errors of MCS tables 2 and 3 are those of the same code in table 1."""

from importlib import resources

import numpy as np
import pytest

from sionna_phy.abstraction import BlerTableError, beta_of, eesm_beta, load_bler_table
from sionna_phy.abstraction.mcs import MCS_TABLE_1, MCS_TABLES


@pytest.mark.parametrize("number", [2, 3])
def test_rows_of_the_same_code_are_equal(number):
    first, other = load_bler_table("sionna", 1), load_bler_table("sionna", number)
    assert other.mcs_available.all()
    before = len(other.snr_db) - len(first.snr_db)
    assert other.snr_db[before:] == pytest.approx(first.snr_db)
    same = 0
    for mcs, row in enumerate(MCS_TABLES[number]):
        if row in MCS_TABLE_1:
            twin = MCS_TABLE_1.index(row)
            assert np.array_equal(other.bler[mcs][:, before:], first.bler[twin])
            same += 1
    # Table 2 has 20 rows up to 64QAM and 8 of 256QAM; table 3 has 6 rates below table 1's lowest.
    assert same == {2: 20, 3: 23}[number]
    # A higher MCS needs more: thresholds at 10 % of 1000 bits rise.
    at = [other.snr_at(m, 1000.0, 0.1) for m in range(len(other.bler))]
    assert at == sorted(at)


@pytest.mark.parametrize("name", ["sionna", "semcosim"])
def test_the_lowest_rates_of_table_3_lie_above_capacity(name):
    # Shannon: an efficiency of e bits needs 2^e - 1 at least; 1000 bits at a rate of 1/10 need less
    # than 2 dB more than that with a good code. The lowest MCS loses all where the grid begins.
    table = load_bler_table(name, 3)
    for mcs in range(6):
        least_db = 10 * np.log10(2 ** MCS_TABLES[3][mcs].efficiency - 1)
        assert least_db < table.snr_at(mcs, 1000.0, 0.1) < least_db + 2.0
    assert (table.bler[:, :, 0] > 0.99).all()
    assert "bler_table3_mcs0-5.json" in table.provenance


def test_our_betas_are_the_fitted_ones_and_lie_on_a_line_between():
    from sionna_phy.abstraction.betas import fitted_beta, shipped_fits

    ours = beta_of(1, "semcosim")
    for fit in shipped_fits()["fits"]:
        assert ours[fit["mcs"]] == pytest.approx(fit["beta"])
        # To a thousandth of a decibel: the fit tries betas 1.3 % apart.
        assert fit["rms_error_db"] <= fit["sionna_rms_error_db"] + 1e-3
    assert len(shipped_fits()["fits"]) == len(MCS_TABLE_1)
    # By hand: QPSK at rates 120/1024 and 379/1024 with betas 1 and e; the middle has sqrt(e).
    middle = type(MCS_TABLE_1[0])(2, (120 + 379) / 2 / 1024)
    assert fitted_beta(middle, {0: 1.0, 5: np.e}) == pytest.approx(np.sqrt(np.e))
    assert fitted_beta(MCS_TABLE_1[20], {0: 1.0, 5: np.e}) is None
    # 256QAM has not been fitted.
    assert np.array_equal(beta_of(2, "semcosim")[-8:], beta_of(2)[-8:])
    with pytest.raises(ValueError, match="there are sionna, semcosim"):
        beta_of(1, "own")


def test_betas_of_table_3_are_those_of_the_same_code():
    beta, first = beta_of(3), eesm_beta(1)
    assert np.array_equal(beta_of(1), first)
    for mcs, row in enumerate(MCS_TABLES[3]):
        if row in MCS_TABLE_1:
            assert beta[mcs] == first[MCS_TABLE_1.index(row)]
    assert (beta > 0).all()


def test_our_256qam_meets_the_points_of_the_package():
    # Half of the blocks: the package's points lie 1.79 dB apart and are joined in the waterfall,
    # which table 1 shows to be good to 0.9 dB; ours are counted there.
    ours, theirs = load_bler_table("semcosim", 2), load_bler_table("sionna", 2)
    assert "bler_table2_mcs20-27.json" in ours.provenance
    at = [ours.snr_at(mcs, 1000.0, 0.5) for mcs in range(28)]
    assert at == sorted(at)
    for mcs in range(20, 28):
        assert at[mcs] == pytest.approx(theirs.snr_at(mcs, 1000.0, 0.5), abs=0.9)
        # Shannon's 2^e - 1 for e bits, and less than 3 dB above it.
        least_db = 10 * np.log10(2 ** MCS_TABLES[2][mcs].efficiency - 1)
        assert least_db < at[mcs] < least_db + 3.0
    # No residual loss where the package's points end: at 30 dB, 5 dB beyond, nothing of the highest
    # MCS is lost any more, but for short blocks, whose waterfall takes several dB at such a rate.
    long = ours.cbs_bits >= 500
    assert (ours.bler[27, long, -1] < 1e-6).all() and (ours.bler[27, :, -1] < 1e-3).all()


def test_a_file_for_table_1_is_refused_for_table_2(tmp_path):
    content = resources.files("sionna_phy") / "data" / "bler_table1.json"
    (tmp_path / "own.json").write_text(content.read_text())
    with pytest.raises(BlerTableError, match="--mcs-table 2"):
        load_bler_table(str(tmp_path / "own.json"), 2)
