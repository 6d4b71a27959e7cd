# SPDX-License-Identifier: MIT
"""One user alone: throughput over SNR against the block error table and Shannon."""

import json
from pathlib import Path

import numpy as np
import pytest

from cosim.engine import run_scenario
from cosim.scenario import load_scenario
from cosim.traces import read_trace
from sionna_phy.abstraction import load_bler_table

WEIGHTED = Path(__file__).parents[2] / "ns3_scenarios" / "examples" / "weighted.toml"
PRB_HZ = 360e3
RE_A_SLOT = 14 * 12  # resource elements of a PRB, overhead included
NOISE_DBM = 10 * np.log10(1.380649e-23 * 290.0 * PRB_HZ * 1e3) + 9.0
PRB_DBM = 33.0 - 10 * np.log10(51)


def slots_at(tmp_path, snr_db):
    gain_db = snr_db + NOISE_DBM - PRB_DBM
    scenario = load_scenario(
        str(WEIGHTED),
        (
            "mac.scheduler=rr", "ues.count=1", "run.duration_s=0.6", "mac.olla=false",
            f"channel.gain_db={float(gain_db)!r}", "traffic.0.rate_bps=2e8",
            "mac.max_harq_tx=1",
        ),
    )  # fmt: skip
    folder = tmp_path / f"{snr_db}"
    folder.mkdir()
    result = run_scenario(scenario, folder)
    assert result.status == "finished", result.reason
    table = read_trace(folder, "slots")
    counters = json.loads((folder / "run.json").read_text())["counters"]
    return table[(table["direction"] == "dl") & (table["t_s"] > 0.02)], counters


def test_throughput_follows_the_table_and_stays_below_shannon(tmp_path):
    table = load_bler_table("sionna")
    rates = []
    for snr_db in (-4.0, 3.0, 10.0, 17.0, 26.0):
        slots, _ = slots_at(tmp_path, snr_db)
        assert np.allclose(slots["sinr_eff_db"], snr_db, atol=0.05)
        # The highest MCS whose code block of 1000 bits meets 10 % at this SNR, as the table says.
        best = max(
            (m for m in np.flatnonzero(table.mcs_available)
             if table.lookup(int(m), 1000.0, snr_db) <= 0.1),
            default=0,
        )  # fmt: skip
        assert set(slots["mcs"]) == {best}
        # Lost blocks: a binomial around the predicted rate, 4 standard deviations.
        predicted = float(slots["bler_predicted"].mean())
        lost = 1.0 - float(slots["ack"].mean())
        spread = 4.0 * np.sqrt(max(predicted * (1 - predicted), 1e-4) / len(slots))
        assert abs(lost - predicted) < spread
        decoded = slots[slots["ack"]]["tbs_bits"].sum()
        elements = (slots["prb_count"] * RE_A_SLOT).sum()
        efficiency = decoded / elements
        assert efficiency < np.log2(1 + 10 ** (snr_db / 10))
        rates.append(efficiency)
    assert rates == sorted(rates)
    # At 26 dB the highest MCS, 6 x 948/1024 bits a data element, 144 of 168 elements in D slots and
    # 96 in S slots (9 of 14 symbols less DM-RS): its overhead alone.
    assert rates[-1] == pytest.approx(6 * 948 / 1024 * (3 * 144 + 96) / (4 * 168), rel=0.03)


def test_two_layers_and_256qam_carry_more(tmp_path):
    most = {}
    for layers, table in ((1, 1), (1, 2), (2, 1)):
        scenario = load_scenario(
            str(WEIGHTED),
            (
                "mac.scheduler=rr", "ues.count=1", "run.duration_s=0.2", "ues.antennas=2",
                f"mac.max_layers={layers}", f"mac.mcs_table={table}", "traffic.0.rate_bps=4e8",
                "channel.gain_db=-80.0",
            ),
        )  # fmt: skip
        folder = tmp_path / f"{layers}-{table}"
        folder.mkdir()
        result = run_scenario(scenario, folder)
        assert result.status == "finished", result.reason
        slots = read_trace(folder, "slots")
        slots = slots[(slots["direction"] == "dl") & (slots["t_s"] > 0.02)]
        assert (slots["layers"] == layers).all()
        # The 256QAM points of the package leave a residual loss at any SNR (see other_tables).
        assert slots["ack"].mean() > (0.95 if table == 2 else 0.999)
        most[layers, table] = slots["tbs_bits"].max()
    # 51 PRBs of 144 elements: 8 bits instead of 6 at the same code rate, and twice the layers.
    assert most[1, 2] / most[1, 1] == pytest.approx(8 / 6, rel=0.01)
    assert most[2, 1] / most[1, 1] == pytest.approx(2, rel=0.01)
