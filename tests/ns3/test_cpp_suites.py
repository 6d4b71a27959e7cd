# SPDX-License-Identifier: MIT
"""The C++ suites of the ns-3 module, run with ns-3's own test runner."""

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SUITES = sorted(
    name
    for source in (ROOT / "ns3_scenarios" / "test").glob("*-test-suite.cc")
    for name in re.findall(r'TestSuite\("([^"]+)"', source.read_text())
)


@pytest.mark.parametrize("suite", SUITES)
def test_suite(suite: str) -> None:
    folder = os.environ.get("COSIM_TEST_BIN", ROOT / "build" / "editable" / "test-bin")
    program = Path(folder) / "cosim-ns3-test"
    assert program.is_file(), "run `make cpp-tests` first"
    words = [str(program), f"--suite={suite}", "--verbose"]
    result = subprocess.run(words, capture_output=True, text=True, timeout=240, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    assert f"PASS {suite}" in result.stdout, result.stdout + result.stderr
