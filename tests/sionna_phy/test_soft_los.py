# SPDX-License-Identifier: MIT
"""The soft state of line of sight: formula, share, continuity, and the channel that follows it."""

import numpy as np
import pytest

from sionna_phy.channel import ChannelSpec, ChannelSpecError
from sionna_phy.channel.soft_los import SoftLos, soft_state
from sionna_phy.channel.tr38901 import Tr38901Producer

WAVELENGTH_M = 0.2


def test_the_state_by_hand():
    # sqrt(20 / 0.2) = 10. P = 1/2: G = 0. F = 0.1: atan(1) = pi/4, so 1/2 + 1/4; F = -0.1: 1/4.
    half = np.array([0.5, 0.5, 0.5])
    found = soft_state(np.array([0.1, -0.1, 0.0]), half, WAVELENGTH_M)
    assert found == pytest.approx([0.75, 0.25, 0.5])
    # P = 0.8413447 is the normal distribution at 1, so G = 1: F = -1 is the edge. F = 0: atan(10)
    # = 1.4711277, / pi = 0.4682744.
    found = soft_state(np.array([-1.0, 0.0]), np.array([0.8413447, 0.8413447]), WAVELENGTH_M)
    assert found == pytest.approx([0.5, 0.9682744], abs=1e-6)
    assert soft_state(np.array([-3.0]), np.array([1.0]), WAVELENGTH_M) == pytest.approx([1.0])


def states(sites, start_p, later_p, way_m, seed):
    """Return states at the start and `way_m` later, of one UE of each of many sites."""
    rng = np.random.default_rng(seed)
    los = rng.uniform(size=(sites, 1)) < start_p
    home = np.array([[30.0, 40.0, 1.5]])
    soft = SoftLos(
        range(sites), los, np.full((sites, 1), start_p), home, correlation_m=50.0,
        wavelength_m=WAVELENGTH_M, seed=seed,
    )  # fmt: skip
    here = soft.at(home, np.full((sites, 1), start_p))
    there = soft.at(home + np.array([[way_m, 0.0, 0.0]]), np.full((sites, 1), later_p))
    return los, here, there


@pytest.mark.parametrize(("start_p", "later_p"), [(0.3, 0.3), (0.8, 0.2), (1.0, 0.6)])
def test_it_begins_as_drawn_and_its_share_is_the_probability(start_p, later_p):
    count = 1500
    for way_m in (20.0, 400.0):
        los, here, there = states(count, start_p, later_p, way_m, seed=4)
        assert np.array_equal(here > 0.5, los)
        # Independent sites: four standard deviations of a binomial share.
        deviation = np.sqrt(later_p * (1 - later_p) / count)
        assert np.mean(there > 0.5) == pytest.approx(later_p, abs=4 * deviation)


def test_near_the_start_the_state_is_kept_and_far_away_forgotten():
    # Correlation of the signs of two standard normals with correlation r: 2/pi asin(r); at P = 1/2
    # they are the states. r = exp(-10/50) = 0.819: 0.611; after 400 m 0.0002. 1500 pairs: 0.026
    # standard deviation at most, four of them.
    for way_m, wanted in ((10.0, 0.611), (400.0, 0.0)):
        _, here, there = states(1500, 0.5, 0.5, way_m, seed=9)
        signs = np.sign(here - 0.5) * np.sign(there - 0.5)
        assert signs.mean() == pytest.approx(wanted, abs=4 * 0.026)


def moving_spec(**changes):
    """Return a UMi cell and UEs that walk away from it."""
    ues = 12
    angle = 2 * np.pi * np.arange(ues) / ues
    out = np.column_stack([np.cos(angle), np.sin(angle), np.zeros(ues)])
    start = 60.0 * out + [0.0, 0.0, 1.5]
    tracks = np.stack(
        [np.column_stack([np.zeros(ues), start]),
         np.column_stack([np.full(ues, 20.0), start + 200.0 * out])], axis=1
    )  # fmt: skip
    fields = {
        "model": "umi", "carrier_frequency_hz": 3.5e9, "prbs": 4, "subcarrier_spacing_hz": 30e3,
        "cell_positions_m": np.array([[0.0, 0.0, 10.0]]), "ue_positions_m": start,
        "ue_velocities_m_s": 10.0 * out, "ue_indoor": np.zeros(ues, dtype=bool),
        "serving_cell": np.zeros(ues, dtype=np.int64), "ue_tracks_m": tracks, "soft_los": True,
        "samples_per_block": 2, "seed": 3,
    }  # fmt: skip
    return ChannelSpec(**(fields | changes))


def track_of(spec):
    producer = Tr38901Producer(spec)
    producer.prepare()
    return producer.large_scale, producer._sum._large_scale, producer


