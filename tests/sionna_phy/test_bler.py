# SPDX-License-Identifier: MIT
"""Block error tables: against published readings, theory, and Sionna's decoder run anew."""

import json
import math
from importlib import resources

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sionna_phy.abstraction import eesm_beta, effective_sinr_eesm, load_bler_table
from sionna_phy.abstraction.bler import NONE, STEP_DB, resample
from sionna_phy.abstraction.mcs import MCS_TABLE_1
from sionna_phy.abstraction.tables import LOWEST as GENERATED

TABLE = load_bler_table()


def test_readings_of_sionnas_table(reference):
    # The package's points lie 1.79 dB apart, so that a reading depends on the interpolation: 0.9
    # dB.
    key = "sionna_2_2_pdsch_table1_cbs1000_snr_at_10pct_bler"
    for mcs, snr_db in reference("bler_tables.json")[key]["values"].items():
        assert TABLE.snr_at(int(mcs), 1000, 0.1) == pytest.approx(snr_db, abs=0.9), mcs


def test_the_packages_own_points_are_kept():
    path = resources.files("sionna") / "sys" / "bler_tables" / "PDSCH_table1.json"
    rows = json.loads(path.read_text())["category"]["1"]["index"]["1"]["MCS"]
    for mcs, row in rows.items():
        for size, rates in row["CBS"].items():
            at = TABLE.lookup(int(mcs), int(size), row["SNR_db"])
            # The quarter-dB grid misses a point by 0.125 dB at most; a curve that falls by a factor
            # of 10^4 in a step of 1.79 dB changes by 10^0.28 = 1.9 in that. Between two points of
            # the grid a corner is cut, never more than that.
            measured = np.asarray(rates["BLER"])
            inside = (measured > 1e-3) & (measured <= 1.0)
            assert np.all(at[inside] < 2.0 * measured[inside]), (mcs, size)
            assert np.all(at[inside] > measured[inside] / 2.0), (mcs, size)


def test_every_mcs_is_there():
    assert TABLE.mcs_available.all()
    assert TABLE.bler.shape == (29, len(TABLE.cbs_bits), len(TABLE.snr_db))
    assert np.isfinite(TABLE.bler).all()
    assert "sionna 2.2" in TABLE.provenance
    assert "SemCoSim-generated MCS 0-2" in TABLE.provenance


def test_rates_fall_from_one_to_nothing():
    assert np.all(np.diff(TABLE.bler, axis=2) <= 0)
    assert np.all(TABLE.bler[:, :, 0] > 0.9999)
    # 30 dB: the highest MCS with 100 bits falls by a factor of 2.3 a dB from 0.12 at 20 dB.
    assert np.all(TABLE.bler[:, :, -1] < 1e-3)
    assert np.all(TABLE.bler >= np.float32(NONE))
    assert np.allclose(np.diff(TABLE.snr_db), STEP_DB, atol=1e-5)


@pytest.mark.parametrize("cbs_bits", [500, 1000, 2000])
def test_a_higher_mcs_needs_more_snr(cbs_bits):
    # Not so for the smallest sizes: 24 bits at MCS 25 to 28 all become 30 coded bits, one code.
    thresholds = [TABLE.snr_at(mcs, cbs_bits, 0.1) for mcs in range(29)]
    assert np.all(np.diff(thresholds) > 0)


@pytest.mark.parametrize("cbs_bits", [1000, 2000])
def test_no_mcs_beats_the_channels_capacity(cbs_bits):
    # Shannon: log2(1 + SNR) bits a symbol. What was generated lies 1 to 2 dB above it, as such
    # codes do; a reading between the package's points may be off by 0.9 dB, but never beyond
    # capacity.
    for mcs, scheme in enumerate(MCS_TABLE_1):
        gap_db = TABLE.snr_at(mcs, cbs_bits, 0.1) - 10 * math.log10(2**scheme.efficiency - 1)
        low, high = (1.0, 2.0) if mcs < 3 else (0.0, 4.0)
        assert low < gap_db < high, mcs


def test_mcs_are_those_of_the_standard():
    from sionna.phy.nr.utils import decode_mcs_index

    for mcs, scheme in enumerate(MCS_TABLE_1):
        bits, rate = decode_mcs_index(mcs, table_index=1, is_pusch=False)
        assert (scheme.bits_per_symbol, scheme.code_rate) == (int(bits), pytest.approx(float(rate)))


def test_lookup_between_grid_points_by_hand():
    # On the grid: the entry itself.
    assert TABLE.lookup(5, 1000, TABLE.snr_db[50]) == pytest.approx(TABLE.bler[5, 3, 50], rel=1e-5)
    # Half-way in dB: the geometric mean. Half-way in log2 of the size: the arithmetic mean.
    snr = float(TABLE.snr_db[44])
    left, right = (float(TABLE.bler[5, 3, n]) for n in (44, 45))
    halfway = float(TABLE.lookup(5, 1000, snr + STEP_DB / 2))
    assert halfway == pytest.approx(math.sqrt(left * right), rel=1e-4)
    sizes = [float(TABLE.lookup(5, size, snr)) for size in (500, math.sqrt(500 * 1000), 1000)]
    assert sizes[1] == pytest.approx((sizes[0] + sizes[2]) / 2, rel=1e-6)
    # Outside: the nearest.
    assert TABLE.lookup(5, 8448, snr) == TABLE.lookup(5, 2000, snr)
    assert TABLE.lookup(5, 8, snr) == TABLE.lookup(5, 24, snr)
    assert TABLE.lookup(5, 1000, 99.0) == TABLE.lookup(5, 1000, 30.0)


