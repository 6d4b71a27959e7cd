# SPDX-License-Identifier: MIT
"""Path loss and shadowing along a UE's way."""

import numpy as np
import pytest

from sionna_phy.channel import make_producer
from sionna_phy.channel.large_scale import ShadowField
from sionna_phy.channel.tr38901 import Tr38901Producer


def test_the_field_has_variance_one_and_decays_exponentially():
    # 400 fields, at 0 and at distances in units of the correlation distance. A correlation of 400
    # pairs has a standard deviation below 1 / sqrt(400) = 0.05; four of them.
    cells = 400
    field = ShadowField(cells, seed=5)
    here = field.at(np.zeros((cells, 1, 2)))[:, 0]
    assert here.mean() == pytest.approx(0.0, abs=0.2)
    assert here.var() == pytest.approx(1.0, abs=4 * np.sqrt(2 / cells))
    for distance in (0.2, 1.0, 3.0):
        there = field.at(np.full((cells, 1, 2), distance / np.sqrt(2)))[:, 0]
        assert np.mean(here * there) == pytest.approx(np.exp(-distance), abs=0.2)


def test_path_loss_follows_the_distance(make_spec):
    # UMi with line of sight, below the break point: 21 log10(d3D) (TR 38.901 table 7.4.1-1). From
    # 50 to 100 m on the ground, 8.5 m of height between the antennas, in 2 s at 25 m/s.
    spec = make_spec(
        ues=1, los="always", shadowing=False, large_scale="evolving",
        ue_positions_m=np.array([[50.0, 0.0, 1.5]]),
        ue_velocities_m_s=np.array([[25.0, 0.0, 0.0]]), block_duration_s=0.1,
    )  # fmt: skip
    producer = Tr38901Producer(spec)
    producer.prepare()
    change = producer._track.change_db(20)[0, 0, 0]
    expected = -21 * np.log10(np.hypot(100, 8.5) / np.hypot(50, 8.5))
    assert change == pytest.approx(expected, abs=0.02)
    assert producer._track.change_db(0)[0] == pytest.approx(0.0, abs=1e-6)


def test_shadowing_starts_as_drawn_keeps_its_spread_and_has_no_jumps(make_spec):
    # 60 UEs, 20 s at 10 m/s: 20 times the correlation distance of 10 m. The spread stays that of
    # UMi without line of sight, 7.82 dB: a standard deviation of 60 values is good to
    # 1 / sqrt(120) = 9 %, three of them 27 %.
    ues = 60
    spec = make_spec(
        ues=ues, los="never", pathloss=False, large_scale="evolving",
        ue_positions_m=np.column_stack([40.0 * np.arange(ues), np.full(ues, 90.0),
                                        np.full(ues, 1.5)]),
        ue_velocities_m_s=np.tile([[0.0, 10.0, 0.0]], (ues, 1)), block_duration_s=0.1,
    )  # fmt: skip
    producer = Tr38901Producer(spec)
    producer.prepare()
    start = producer.large_scale.shadowing_db[0]
    track = producer._track
    later = start + track.change_db(200)[0, 0]
    assert later.std() == pytest.approx(7.82, rel=0.27)
    # Independent by then: exp(-20) of the start; a correlation of 60 pairs, three of 0.13.
    assert abs(np.corrcoef(start, later)[0, 1]) < 0.39
    # A metre changes it by sigma sqrt(2 (1 - exp(-0.1))) = 3.4 dB, standard deviation; five of them
    # for the largest of 600 differences, and block boundaries are like any other time.
    steps = np.stack([track.change_db(n)[0, 0] for n in range(11)])
    assert np.abs(np.diff(steps, axis=0)).max() < 5 * 3.4
    ends = np.stack([track.change_db(n)[-1, 0] for n in range(10)])
    assert np.abs(ends - steps[1:]).max() < 5 * 3.4 / 4


def test_blocks_follow_from_their_number_alone(make_spec):
    spec = make_spec(large_scale="evolving", ue_velocities_m_s=np.tile([[9.0, 1.0, 0.0]], (4, 1)))
    one, other = make_producer(spec), make_producer(spec)
    for number in (3, 40, 0):
        one.block(number)
    assert np.array_equal(one.block(60).gains, other.block(60).gains)
    fixed = make_producer(
        make_spec(large_scale="fixed", ue_velocities_m_s=np.tile([[9.0, 1.0, 0.0]], (4, 1)))
    )
    assert np.allclose(fixed.block(0).gains[0], other.block(0).gains[0], rtol=1e-5)
    assert not np.allclose(fixed.block(60).gains, other.block(60).gains, rtol=0.05)
