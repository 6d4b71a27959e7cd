# SPDX-License-Identifier: MIT
"""Path loss and shadowing along a UE's way."""

import numpy as np
import pytest

from sionna_phy.channel.large_scale import ShadowField
from sionna_phy.channel.tr38901 import Tr38901Producer


def test_the_field_has_variance_one_and_decays_exponentially():
    # 400 fields, at 0 and at distances in units of the correlation distance. A correlation of 400
    # pairs has a standard deviation below 1 / sqrt(400) = 0.05; four of them.
    cells = 400
    field = ShadowField(range(cells), seed=5)
    here = field.at(np.zeros((cells, 1, 2)))[:, 0]
    assert here.mean() == pytest.approx(0.0, abs=0.2)
    assert here.var() == pytest.approx(1.0, abs=4 * np.sqrt(2 / cells))
    for distance in (0.2, 1.0, 3.0):
        there = field.at(np.full((cells, 1, 2), distance / np.sqrt(2)))[:, 0]
        assert np.mean(here * there) == pytest.approx(np.exp(-distance), abs=0.2)


def track_spec(make_spec, start, velocity, seconds, **changes):
    """Return a spec with straight tracks."""
    ends = start + seconds * velocity
    tracks = np.stack(
        [np.column_stack([np.zeros(len(start)), start]),
         np.column_stack([np.full(len(start), seconds), ends])], axis=1
    )  # fmt: skip
    return make_spec(
        ues=len(start),
        ue_positions_m=start,
        ue_velocities_m_s=velocity,
        ue_tracks_m=tracks,
        **changes,
    )


def track_of(spec):
    producer = Tr38901Producer(spec)
    producer.prepare()
    return producer.large_scale.shadowing_db, producer._sum._large_scale


def test_shadowing_starts_as_drawn_keeps_its_spread_and_has_no_jumps(make_spec):
    # 60 UEs, 20 s at 10 m/s: 20 times the correlation distance of 10 m or so. The spread stays that
    # of UMi without line of sight, 7.82 dB: a standard deviation of 60 values is good to
    # 1 / sqrt(120) = 9 %, three of them 27 %.
    ues = 60
    places = np.column_stack([40.0 * np.arange(ues), np.full(ues, 90.0), np.full(ues, 1.5)])
    velocity = np.tile([[0.0, 10.0, 0.0]], (ues, 1))
    spec = track_spec(make_spec, places, velocity, 20.0, los="never", pathloss=False)
    start, track = track_of(spec)
    assert track.change_db(0.0) == pytest.approx(0.0, abs=1e-9)
    later = start[0] + track.change_db(20.0)[0]
    assert later.std() == pytest.approx(7.82, rel=0.27)
    # Independent by then: a correlation of 60 pairs, three of 0.13.
    assert abs(np.corrcoef(start[0], later)[0, 1]) < 0.39
    # A metre changes it by sigma sqrt(2 (1 - exp(-1/10))) = 3.4 dB, standard deviation; five of
    # them for the largest of 600 differences.
    steps = np.stack([track.change_db(0.1 * n)[0] for n in range(11)])
    assert np.abs(np.diff(steps, axis=0)).max() < 5 * 3.4


def test_whoever_comes_back_finds_the_shadow_as_it_was(make_spec):
    # Away and back: the displacement from the start is 0 again, and so is the change.
    away = np.array([[60.0, 10.0, 1.5]])
    tracks = np.array([[[0.0, 60.0, 10.0, 1.5], [5.0, 90.0, 10.0, 1.5], [10.0, 60.0, 10.0, 1.5]]])
    spec = make_spec(
        ues=1, ue_positions_m=away, ue_velocities_m_s=np.array([[6.0, 0.0, 0.0]]),
        ue_tracks_m=tracks,
    )  # fmt: skip
    _, track = track_of(spec)
    assert abs(track.change_db(5.0)[0, 0]) > 0.1
    assert track.change_db(10.0) == pytest.approx(0.0, abs=1e-6)
