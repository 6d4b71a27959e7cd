# SPDX-License-Identifier: MIT
"""The ns-3 test suites of the radio network, one pytest case a suite.

`make cpp-tests` builds them; `cosim-ns3-test --suite=NAME --verbose` runs one by hand.
"""

import os
import subprocess
from pathlib import Path

import pytest

SUITES = (
    "nr-tbs", "nr-ran", "nr-shares", "nr-scheduler", "nr-harq", "nr-rlc", "nr-cells",
    "nr-link-adaptation", "nr-bandwidth-parts", "nr-bearers", "nr-direct",
    "nr-traffic", "cosim-propagation-loss",
)  # fmt: skip


def runner() -> Path:
    built = Path(__file__).parents[2] / "build" / "editable" / "test-bin"
    program = Path(os.environ.get("COSIM_TEST_BIN", built)) / "cosim-ns3-test"
    assert program.is_file(), f"{program} is missing: make cpp-tests"
    return program


def call(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [runner(), *arguments], capture_output=True, text=True, timeout=200, check=False
    )


@pytest.mark.parametrize("suite", SUITES)
def test_suite(suite):
    result = call(f"--suite={suite}", "--verbose")
    assert result.returncode == 0, result.stdout + result.stderr
    assert f"PASS {suite}" in result.stdout


def test_every_suite_is_run():
    listed = call("--list").stdout.split()
    assert {name for name in listed if name.startswith(("nr-", "cosim-"))} == set(SUITES)
