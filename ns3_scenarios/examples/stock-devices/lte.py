# SPDX-License-Identifier: MIT
"""ns-3's LTE on a channel of Sionna: three street cells that disturb each other, a UE in each.

Each UE's SINR follows from the blocks (every cell sends at full power on all PRBs) and is compared
with what ns-3's LTE measures on its reference signals.
"""

import sys

import numpy as np
from stock_devices import THERMAL_DBM_HZ, mean_db, parser, program, run, show, static_spec

PRBS = 25
PRB_HZ = 180e3
TX_DBM = 30.0
NOISE_FIGURE_DB = 9.0  # ns3::LteUePhy::NoiseFigure
DURATION_S, WARM_UP_S, BLOCK_S = 1.0, 0.2, 0.1


def main() -> int:
    """Run ns-3 and print a row a UE."""
    options = parser(__doc__ or "").parse_args()
    spec = static_spec(
        options.model or "umi",
        [[0.0, 0.0, 10.0], [200.0, 0.0, 10.0], [100.0, 173.2, 10.0]],
        [[30.0, 10.0, 1.5], [160.0, 35.0, 1.5], [100.0, 95.0, 1.5]],
        carrier_frequency_hz=2.12e9,
        prbs=PRBS,
        serving_cell=np.arange(3),
        ue_velocities_m_s=np.full((3, 3), [0.8, 0.0, 0.0]),
        ue_indoor=np.zeros(3, dtype=bool),
        file=options.file,
        blocks_needed=round(DURATION_S / BLOCK_S) + 1,
        block_duration_s=BLOCK_S,
        seed=options.seed,
    )
    measured, gains = run(
        options.program or program("lte-stock-devices"),
        [f"--duration={DURATION_S}", f"--warm-up={WARM_UP_S}", f"--tx-power-dbm={TX_DBM}"],
        spec,
    )
    first, end = (round(t / spec.sample_interval_s) for t in (WARM_UP_S, DURATION_S))
    power_mw_hz = 10.0 ** (TX_DBM / 10.0) / (PRBS * PRB_HZ) * gains[first:end]
    noise_mw_hz = 10.0 ** ((THERMAL_DBM_HZ + NOISE_FIGURE_DB) / 10.0)
    expected_db, capacity_bps = [], []
    for ue in range(3):
        signal = power_mw_hz[:, ue, ue]
        sinr = signal / (power_mw_hz[:, :, ue].sum(axis=1) - signal + noise_mw_hz)
        expected_db.append(mean_db(sinr))
        capacity_bps.append(float(PRB_HZ * np.log2(1.0 + sinr).sum(axis=1).mean()))
    show(measured, expected_db, capacity_bps, "measured_db")
    return 0


if __name__ == "__main__":
    sys.exit(main())
