# SPDX-License-Identifier: MIT
"""Rays: closed forms, Sionna's own response, continuity, many links at once against one by one."""

import math

import numpy as np
import pytest
import torch

from sionna_phy.channel import make_producer, tr38901
from sionna_phy.channel.ray_evaluator import RayEvaluator
from sionna_phy.channel.rays import RaySet
from sionna_phy.channel.sionna_random import sionna_seed

SPEED_OF_LIGHT = 299_792_458.0


def responses(rays, spec, start_s=0.0):
    """Return responses of the block that begins then: [cells, ues, rx, tx, samples, prbs]."""
    evaluator = RayEvaluator(
        rays, spec.prb_centres_hz, spec.samples_per_block, spec.sample_interval_s
    )
    number = round(start_s / spec.block_duration_s)
    assert number * spec.block_duration_s == pytest.approx(start_s, rel=1e-12)
    cells, ues = rays.amplitude.shape[:2]
    _, found = evaluator.block(number, np.ones((cells, ues), dtype=bool))
    antennas = (rays.ue_antennas, rays.gnb_antennas)
    return torch.as_tensor(found.transpose(0, 3, 1, 2)).reshape(
        cells, ues, *antennas, spec.samples_per_block, -1
    )


def drawn(spec):
    with sionna_seed(spec.seed):
        return tr38901.draw_rays(tr38901.make_model(spec), spec)[0]


def test_two_rays_by_hand(make_spec):
    # Two paths of one ray: amplitudes 3 and 4j, Doppler 10 and -20 Hz, delays 0 and 1 us. At time
    # 1000.0125 s they have turned by 10000.125 and -20000.25 cycles, that is 1/8 and -1/4; at f Hz
    # the second is turned by another -f 1e-6 cycles.
    rays = RaySet(
        amplitude=torch.tensor([3.0, 4.0j], dtype=torch.complex64).reshape(1, 1, 2, 1, 1),
        doppler_hz=torch.tensor([10.0, -20.0], dtype=torch.float64).reshape(1, 1, 2, 1),
        delay_s=torch.tensor([0.0, 1e-6], dtype=torch.float64).reshape(1, 1, 2),
        ue_antennas=1,
        gnb_antennas=1,
    )
    spec = make_spec(samples_per_block=1, block_duration_s=0.0125)
    got = responses(rays, spec, start_s=1000.0125).flatten().numpy()
    turn = 2j * np.pi
    expected = 3.0 * np.exp(turn / 8) + 4j * np.exp(turn * (-1 / 4 - spec.prb_centres_hz * 1e-6))
    assert np.allclose(got, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    "changes",
    [
        {"cells": 2, "ues": 5, "ue_antennas": 2, "gnb_polarisation": "dual"},
        {"model": "rma", "los": "always"},
        {"model": "uma", "los": "never", "ue_indoor": np.array([True, False, True, False])},
        {
            "gnb_pattern": "38.901",
            "cell_orientations_rad": np.array([[1.0, 0.2, 0.0]]),
            "pathloss": False,
            "shadowing": False,
        },
    ],
)
def test_the_response_is_sionnas_own(make_spec, changes):
    from sionna.phy import config
    from sionna.phy.channel import cir_to_ofdm_channel

    spec = make_spec(**changes)
    with sionna_seed(spec.seed):
        model = tr38901.make_model(spec)
        state = config.torch_rng("cpu").get_state()
        rays, _ = tr38901.draw_rays(model, spec)
        config.torch_rng("cpu").set_state(state)  # the same rays and phases once more
        h, delays = model(spec.samples_per_block, 1 / spec.sample_interval_s)
    frequencies = torch.as_tensor(spec.prb_centres_hz, dtype=torch.float32)
    theirs = cir_to_ofdm_channel(frequencies, h, delays)[0].permute(2, 0, 1, 3, 4, 5)
    ours = responses(rays, spec)
    largest = theirs.abs().amax(dim=(2, 3, 4, 5), keepdim=True)
    # Both in single precision, sums of some 400 terms in another order: 400 * 6e-8.
    assert float(((ours - theirs).abs() / largest).max()) < 3e-5


def test_fading_is_continuous_over_block_boundaries(make_spec):
    # The same 80 ms in blocks of 20 ms and in one block: sample by sample the same channel.
    short = make_producer(make_spec())
    joined = np.concatenate([short.block(n).gains for n in range(4)])
    long = make_producer(make_spec(block_duration_s=0.08, samples_per_block=16)).block(0).gains
    assert np.allclose(joined, long, rtol=1e-3, atol=1e-5 * long.max(axis=(0, 4), keepdims=True))
    # And it does move: within 80 ms at 3.2 m/s a UE passes three wavelengths.
    assert np.abs(joined[0] / joined[-1] - 1).max() > 0.1


