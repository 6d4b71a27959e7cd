# SPDX-License-Identifier: MIT
"""Tapped and clustered delay lines: powers, delays and Doppler against the tables of TR 38.901."""

import numpy as np
import pytest
import torch

from sionna_phy.channel import make_producer
from sionna_phy.channel.link_level import SPEED_OF_LIGHT_M_S, CdlProducer, TdlProducer
from sionna_phy.channel.ray_evaluator import RayEvaluator
from sionna_phy.channel.sionna_random import sionna_seed

FIRST_TAPS = {
    # normalised delay and power in dB of taps 1 to 3, TR 38.901 tables 7.7.2-1, -2, -3
    "a": ((0.0, -13.4), (0.3819, 0.0), (0.4025, -2.2)),
    "b": ((0.0, 0.0), (0.1072, -2.2), (0.2155, -4.0)),
    "c": ((0.0, -4.4), (0.2099, -1.2), (0.2219, -3.5)),
}


def rays_of(spec):
    producer = {"t": TdlProducer, "c": CdlProducer}[spec.model[0]](spec)
    return producer._rays()


@pytest.mark.parametrize("profile", "abc")
def test_taps_are_those_of_the_standard(make_spec, profile):
    amplitude, _, delay = rays_of(make_spec(model=f"tdl-{profile}", delay_spread_s=50e-9))
    power = (amplitude.abs() ** 2).sum(dim=-1).mean(dim=(0, 2)).numpy()
    strongest = power.max()
    for tap, (at, db) in enumerate(FIRST_TAPS[profile]):
        assert float(delay[tap]) == pytest.approx(at * 50e-9, rel=1e-4, abs=1e-15)
        assert 10 * np.log10(power[tap] / strongest) == pytest.approx(db, abs=0.01)


@pytest.mark.parametrize("kind", ["tdl", "cdl"])
@pytest.mark.parametrize("profile", "abcde")
def test_delay_spread_is_the_one_asked_for(make_spec, kind, profile):
    # TR 38.901 clause 7.7.3: normalised delays times the wanted spread. The rms spread of the
    # tables is 1 to two digits. For TDL-D and E the direct ray is part of the profile.
    spec = make_spec(model=f"{kind}-{profile}", delay_spread_s=100e-9, ues=40, gnb_rows=1,
                     gnb_columns=1)  # fmt: skip
    amplitude, _, delay = rays_of(spec)
    power = (amplitude.abs() ** 2).sum(dim=-1).mean(dim=(0, 2)).to(torch.float64).numpy()
    share, at = power / power.sum(), delay.numpy()
    spread = np.sqrt(share @ at**2 - (share @ at) ** 2)
    # CDL powers are drawn through ray phases and polarisations: 40 UEs, hence the looser bound.
    assert spread == pytest.approx(100e-9, rel=0.03 if kind == "tdl" else 0.25)


@pytest.mark.parametrize("model", ["tdl-a", "tdl-d", "cdl-b", "cdl-e"])
def test_mean_gain_is_the_one_asked_for(make_spec, model):
    # One antenna on both sides. TDL: power 1 over 200 UEs in one instant, relative standard
    # deviation at most 1/sqrt(200) = 7 %, four of them. CDL elements are vertical on both sides, so
    # that cross-polarised power is lost: between half and all of it remains.
    spec = make_spec(model=model, ues=200, gnb_rows=1, gnb_columns=1, gain_db=-80.0)
    gain = make_producer(spec).block(0).gains.mean(dtype=np.float64) * 1e8
    low, high = (0.72, 1.28) if model[0] == "t" else (0.4, 1.28)
    assert low < gain < high


def test_doppler_of_a_tap_is_jakes(make_spec):
    # Correlation of a Rayleigh tap over a lag t: J0(2 pi f t). 2000 UEs: 4/sqrt(2000) = 0.09.
    f_hz = 100.0
    speed = f_hz * SPEED_OF_LIGHT_M_S / 3.5e9
    spec = make_spec(model="tdl-b", ues=2000, gnb_rows=1, gnb_columns=1,
                     ue_velocities_m_s=np.tile([[speed, 0.0, 0.0]], (2000, 1)))  # fmt: skip
    amplitude, doppler, _ = rays_of(spec)
    tap, shift = amplitude[:, 0, 0].numpy(), doppler[:, 0].numpy()
    start = tap.sum(axis=1)
    for lag_s, bessel in ((1e-3, 0.9037), (2e-3, 0.6425), (3.827e-3, 0.0), (6.098e-3, -0.4028)):
        # J0 at 0.6283, 1.2566, 2.4048 (its first zero) and 3.8317 (its first minimum)
        later = (tap * np.exp(2j * np.pi * shift * lag_s)).sum(axis=1)
        measured = np.mean(later * start.conj()) / np.mean(np.abs(start) ** 2)
        assert measured.real == pytest.approx(bessel, abs=0.09)
        assert abs(measured.imag) < 0.09


@pytest.mark.parametrize("profile", "ad")
def test_a_cdl_is_sionnas_own(make_spec, profile):
    # The same seed through Sionna's call: its coefficients at two times, link by link.
    from sionna.phy.channel.tr38901 import CDL

    from sionna_phy.channel.tr38901 import panels

    spec = make_spec(model=f"cdl-{profile}", ues=3, gain_db=0.0, samples_per_block=2)
    amplitude, doppler, delay = rays_of(spec)
    with sionna_seed(spec.seed):
        model = CDL(
            profile.upper(), delay_spread=spec.delay_spread_s,
            carrier_frequency=spec.carrier_frequency_hz, **panels(spec), direction="downlink",
            ut_velocity=torch.as_tensor(spec.ue_velocities_m_s, dtype=torch.float32),
            precision="single", device="cpu",
        )  # fmt: skip
        h, tau = model(3, 2, 1.0 / spec.sample_interval_s)
    frequencies = spec.prb_centres_hz
    # [ues, rx ant, tx ant, paths, times] x [paths, prbs]
    phasor = np.exp(-2j * np.pi * tau[0, 0, 0].numpy()[:, None].astype(float) * frequencies)
    expected = np.einsum("uatpn,pf->uatnf", h[:, 0, :, 0].numpy(), phasor)
    producer = CdlProducer(spec)
    rays = producer._scaled(amplitude, doppler, delay)
    evaluator = RayEvaluator(rays, frequencies, 2, spec.sample_interval_s)
    _, got = evaluator.block(0, np.ones((1, 3), dtype=bool))
    got = got.transpose(0, 3, 1, 2).reshape(expected.shape)
    assert np.abs(got - expected).max() < 2e-3 * np.abs(expected).max()


@pytest.mark.parametrize("model", ["tdl-c", "cdl-c"])
def test_blocks_follow_each_other(make_spec, model):
    # Two blocks of 4 samples are the block of 8 samples.
    long = make_producer(make_spec(model=model, block_duration_s=0.04, samples_per_block=8))
    short = make_producer(make_spec(model=model))
    joined = np.concatenate([short.block(0).gains, short.block(1).gains])
    assert np.allclose(joined, long.block(0).gains, rtol=1e-3, atol=1e-4 * joined.max())


def test_only_the_serving_cell_is_heard(make_spec):
    gains = make_producer(make_spec(model="tdl-a", cells=2)).block(0).gains
    serving = np.arange(2)[:, None] == (np.arange(4) % 2)[None, :]
    assert np.all(gains[:, serving] > 0)
    assert not gains[:, ~serving].any()
