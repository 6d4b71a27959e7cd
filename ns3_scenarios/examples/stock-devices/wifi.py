# SPDX-License-Identifier: MIT
"""ns-3's Wi-Fi on a channel of Sionna: an access point in an office and four stations.

Each station is served alone for a while; its signal-to-noise ratio follows from the blocks and is
compared with that of the frames it received.
"""

import sys

import numpy as np
from stock_devices import THERMAL_DBM_HZ, mean_db, parser, program, run, show, static_spec

PRBS = 106  # of 180 kHz: 19.08 MHz of the channel's 20 MHz
WIDTH_HZ = 20e6
TX_DBM = 16.0
NOISE_FIGURE_DB = 7.0  # ns3::WifiPhy::RxNoiseFigure
SET_UP_S, TURN_S, BLOCK_S = 0.5, 0.25, 0.05


def main() -> int:
    """Run ns-3 and print a row a station."""
    options = parser(__doc__ or "").parse_args()
    stations_m = [[5.0, 2.0, 1.5], [15.0, 5.0, 1.5], [35.0, -10.0, 1.5], [60.0, 15.0, 1.5]]
    count = len(stations_m)
    spec = static_spec(
        options.model or "inh",
        [[0.0, 0.0, 3.0]],
        stations_m,
        carrier_frequency_hz=5.18e9,
        prbs=PRBS,
        ue_indoor=np.ones(count, dtype=bool),
        office="mixed",
        gain_db=-80.0,  # of --model constant
        file=options.file,
        blocks_needed=round((SET_UP_S + count * TURN_S) / BLOCK_S) + 1,
        block_duration_s=BLOCK_S,
        samples_per_block=10,
        seed=options.seed,
    )
    measured, gains = run(
        options.program or program("wifi-stock-devices"),
        [f"--set-up={SET_UP_S}", f"--turn={TURN_S}", f"--tx-power-dbm={TX_DBM}"],
        spec,
    )
    noise_dbm = THERMAL_DBM_HZ + 10.0 * np.log10(WIDTH_HZ) + NOISE_FIGURE_DB
    to_snr = 10.0 ** ((TX_DBM - noise_dbm) / 10.0)
    expected_db, capacity_bps = [], []
    for ue in range(count):
        start_s = SET_UP_S + ue * TURN_S
        first, end = (round(t / spec.sample_interval_s) for t in (start_s, start_s + TURN_S))
        snr = to_snr * gains[first:end, 0, ue]
        expected_db.append(mean_db(snr))
        capacity_bps.append(float(WIDTH_HZ * np.log2(1.0 + snr).mean()))
    show(measured, expected_db, capacity_bps, "measured_db")
    return 0


if __name__ == "__main__":
    sys.exit(main())
