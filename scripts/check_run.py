# SPDX-License-Identifier: MIT
"""Check a finished run's folder: what CI holds the demo to.

Columns and rows, no unexplained NaN, byte conservation (oracle 3), lossless messages decided
exactly as offline (oracle 1), accuracy over the network inside what the lossless model allows.
Prints one line a check and exits with 1 if any fails.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from analysis.metrics import wilson_interval
from cosim.traces import TABLES, read_trace

NAN_ALLOWED = {
    "t_first_tx_s", "t_delivered_s", "t_decoded_s",  # until it has happened
    "ms_ssim", "psnr_db", "similarity",  # of tasks that restore pictures or text
    "model_version",  # of codecs whose weights are not fine-tuned in the run
}  # fmt: skip
EXPECTED_ROWS = ("messages", "slots", "packets", "kpis")


def checks(run_dir: Path) -> Iterator[tuple[str, bool]]:
    """Yield what is checked and whether it holds."""
    manifest = json.loads((run_dir / "run.json").read_text())
    yield f"status is finished ({manifest['status']})", manifest["status"] == "finished"
    for name in EXPECTED_ROWS:
        table = read_trace(run_dir, name)
        yield f"{name}: {len(table)} rows", len(table) > 0
        yield (
            f"{name}: columns of the schema",
            list(TABLES[name].schema.names) == list(table.columns),
        )
    messages = read_trace(run_dir, "messages")
    for column in messages.select_dtypes("float").columns.difference(NAN_ALLOWED):
        yield f"messages.{column}: no NaN", bool(messages[column].notna().all())
    done = messages[messages["complete"]]
    yield "complete messages have a delivery time", bool(done["t_delivered_s"].notna().all())
    yield "some messages arrived whole", len(done) > 0
    same = (done["prediction"] == done["offline_prediction"]).all()
    yield f"oracle 1: {len(done)} complete messages decided as offline", bool(same)
    for (task, codec), group in messages.groupby(["task", "codec"], observed=True):
        n = len(group)
        low, high = wilson_interval(int(group["offline_correct"].sum()), n)
        whole = group[group["complete"]]
        accuracy, complete = group["correct"].mean(), whole["correct"].mean()
        yield (
            f"{task}/{codec}: accuracy {accuracy:.3f} ({complete:.3f} of the {len(whole)} complete "
            f"of {n}), lossless interval {low:.3f} to {high:.3f}",
            bool(accuracy <= high and (len(whole) < 20 or low <= complete <= high)),
        )
    for row in manifest["counters"]:
        parts = ("retransmitted", "padding", "mac_header", "rlc_header", "pdcp_header", "sdu_sent")
        fates = ("sdu_delivered", "sdu_lost", "sdu_in_flight")
        ok = row["phy"] == sum(row[k] for k in parts) and row["sdu_sent"] == sum(
            row[k] for k in fates
        )
        ok &= row["sdu_delivered"] == row["app_delivered"] + row["ip_udp_header"]
        if not ok or row["ue"] == 0:
            yield f"oracle 3: bytes of UE {row['ue']} direction {row['direction']}", ok
    yield "figure.png was drawn", (run_dir / "figure.png").stat().st_size > 10_000
    kpis = read_trace(run_dir, "kpis")
    yield "kpis: throughput is finite", bool(np.isfinite(kpis["throughput_bps"]).all())


def main() -> int:
    """Check the folder named on the command line."""
    failed = 0
    for text, ok in checks(Path(sys.argv[1])):
        print(f"{'ok  ' if ok else 'FAIL'} {text}")
        failed += not ok
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
