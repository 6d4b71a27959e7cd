# SPDX-License-Identifier: MIT
"""Channel descriptions for the tests."""

import json
from pathlib import Path

import numpy as np
import pytest

from sionna_phy.channel import ChannelSpec

DATA = Path(__file__).parent / "data"


def ring(ues, radius_m, height_m=1.5):
    """Return positions on a circle round the origin, shape [ues, 3]."""
    angle = 2 * np.pi * (np.arange(ues) + 0.5) / ues
    return np.stack(
        [radius_m * np.cos(angle), radius_m * np.sin(angle), np.full(ues, height_m)], axis=1
    )


def build(ues=4, cells=1, **changes):
    """Return a small UMi carrier with UEs on a ring; any field can be changed."""
    fields = {
        "model": "umi",
        "carrier_frequency_hz": 3.5e9,
        "prbs": 11,
        "subcarrier_spacing_hz": 30e3,
        "cell_positions_m": np.array([[200.0 * n, 0.0, 10.0] for n in range(cells)]),
        "ue_positions_m": ring(ues, 90.0),
        "ue_velocities_m_s": np.tile([[3.0, 1.0, 0.0]], (ues, 1)),
        "ue_indoor": np.zeros(ues, dtype=bool),
        "serving_cell": np.arange(ues) % cells,
        "gnb_rows": 2,
        "gnb_columns": 2,
        "block_duration_s": 0.02,
        "samples_per_block": 4,
        "seed": 7,
    }
    return ChannelSpec(**(fields | changes))


@pytest.fixture
def make_spec():
    return build


@pytest.fixture
def on_ring():
    return ring


@pytest.fixture(scope="session")
def reference():
    def load(name):
        return json.loads((DATA / name).read_text())

    return load
