# SPDX-License-Identifier: MIT
"""How long ns-3 waits for channel blocks: 7 sites, 20 UEs each, 51 PRBs, 3 km/h.

    python benchmarks/phy/stall.py [--duration 2.0] [--json FILE]

ns-3 and the channel process run side by side; every UE has constant-rate traffic in both
directions. Stall is the wall time in which ns-3 had nothing to do but wait for a block; for the
first one it waits until Sionna is imported and all rays are drawn, which is told apart.
"""

import argparse
import json
import math
import tempfile
from pathlib import Path

from cosim.engine import run_scenario
from cosim.scenario import load_scenario

SITES = [(0.0, 0.0)] + [
    (200 * math.cos(math.pi * (2 * n + 1) / 6), 200 * math.sin(math.pi * (2 * n + 1) / 6))
    for n in range(6)
]
SCENARIO = """
name = "stall"
[run]
duration_s = {duration}
[channel]
model = "umi"
[ues]
count = {ues}
speed_m_s = 0.8333
max_distance_m = 115.0
{cells}
[[traffic]]
kind = "cbr"
direction = "dl"
rate_bps = {rate}
packet_bytes = 1200
[[traffic]]
kind = "cbr"
direction = "ul"
rate_bps = 100e3
packet_bytes = 600
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--duration", type=float, default=2.0)
    parser.add_argument("--ues", type=int, default=20, help="of a site")
    parser.add_argument("--rate", type=float, default=1e6, help="bit/s of a UE's downlink")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    cells = "\n".join(f"[[cells]]\nposition_m = [{x:.3f}, {y:.3f}, 10.0]" for x, y in SITES)
    text = SCENARIO.format(
        duration=arguments.duration,
        ues=arguments.ues * len(SITES),
        cells=cells,
        rate=arguments.rate,
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "stall.toml"
        path.write_text(text)
        out = Path(folder) / "run"
        out.mkdir()
        result = run_scenario(load_scenario(str(path)), out)
        manifest = json.loads((out / "run.json").read_text())
    if result.status != "finished":
        print(result.reason)
        return 1
    channel, wall = manifest["channel"], manifest["wall"]["total_s"]
    start, blocks = channel["start_stall_s"], channel["computed_blocks"]
    later, stalls = channel["stall_s"] - start, channel["stalls"] - (start > 0)
    computing = channel["compute_s"] - channel["prepare_s"]
    print(
        f"{wall:.1f} s of wall time for {arguments.duration:g} s, {channel['links_per_call']} "
        f"links a call\n"
        f"start: {channel['prepare_s']:.1f} s until the channel was ready, ns-3 waited {start:.2f} "
        "s for the first block\n"
        f"then: {computing:.1f} s computing {blocks} blocks, {1e3 * computing / blocks:.0f} ms "
        f"each; ns-3 waited {later:.2f} s in {stalls} stalls, {100 * later / (wall - start):.1f} % "
        "of the wall time after the start"
    )
    if arguments.json:
        arguments.json.write_text(json.dumps(channel | {"wall_s": wall}) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
