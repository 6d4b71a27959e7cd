# SPDX-License-Identifier: MIT
"""Layouts, wrap-around, element pattern, tracks, and the producer that knows distances alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sionna_phy.channel import ChannelSpec, make_producer
from sionna_phy.geometry import (
    element_gain_db,
    hexagonal_sites,
    nearest_images,
    positions_at,
    wrap_lattice,
)


def cells_of(sites, inter_site_m=100.0):
    flat = hexagonal_sites(sites, inter_site_m)
    return np.column_stack([flat, np.full(sites, 25.0)])


@pytest.mark.parametrize("sites", [1, 7, 19])
def test_clusters_have_their_sites_and_neighbours_at_the_inter_site_distance(sites):
    flat = hexagonal_sites(sites, 100.0)
    assert len(flat) == sites and np.allclose(flat[0], 0.0)
    distance = np.linalg.norm(flat[:, None] - flat[None], axis=-1)
    if sites > 1:
        # of 7 sites: 6 spokes and 6 sides; of 19, by counting edges of the triangular lattice:
        # 3 directions x (3 + 4 + 5 + 4 + 3 points on a line less one each) = 3 x 14 = 42
        assert np.sum(np.isclose(distance, 100.0)) / 2 == {7: 12, 19: 42}[sites]
    assert np.min(distance[~np.eye(sites, dtype=bool)], initial=100.0) >= 100.0 - 1e-9


@pytest.mark.parametrize("sites", [1, 7, 19])
def test_copies_of_a_cluster_tile_the_plane(sites):
    # Every cell of the endless layout has six neighbours at exactly one inter-site distance, all
    # different cells of the cluster (of one site, six copies of itself).
    cells, lattice = cells_of(sites), wrap_lattice(sites, 100.0)
    assert np.linalg.norm(lattice[0]) == pytest.approx(100.0 * sites**0.5)
    # the area of the lattice's cell is that of all hexagons: sites x sqrt(3)/2 x ISD^2
    assert abs(np.linalg.det(lattice)) == pytest.approx(sites * 3**0.5 / 2 * 100.0**2)
    steps = [(a, b) for a in range(-2, 3) for b in range(-2, 3)]
    shifts = np.array(steps) @ lattice
    copies = (cells[None, :, :2] + shifts[:, None]).reshape(-1, 2)
    assert len(np.unique(copies.round(3), axis=0)) == len(copies)  # none on another
    for cell in cells[:, :2]:
        distance = np.linalg.norm(copies - cell, axis=1)
        assert np.sum(np.isclose(distance, 100.0)) == 6


@given(x=st.floats(-3000, 3000), y=st.floats(-3000, 3000), sites=st.sampled_from([7, 19]))
def test_no_copy_is_nearer_and_a_ue_is_never_far_from_a_cell(x, y, sites):
    cells, lattice = cells_of(sites), wrap_lattice(sites, 100.0)
    ue = np.array([[x, y, 1.5]])
    images = nearest_images(cells, ue, lattice)
    distance = np.linalg.norm(images[:, 0, :2] - ue[0, :2], axis=1)
    steps = np.array([(a, b) for a in range(-45, 46) for b in range(-45, 46)])
    copies = cells[:, None, :2] + (steps @ lattice)[None]
    brute = np.linalg.norm(copies - ue[0, :2], axis=-1).min(axis=1)
    assert np.allclose(distance, brute, atol=1e-3)
    # the corner of a hexagon is ISD / sqrt(3) from its centre
    assert distance.min() <= 100.0 / 3**0.5 + 1e-6


def test_without_wrap_around_cells_are_where_they_are():
    cells = cells_of(7)
    images = nearest_images(cells, np.array([[5000.0, 0.0, 1.5]]), None)
    assert np.array_equal(images[:, 0], cells)


def test_the_element_pattern_is_that_of_the_standard():
    # TR 38.901 table 7.3-1: 3 dB down at 32.5 degrees, never more than 30 dB.
    panel = np.array([[[0.0, 0.0, 0.0]]])
    for degrees, expected in ((0.0, 0.0), (32.5, -3.0), (65.0, -12.0), (180.0, -30.0)):
        angle = np.radians(degrees)
        ue = np.array([[np.cos(angle), np.sin(angle), 0.0]]) * 100.0
        assert element_gain_db(panel, ue, np.zeros((1, 3)))[0, 0] == pytest.approx(expected)
        turned = element_gain_db(panel, ue, np.array([[angle, 0.0, 0.0]]))
        assert turned[0, 0] == pytest.approx(0.0)  # the panel looks at it
    below = np.array([[100.0, 0.0, -100.0 * np.tan(np.radians(10.0))]])
    tilted = element_gain_db(panel, below, np.array([[0.0, np.radians(10.0), 0.0]]))
    assert tilted[0, 0] == pytest.approx(0.0)
    level = element_gain_db(panel, below, np.zeros((1, 3)))
    assert level[0, 0] == pytest.approx(-12 * (10 / 65) ** 2)


def test_tracks_are_straight_between_points_and_rest_at_their_ends():
    track = np.array([[[1.0, 0.0, 0.0, 1.5], [3.0, 20.0, 0.0, 1.5], [3.0, 20.0, 0.0, 1.5]]])
    where = positions_at(track, np.array([0.0, 1.0, 2.0, 3.0, 9.0]))
    assert where[:, 0, 0].tolist() == [0.0, 0.0, 10.0, 20.0, 20.0]


def test_gain_by_distance_follows_the_ue_along_its_track():
    # 37.6 dB a decade from -128.1 dB at 1 km: -90.5 at 100 m; the UE walks from 100 m to 1 km.
    spec = ChannelSpec(
        model="distance",
        carrier_frequency_hz=2e9,
        prbs=4,
        subcarrier_spacing_hz=15e3,
        cell_positions_m=np.array([[0.0, 0.0, 1.5], [1100.0, 0.0, 1.5]]),
        ue_positions_m=np.array([[100.0, 0.0, 1.5]]),
        ue_velocities_m_s=np.zeros((1, 3)),
        ue_indoor=np.array([False]),
        serving_cell=np.array([0]),
        any_cell_serves=True,
        ue_tracks_m=np.array([[[0.0, 100.0, 0.0, 1.5], [9.0, 1000.0, 0.0, 1.5]]]),
        gain_db=-128.1,
        block_duration_s=1.0,
        samples_per_block=10,
    )
    producer = make_producer(spec)
    first, last = producer.block(0).gains, producer.block(9).gains
    assert first.shape == (10, 2, 1, 2, 4)
    assert 10 * np.log10(first[0, 0, 0, 0, 0]) == pytest.approx(-90.5, abs=1e-4)
    assert 10 * np.log10(last[0, 0, 0, 1, 3]) == pytest.approx(-128.1, abs=1e-4)
    assert 10 * np.log10(last[0, 1, 0, 0, 0]) == pytest.approx(-90.5, abs=1e-4)
