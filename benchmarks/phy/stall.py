# SPDX-License-Identifier: MIT
"""How long ns-3 waits for channel blocks: 7 sites, 20 UEs each, 51 PRBs, 3 km/h.

    python benchmarks/phy/stall.py [--duration 2.0] [--json FILE]

ns-3 and the channel process run side by side; every UE has constant-rate traffic in both
directions. Stall is the wall time in which ns-3 had nothing to do but wait for a block.
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
    share = 100 * channel["stall_s"] / wall
    print(
        f"{wall:.1f} s of wall time for {arguments.duration:g} s, {channel['links_per_call']} "
        f"links a call: {channel['compute_s']:.1f} s computing {channel['computed_blocks']} "
        f"blocks, ns-3 waited {channel['stall_s']:.2f} s ({share:.1f} %) in {channel['stalls']} "
        "stalls"
    )
    if arguments.json:
        arguments.json.write_text(json.dumps(channel | {"wall_s": wall}) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
