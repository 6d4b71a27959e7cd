# SPDX-License-Identifier: MIT
"""The sum over rays by few matrix products against the plain formula, ray by ray and sample by
sample in double precision."""

import dataclasses

import numpy as np
import pytest

from sionna_phy.channel import make_producer, tr38901
from sionna_phy.channel.ray_evaluator import RayEvaluator
from sionna_phy.channel.sionna_random import sionna_seed
from sionna_phy.channel.time_basis import TOLERANCE, TimeBasis
from sionna_phy.geometry import positions_at


def drawn(spec):
    with sionna_seed(spec.seed):
        return tr38901.draw_rays(tr38901.make_model(spec), spec)[0]


def plain(rays, frequencies_hz, cycles):
    """Return sum a exp(j 2 pi cycles) exp(-j 2 pi f tau), [cells, ues, pairs, samples, prbs]."""
    turned = np.exp(2j * np.pi * cycles)  # [cells, ues, paths, rays, samples]
    paths = np.einsum("cupar,cuprt->cupat", rays.amplitude.numpy().astype(complex), turned)
    delayed = np.exp(-2j * np.pi * rays.delay_s.numpy()[..., None] * frequencies_hz)
    return np.einsum("cupat,cupf->cuatf", paths, delayed)


def check(got, wanted):
    """Compare responses relative to each link's root mean square.

    Sums of up to 480 terms in single precision (6e-8 each, phases as well), added at random: some
    22 * 6e-8, times 5 for the largest of all values and for what the functions of time leave out.
    """
    rms = np.sqrt((np.abs(wanted) ** 2).mean(axis=(2, 3, 4), keepdims=True))
    assert np.abs(got - wanted).max() > 0.0  # not one and the same calculation
    assert (np.abs(got - wanted) / rms).max() < 7e-6


@pytest.mark.parametrize(
    "changes",
    [
        {"cells": 2},
        {"ue_antennas": 2, "gnb_polarisation": "dual", "prbs": 12},  # no PRB at the carrier
        {"samples_per_block": 1},
        {"samples_per_block": 7, "block_duration_s": 0.1},
        {"ue_velocities_m_s": np.tile([[60.0, 0.0, 0.0]], (4, 1))},  # 14 turns a block of 4 samples
        {"prbs": 3, "prb_offsets_hz": (-4e6, 0.0, 5e6)},  # not the same on both sides
        {"model": "rma", "los": "always"},
    ],
)
@pytest.mark.parametrize("number", [0, 11])
def test_blocks_are_the_plain_sum(make_spec, changes, number):
    spec = make_spec(**changes)
    rays = drawn(spec)
    evaluator = RayEvaluator(
        rays, spec.prb_centres_hz, spec.samples_per_block, spec.sample_interval_s
    )
    times = number * spec.block_duration_s + np.arange(spec.samples_per_block) * (
        spec.sample_interval_s
    )
    wanted = plain(rays, spec.prb_centres_hz, rays.doppler_hz.numpy()[..., None] * times)
    powers, matrices = evaluator.block(number, np.ones(wanted.shape[:2], dtype=bool))
    got = matrices.transpose(0, 3, 1, 2).reshape(wanted.shape)
    check(got, wanted)
    mean = (np.abs(wanted) ** 2).mean(axis=2).transpose(2, 0, 1, 3)
    level = mean.mean(axis=(0, 3), keepdims=True)
    # A response off by 7e-6 of its level has a power off by twice that.
    assert (np.abs(powers - mean) / level).max() < 5 * 7e-6
    # Matrices of some links only, in order of cells.
    some = np.zeros(wanted.shape[:2], dtype=bool)
    some[-1, 1:3] = True
    assert np.array_equal(evaluator.block(number, some)[1], matrices[some.reshape(-1)])


def test_tracks_with_a_turn_inside_a_block_are_the_plain_sum(make_spec):
    # Block 1, 20 to 40 ms, 8 samples: UE 0 turns at 30 ms, UE 1 stops at 32 ms, UE 2 starts at
    # 26 ms, UE 3 goes straight on. Nothing but the phases changes.
    velocities = np.array([[8.0, 3.0, 0.0], [0.0, -9.0, 0.0], [0.0, 0.0, 0.0], [5.0, 5.0, 0.0]])
    later = np.array([[-3.0, 8.0, 0.0], [0.0, 0.0, 0.0], [7.0, -1.0, 0.0], [5.0, 5.0, 0.0]])
    turns_s = np.array([0.030, 0.032, 0.026, 0.5])
    base = make_spec(samples_per_block=8, pathloss=False, shadowing=False)
    tracks = np.zeros((4, 3, 4))
    tracks[:, 1, 0], tracks[:, 2, 0] = turns_s, 1.0
    tracks[:, 0, 1:] = base.ue_positions_m
    tracks[:, 1, 1:] = tracks[:, 0, 1:] + velocities * turns_s[:, None]
    tracks[:, 2, 1:] = tracks[:, 1, 1:] + later * (1.0 - turns_s[:, None])
    spec = dataclasses.replace(base, ue_tracks_m=tracks)
    rays = drawn(spec)
    times = 0.02 + np.arange(8) * 0.0025
    way = positions_at(tracks, times) - positions_at(tracks, np.zeros(1))
    cycles = np.einsum("cuprx,sux->cuprs", rays.turns_per_m.numpy(), way)
    wanted = plain(rays, spec.prb_centres_hz, cycles)
    power = (np.abs(wanted) ** 2).sum(axis=2).transpose(2, 0, 1, 3)  # one cell, which serves all
    gains = make_producer(spec).block(1).gains[:, :, :, 0]
    assert (np.abs(gains - power) / power.mean(axis=(0, 3), keepdims=True)).max() < 5 * 7e-6


def test_blocks_do_not_depend_on_what_was_asked_before(make_spec):
    spec = make_spec(ue_velocities_m_s=np.tile([[0.8, 0.0, 0.0]], (4, 1)))
    one, other = make_producer(spec), make_producer(spec)
    one.prepare()
    assert one._sum._evaluator.blocks_at_once > 1
    forwards = [one.block(n).gains for n in range(10)]
    for n in (9, 0, 3, 4, 4, 2):
        assert np.array_equal(other.block(n).gains, forwards[n])


@pytest.mark.parametrize("samples", [1, 2, 20, 21, 80])
@pytest.mark.parametrize("largest_hz", [0.0, 9.7, 400.0])
def test_few_functions_carry_every_ray(samples, largest_hz):
    basis = TimeBasis(samples, 0.005, largest_hz)
    count = basis.functions.shape[1]
    assert np.allclose(basis.functions.T @ basis.functions, np.eye(count), atol=1e-9)
    # Landau and Pollak (1962): 2 nu T dimensions, and more by a logarithm of the error.
    assert count <= min(samples, 2 * largest_hz * samples * 0.005 + 12)
    import torch

    shifts = np.linspace(-largest_hz, largest_hz, 83)
    found = basis.coefficients(torch.as_tensor(shifts)).numpy().astype(complex)
    found[:, basis.even :] *= 1j
    rays = np.exp(2j * np.pi * shifts[:, None] * (np.arange(samples) * 0.005 - basis.middle_s))
    error = np.sqrt((np.abs(found @ basis.functions.T - rays) ** 2).mean(axis=1))
    assert error.max() < TOLERANCE + 5e-7  # and phases in single precision
