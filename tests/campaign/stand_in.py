# SPDX-License-Identifier: MIT
"""Stands in for `cosim run`: writes a finished run at once, or does what the description says."""

import json
import os
import signal
import sys
import time
from pathlib import Path

from cosim.scenario import load_scenario
from cosim.traces import Manifest

ANSWER = {"task": "sentiment", "codec": "raw-text", "rung": "default", "messages": 4,
          "accuracy": 0.75, "goodput_hz": 1.5}  # fmt: skip
LINK = {"ue": 0, "throughput_dl_bps": 100.0, "throughput_ul_bps": 50.0, "bler_dl": 0.1}


def main() -> int:
    scenario, out = load_scenario(sys.argv[1]), Path(sys.argv[sys.argv.index("--out") + 1])
    campaign = out.parent.parent.parent
    with (campaign / "starts.log").open("a") as log:
        log.write(f"{scenario.run.seed} {os.getpid()}\n")
    out.mkdir()
    manifest = Manifest.start(out, scenario)
    todo = scenario.description.split()
    if "fail" in todo and not (campaign / "fixed").exists():
        manifest.finish("failed", "the channel is on fire")
        print("cosim: the run failed: the channel is on fire", file=sys.stderr)
        return 1
    if "crash" in todo:
        print("cosim: no language model in the cache", file=sys.stderr)
        return 2
    if "killed-once" in todo and not (campaign / "fixed").exists():
        (campaign / "fixed").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    if "slow" in todo and not (campaign / "fixed").exists():
        time.sleep(60)
    manifest.finish("finished")
    fairness = {"accuracy": 1.0}
    summary = {"answers": [ANSWER], "links": [LINK], "fairness": fairness,
               "run": {"simulated_s": 2.0}}  # fmt: skip
    (out / "summary.json").write_text(json.dumps(summary))
    return 0


if __name__ == "__main__":
    sys.exit(main())
