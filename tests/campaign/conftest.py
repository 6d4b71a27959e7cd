# SPDX-License-Identifier: MIT
"""Campaigns with a stand-in for the simulator, so that what they do can be tested in seconds."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from campaign_tools import STAND_IN


@pytest.fixture
def stand_in(monkeypatch):
    """Let attempts run the stand-in instead of `cosim run`."""
    monkeypatch.setattr("cosim.campaign.attempt.PROGRAM", STAND_IN)


@pytest.fixture
def write(tmp_path):
    """Write a campaign file and return its path."""

    def write_file(text: str, name: str = "study.toml") -> str:
        path = tmp_path / name
        path.write_text(text)
        return str(path)

    return write_file
