# SPDX-License-Identifier: MIT
"""Rays along tracks: the same channel as without tracks where both are right."""

import dataclasses

import numpy as np
import pytest

from sionna_phy.channel import ChannelSpec, make_producer


def spec(**changes):
    base = {
        "model": "umi",
        "carrier_frequency_hz": 3.5e9,
        "prbs": 6,
        "subcarrier_spacing_hz": 30e3,
        "cell_positions_m": np.array([[0.0, 0.0, 10.0], [200.0, 0.0, 10.0]]),
        "ue_positions_m": np.array([[60.0, 10.0, 1.5], [150.0, -20.0, 1.5]]),
        "ue_velocities_m_s": np.array([[3.0, 4.0, 0.0], [-5.0, 0.0, 0.0]]),
        "ue_indoor": np.array([False, False]),
        "serving_cell": np.array([0, 1]),
        "gnb_columns": 2,
        "block_duration_s": 0.02,
        "samples_per_block": 10,
        "seed": 5,
    }
    return ChannelSpec(**(base | changes))


def with_tracks(base, duration_s):
    start = np.column_stack([np.zeros(2), base.ue_positions_m])
    end = np.column_stack(
        [np.full(2, duration_s), base.ue_positions_m + base.ue_velocities_m_s * duration_s]
    )
    return dataclasses.replace(base, ue_tracks_m=np.stack([start, end], axis=1))


def test_small_scale_fading_along_a_straight_track_is_that_of_its_doppler():
    # Without path loss and shadowing nothing but the phases of the rays changes.
    base = spec(pathloss=False, shadowing=False)
    still, moving = make_producer(base), make_producer(with_tracks(base, 1.0))
    for number in (0, 3):
        a, b = still.block(number).gains, moving.block(number).gains
        assert np.allclose(a, b, rtol=2e-3)  # phases of single precision, up to 8 turns
    assert not np.allclose(still.block(0).gains[0], still.block(0).gains[-1], rtol=0.05)


def test_path_loss_follows_the_distance_and_blocks_join():
    base = spec(
        shadowing=False, los="always", ue_velocities_m_s=np.array([[20.0, 0, 0], [0, 0, 0]])
    )
    producer = make_producer(with_tracks(base, 10.0))
    change = producer._sum or producer.prepare() or producer._sum
    db = change._large_scale.change_db(5.0)
    # TR 38.901 table 7.4.1-1, UMi LOS before the breakpoint: 21 dB a decade of 3D distance. UE 0
    # walks from (60, 10) to (160, 10), 8.5 m below the cells.
    before = np.sqrt(60.0**2 + 10.0**2 + 8.5**2)
    after = np.sqrt(160.0**2 + 10.0**2 + 8.5**2)
    assert db[0, 0] == pytest.approx(-21.0 * np.log10(after / before), abs=1e-2)
    assert db[:, 1] == pytest.approx([0.0, 0.0], abs=1e-5)  # stands still
    one, two = producer.block(4).gains, producer.block(5).gains
    wanted = np.abs(np.diff(np.concatenate([one, two], axis=0), axis=0)).mean(axis=(1, 3, 4))
    assert wanted[9, 0] < 3 * wanted[:, 0].mean() + 1e-30  # no jump between the blocks


def test_any_cell_serves_adds_the_plane_of_interferers():
    base = spec(shadowing=False)
    plain = make_producer(base).block(0).gains
    both = make_producer(dataclasses.replace(base, any_cell_serves=True)).block(0).gains
    assert both.shape[3] == 2
    for ue, cell in enumerate(base.serving_cell):
        assert np.allclose(both[:, cell, ue, 0], plain[:, cell, ue, 0], rtol=1e-5)
        assert np.allclose(both[:, 1 - cell, ue, 1], plain[:, 1 - cell, ue, 0], rtol=1e-5)
    # Two antennas against one UE antenna: the sum of both is twice their mean.
    assert np.allclose(both[..., 0, :], 2 * both[..., 1, :], rtol=1e-5)


def test_shadowing_forgets_its_beginning_over_the_correlation_distance():
    base = spec(ue_velocities_m_s=np.array([[50.0, 0, 0], [0, 50.0, 0]]), los="always")
    one = make_producer(with_tracks(base, 10.0))
    one.prepare()
    track = one._sum._large_scale
    start, later = track.change_db(0.0), track.change_db(9.0)
    assert np.allclose(start, 0.0)
    again = make_producer(with_tracks(base, 10.0))
    again.prepare()
    assert np.array_equal(again._sum._large_scale.change_db(9.0), later)
