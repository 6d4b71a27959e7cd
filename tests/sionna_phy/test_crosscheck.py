# SPDX-License-Identifier: MIT
"""The comparison of `make crosscheck-tensorflow`, with counts that are made up."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "scripts" / "crosscheck_tensorflow.py"


def compare(tmp_path, errors):
    table = json.loads((ROOT / "sionna_phy" / "data" / "bler_table1.json").read_text())
    curve = next(c for c in table["curves"] if (c["mcs"], c["cbs_bits"]) == (9, 1000))
    point = {
        "mcs": 9, "cbs_bits": 1000, "coded_bits": 1510, "graph": "bg2",
        "snr_db": curve["fit"]["snr_50_db"], "blocks": 400, "errors": errors,
    }  # fmt: skip
    file = tmp_path / "points.json"
    content = {"versions": {"sionna": "1", "tensorflow": "2"}, "seed": 1, "points": [point]}
    file.write_text(json.dumps(content))
    return subprocess.run(
        [sys.executable, "-S", "-E", str(SCRIPT), "compare", str(file)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(("errors", "code"), [(200, 0), (300, 1)])
def test_a_rate_far_from_the_curve_is_a_failure(tmp_path, errors, code):
    # Half of 400 blocks is what the curve says there. The standard deviation is 10 blocks, and with
    # the curve's own error less than 25, so that 100 more are beyond four.
    done = compare(tmp_path, errors)
    assert done.returncode == code, done.stderr
    assert f"({errors} of 400)" in done.stdout
