# SPDX-License-Identifier: MIT
"""What the tests of campaigns share."""

import sys
from pathlib import Path

STAND_IN = (sys.executable, str(Path(__file__).with_name("stand_in.py")))


def starts(folder: Path) -> list[int]:
    """Return the seeds of all runs that the stand-in was started for."""
    log = folder / "starts.log"
    return [int(line.split()[0]) for line in log.read_text().splitlines()] if log.exists() else []