@settings(deadline=None)
@given(
    mcs=st.integers(0, 28),
    cbs_bits=st.floats(24, 8448),
    snr_db=st.floats(-30, 50),
    more_db=st.floats(0, 5),
)
def test_lookup_is_a_falling_probability(mcs, cbs_bits, snr_db, more_db):
    here, later = TABLE.lookup(mcs, cbs_bits, [snr_db, snr_db + more_db])
    assert 0 < later <= here * (1 + 1e-9)
    assert here <= 1


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: load_bler_table("lena"), "no BLER table 'lena'; there are semcosim, sionna"),
        (lambda: TABLE.lookup(29, 1000, 0.0), "has no MCS 29"),
        (lambda: TABLE.snr_at(3, 999, 0.1), "no code-block size 999; there are 24, 100, 500"),
        (lambda: TABLE.snr_at(27, 100, 1e-8), "does not reach"),
        (lambda: eesm_beta(3), "no EESM betas for MCS table 3; there are 1, 2"),
    ],
)
def test_what_is_not_there_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_resampling_by_hand():
    # Rates 1, 0.1, 0.2 (noise), 0 at 0, 2, 4 and 6 dB: made to fall, log-linear between; the first
    # 0 counts as 1e-4, so the last slope is -3 decades in 2 dB, carried on to 8 dB and down to
    # 1e-9.
    grid = np.array([-5.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 30.0])
    rates = resample(np.array([0.0, 2.0, 4.0, 6.0]), np.array([1.0, 0.1, 0.2, 0.0]), grid)
    expected = [1.0, 1.0, 10**-0.5, 0.1, 0.1, 0.1, 10**-2.5, 1e-4, 1e-7, 1e-9]
    assert rates == pytest.approx(expected, rel=1e-6)


def test_the_table_cannot_be_changed_by_one_of_its_users():
    with pytest.raises(ValueError, match="read-only"):
        TABLE.bler[0, 0, 0] = 0.0


def test_the_generated_part_is_what_its_counts_say():
    from sionna_phy.abstraction.curve_fit import Point, fit_curve

    table = json.loads((resources.files("sionna_phy") / "data" / GENERATED).read_text())
    assert "--seed" in table["command"]
    for curve in table["curves"]:
        points = [Point(**point) for point in curve["points"]]
        fit = fit_curve(points)
        assert fit.snr_50_db == pytest.approx(curve["fit"]["snr_50_db"], abs=1e-6)
        assert fit.width_db == pytest.approx(curve["fit"]["width_db"], abs=1e-6)
        # Known to 0.1 dB at the target rate, and of the right form: chi-square over n - 2 degrees
        # of freedom stays below its 99.9 % point (27.9 for 9, the most there are).
        assert fit.std_error_10_db < 0.1
        assert fit.chi_square < 27.9
        assert len(points) - 2 <= 9
        # The grid of the table keeps it.
        got = TABLE.snr_at(curve["mcs"], curve["cbs_bits"], 0.1)
        assert got == pytest.approx(fit.snr_50_db + 1.2816 * fit.width_db, abs=0.05)


# --- EESM ---


def test_betas(reference):
    betas = eesm_beta(1)
    assert betas.shape == (29,)
    assert betas.dtype == np.float32
    for mcs, beta in reference("bler_tables.json")["eesm_beta_sionna_table1"].items():
        assert betas[int(mcs)] == pytest.approx(beta, abs=0.005)
    assert np.all(np.diff(betas) > 0)


def test_effective_sinr_by_hand():
    assert effective_sinr_eesm([2.5] * 7, beta=3.0) == pytest.approx(2.5)
    # beta 2, SINRs 0 and 2 ln 2: -2 ln((1 + 1/2) / 2) = 2 ln(4/3).
    assert effective_sinr_eesm([0.0, 2 * math.log(2)], beta=2.0) == pytest.approx(
        2 * math.log(4 / 3)
    )
    # Nothing under- or overflows.
    assert effective_sinr_eesm([1e6, 2e6], beta=1.6) == pytest.approx(1e6 + 1.6 * math.log(2))


@given(st.lists(st.floats(0, 1e4), min_size=1, max_size=30), st.floats(1.0, 40.0))
def test_effective_sinr_lies_between_least_and_mean(sinr, beta):
    effective = effective_sinr_eesm(sinr, beta)
    assert min(sinr) - 1e-9 <= effective <= np.mean(sinr) * (1 + 1e-9) + 1e-9


def test_effective_sinr_is_sionnas():
    import torch
    from sionna.sys import EESM

    sinr = np.random.default_rng(3).exponential(5.0, size=40)
    for mcs in (0, 10, 28):
        # [symbols, subcarriers, users, streams]
        theirs = EESM()(
            torch.as_tensor(sinr, dtype=torch.float32).reshape(1, 40, 1, 1),
            mcs_index=torch.tensor([mcs]),
            mcs_table_index=1,
            mcs_category=1,
        )
        ours = effective_sinr_eesm(sinr, float(eesm_beta()[mcs]))
        assert ours == pytest.approx(float(theirs.flatten()[0]), rel=1e-4)