def test_a_ue_at_rest_has_a_constant_channel(make_spec):
    producer = make_producer(make_spec(ue_velocities_m_s=np.zeros((4, 3))))
    first, later = producer.block(0).gains, producer.block(1000).gains
    assert np.array_equal(first[0], first[-1])
    assert np.array_equal(first, later)


def test_links_together_equal_links_one_by_one(make_spec):
    # Sionna draws all UEs at once, so one UE alone would be another draw; but given the rays, what
    # a link gets must not depend on who else is evaluated, but for single precision: the functions
    # of time are those for the largest Doppler shift of all.
    spec = make_spec(ues=6, cells=2)
    rays = drawn(spec)
    together = responses(rays, spec, start_s=1.0)
    for ue in range(6):
        alone = responses(rays.of_ues(ue, ue + 1), spec, start_s=1.0)
        level = alone[:, 0].abs().square().mean(dim=(1, 2, 3, 4), keepdim=True).sqrt()
        assert float(((alone[:, 0] - together[:, ue]).abs() / level).max()) < 3e-6


def test_groups_of_ues_do_not_show(make_spec, monkeypatch):
    spec = make_spec(ues=6, cells=2)
    whole = make_producer(spec).block(2).gains
    monkeypatch.setattr("sionna_phy.channel.ray_sum.BYTES_AT_ONCE", 1)  # every link alone
    assert np.allclose(make_producer(spec).block(2).gains, whole, rtol=1e-5)
    monkeypatch.setattr("sionna_phy.channel.ray_evaluator.BYTES_KEPT", 1)  # and nothing kept
    alone = make_producer(spec)
    assert np.allclose(alone.block(2).gains, whole, rtol=1e-5)
    assert alone._sum._evaluator.blocks_at_once == 1


def test_doppler_of_the_direct_ray(make_spec):
    # A UE level with the gNB, on its x axis, moving straight away at 30 m/s: the direct ray comes
    # from where it has left, so its shift is -v f / c.
    spec = make_spec(
        ues=1,
        los="always",
        ue_positions_m=np.array([[100.0, 0.0, 10.0]]),
        ue_velocities_m_s=np.array([[30.0, 0.0, 0.0]]),
    )
    rays = drawn(spec)
    largest = 30.0 * 3.5e9 / SPEED_OF_LIGHT
    assert float(rays.doppler_hz[0, 0, -1, 0]) == pytest.approx(-largest, rel=1e-6)
    assert float(rays.doppler_hz.abs().max()) <= largest * (1 + 1e-6)


def bessel_j0(x):
    """J0 by its integral: the mean of cos(x sin(a)) over a turn."""
    return float(np.mean(np.cos(x * np.sin(np.linspace(0, 2 * np.pi, 2000, endpoint=False)))))


def test_autocorrelation_over_many_ues_is_clarkes(make_spec, on_ring):
    # UEs all round the gNB, all moving the same way, without line of sight: over them the azimuth
    # of arrival is uniform, so the mean autocorrelation is Clarke's J0(2 pi f_d tau), with f_d
    # lowered a little by waves that do not arrive horizontally. 300 UEs, at least one independent
    # sample each of h(0) h*(tau) with a standard deviation below 1 (unit-power complex Gaussians):
    # the error's is below 1/sqrt(300) = 0.058. Three of them and 0.02 for the zenith angles: 0.2.
    ues, speed = 300, 10.0
    doppler_hz = speed * 3.5e9 / SPEED_OF_LIGHT
    turns = np.array([0.0, 0.2, 0.3827, 0.61, 0.8785])  # 0.3827: J0's first zero; 0.61: its minimum
    step_s = 0.0001 / doppler_hz
    spec = make_spec(
        ues=ues, los="never", pathloss=False, shadowing=False, gnb_rows=1, gnb_columns=1,
        ue_positions_m=on_ring(ues, 150.0),
        ue_velocities_m_s=np.tile([[speed, 0.0, 0.0]], (ues, 1)),
        samples_per_block=1, block_duration_s=step_s,
    )  # fmt: skip
    rays = drawn(spec)
    at = [responses(rays, spec, start_s=t / doppler_hz)[0, :, 0, 0, 0] for t in turns]
    power = float((at[0].abs() ** 2).mean())
    for turn, later in zip(turns, at, strict=True):
        correlation = float((later * at[0].conj()).real.mean()) / power
        assert correlation == pytest.approx(bessel_j0(2 * math.pi * turn), abs=0.2), turn