def test_path_loss_goes_from_one_state_to_the_other_without_a_jump():
    large_scale, track, _ = track_of(moving_spec(shadowing=False))
    assert np.array_equal(track.states(0.0) > 0.5, large_scale.los)
    times = np.arange(0.0, 20.0, 0.5)
    states = np.stack([track.states(t)[0] for t in times])
    changed = np.flatnonzero((states > 0.5).any(axis=0) & (states < 0.5).any(axis=0))
    assert len(changed) >= 3  # from 60 m to 260 m the probability falls from 0.43 to 0.07
    # Path loss by hand (TR 38.901 table 7.4.1-1), mixed in dB by the state, at every time.
    for t, state in zip(times[::8], states[::8], strict=True):
        d = np.hypot(60.0 + 10.0 * t, 8.5)
        with_los = 32.4 + 21 * np.log10(d) + 20 * np.log10(3.5)
        without = max(with_los, 35.3 * np.log10(d) + 22.4 + 21.3 * np.log10(3.5))
        loss = large_scale.path_loss_db[0] - track.change_db(t)[0]
        assert loss == pytest.approx(state * with_los + (1 - state) * without, abs=0.01)
    # Ten micrometres change the field by sqrt(2 (1 - exp(-1e-5 / 50))) = 6.3e-4, standard
    # deviation, and the state by sqrt(20 / 0.0857) / pi = 4.9 times that at most; six deviations.
    near = np.stack([track.states(7.0 + 1e-6 * n)[0] for n in range(40)])
    assert np.abs(np.diff(near, axis=0)).max() < 6 * 6.3e-4 * 4.9


def test_shadowing_has_the_spread_of_its_state():
    # UMi: 4 dB with line of sight, 7.82 dB without. A long way from the start, over UEs and times
    # 30 m apart; of some 60 values a standard deviation is good to 10 %, four of them.
    spec = moving_spec()
    shadowed, plain = track_of(spec)[1], track_of(moving_spec(shadowing=False))[1]
    large_scale = track_of(spec)[0]
    there = {True: [], False: []}
    for t in np.arange(5.0, 20.0, 3.0):
        value = shadowed.change_db(t)[0] - plain.change_db(t)[0] + large_scale.shadowing_db[0]
        state = shadowed.states(t)[0]
        there[False] += value[state < 0.1].tolist()
        there[True] += value[state > 0.9].tolist()
    assert len(there[False]) >= 30
    assert np.std(there[False]) == pytest.approx(7.82, rel=0.4)
    assert np.std(there[True]) < np.std(there[False])


def test_blocks_join_and_repeat():
    # 10 m/s and a sample every 10 us: 0.1 mm, 1/857 of a wavelength.
    duration_s, samples = 2e-3, 200
    fields = {"block_duration_s": duration_s, "samples_per_block": samples}
    one, again = Tr38901Producer(moving_spec(**fields)), Tr38901Producer(moving_spec(**fields))
    blocks = {number: one.gains(number) for number in (3, 0, 1, 2, 4)}
    assert np.array_equal(again.gains(1), blocks[1])
    assert np.array_equal(again.gains(3), blocks[3])
    # One antenna on both sides: a gain is |h|^2 of a sum of rays, times the large-scale gain g. A
    # ray turns by 2 pi v dt / lambda at most, so that h changes by that times the sum of the rays'
    # magnitudes; over PRBs these only turn.
    track, total = one._sum._large_scale, one._sum._sum
    magnitudes = np.zeros(np.prod(total.shape))
    for group in total.groups:
        rays = np.hypot(group.real.numpy(), group.imaginary.numpy())
        magnitudes[group.links.numpy()] = rays.sum(axis=(1, 2))
    magnitudes = magnitudes.reshape(total.shape)
    turn = 2 * np.pi * 10.0 * (duration_s / samples) * 3.5e9 / 299_792_458.0
    for number in range(4):
        at = [track.change_db((number + n) * duration_s) for n in range(3)]
        # g goes in straight lines of dB from block to block: the last sample is one such step away.
        step_db = np.abs(at[1] - at[0]) / samples
        bound = magnitudes * 10 ** (at[1] / 20) * (turn + 10 ** (step_db / 20) - 1)
        before, after = (np.sqrt(blocks[number + n][-1 + n, :, :, 0]) for n in range(2))
        assert (np.abs(after - before) <= 1.01 * bound[..., None]).all()
        # It is a bound that a jump would break: two blocks on, 4 cm, gains have left it.
        if number < 3:
            later = np.sqrt(blocks[number + 2][0, :, :, 0])
            assert (np.abs(later - before) > bound[..., None]).mean() > 0.3


def test_it_needs_a_probability_of_line_of_sight():
    for changes in ({"los": "always"}, {"model": "cdl-a"}):
        with pytest.raises(ChannelSpecError, match="soft_los"):
            moving_spec(**changes)
