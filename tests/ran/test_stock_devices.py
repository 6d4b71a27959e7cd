# SPDX-License-Identifier: MIT
"""The examples in ns3_scenarios/examples/stock-devices: ns-3's LTE and Wi-Fi on our channels."""

import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sionna_phy.channel.recorded import write_recording

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "ns3_scenarios" / "examples" / "stock-devices"


def run(kind: str, *options: str, fails: bool = False) -> list[list[float]] | str:
    """Return rows: expected SINR, measured SINR, throughput in Mbit/s, share of capacity."""
    built = Path(os.environ.get("COSIM_TEST_BIN", ROOT / "build/editable/test-bin"))
    program = built / f"{kind}-stock-devices"
    assert program.is_file(), f"{program} is missing: make cpp-tests"
    result = subprocess.run(
        [sys.executable, EXAMPLES / f"{kind}.py", "--program", program, *options],
        capture_output=True, text=True, timeout=250, check=False,
    )  # fmt: skip
    assert (result.returncode != 0) is fails, result.stdout + result.stderr
    if fails:
        return result.stderr
    return [[float(word) for word in line.split()[1:]] for line in result.stdout.split("\n")[1:-1]]


def test_lte_on_a_constant_channel():
    # 30 dBm over 25 x 180 kHz, -100 dB, noise -174 dBm/Hz + 9 dB, no other cell: 28.47 dB. The best
    # MCS then carries 17568 bits a ms on the 24 PRBs that ns-3's scheduler uses of 25 (TS 36.213
    # table 7.1.7.2.1-1, I_TBS 26), 1000 of 1032 bytes of it UDP payload (UDP, IP, PDCP, RLC).
    sinr_db = 30.0 - 10.0 * math.log10(25 * 180e3) - 100.0 + 165.0
    for expected, measured, mbps, _ in run("lte", "--model", "constant"):
        assert expected == pytest.approx(sinr_db, abs=0.006)
        assert measured == pytest.approx(sinr_db, abs=0.006)
        assert mbps == pytest.approx(17.568 * 1000 / 1032, rel=0.005)


def test_lte_on_a_recording_with_other_cells_and_fading(tmp_path):
    # The mean over PRBs of the SINR: signal 1e-9 on the lower 13 PRBs and 1e-10 on the others, two
    # other cells with 1e-12 each; noise is 10^(-16.5) mW/Hz, the transmit density 1 W / 4.5 MHz.
    gains = np.full((20, 3, 3, 1, 25), 1e-12, dtype=np.float32)
    for ue in range(3):
        gains[:, ue, ue, :, :13] = 1e-9
        gains[:, ue, ue, :, 13:] = 1e-10
    path = tmp_path / "own.safetensors"
    write_recording(path, [gains] * 11, block_duration_s=0.1)
    density = 1000.0 / 4.5e6
    sinr = density * np.array([1e-9] * 13 + [1e-10] * 12) / (2e-12 * density + 10**-16.5)
    for _, measured, mbps, share in run("lte", "--model", "replay", "--file", str(path)):
        assert measured == pytest.approx(10 * math.log10(sinr.mean()), abs=0.01)
        assert mbps > 5.0
        assert share < 1.0


def test_wifi_on_a_constant_channel():
    # 16 dBm - 80 dB over -174 dBm/Hz x 20 MHz + 7 dB: 29.99 dB. A little of the power lies outside
    # the 20 MHz.
    for expected, measured, mbps, share in run("wifi", "--model", "constant"):
        assert expected == pytest.approx(16.0 - 80.0 + 174.0 - 73.01 - 7.0, abs=0.006)
        assert measured == pytest.approx(expected, abs=0.1)
        assert mbps > 60.0
        assert share < 1.0


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["lte", "wifi"])
def test_sionnas_channel_reaches_stock_devices(kind):
    tolerance_db = {"lte": 0.02, "wifi": 0.2}[kind]
    rows = run(kind)
    for expected, measured, _, share in rows:
        assert measured == pytest.approx(expected, abs=tolerance_db)
        assert 0.1 < share < 1.0
    by_sinr = sorted(rows)
    assert by_sinr[0][2] < by_sinr[-1][2], "a better channel carries more"


def test_errors_of_ns3_reach_python(tmp_path):
    # A recording for other links is refused before ns-3 has a block.
    write_recording(tmp_path / "x.safetensors", [np.ones((20, 1, 1, 1, 25))], block_duration_s=0.1)
    words = run("lte", "--model", "replay", "--file", str(tmp_path / "x.safetensors"), fails=True)
    assert "file:" in words
