# SPDX-License-Identifier: MIT
"""Path loss, shadowing, antennas and beamforming in the gains."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sionna_phy.channel import make_producer
from sionna_phy.channel.beamforming import layer_gains
from sionna_phy.channel.ray_gains import RayGains
from sionna_phy.channel.rays import RaySet


@pytest.mark.parametrize("los", ["los", "nlos"])
@pytest.mark.parametrize("model", ["umi", "uma", "rma", "inh"])
def test_path_loss_of_the_standard(make_spec, reference, model, los):
    table = reference("pathloss_tr38901.json")
    scenario = table["scenarios"][model]
    distances = [float(d) for d in scenario[los]]
    ues = len(distances)
    spec = make_spec(
        ues=ues,
        model=model,
        carrier_frequency_hz=table["frequency_hz"],
        cell_positions_m=np.array([[0.0, 0.0, scenario["bs_height_m"]]]),
        ue_positions_m=np.array([[d, 0.0, table["ut_height_m"]] for d in distances]),
        ue_indoor=np.full(ues, model == "inh"),
        los={"los": "always", "nlos": "never"}[los],
        shadowing=False,
    )
    got = make_producer(spec).large_scale
    assert got.path_loss_db[0] == pytest.approx(list(scenario[los].values()), abs=0.05)
    assert got.los.all() == (los == "los")
    assert not got.shadowing_db.any()


def test_nobody_sits_in_a_car_unless_told(make_spec):
    # TR 38.901 clause 7.4.3.2: 9 dB on average, standard deviation 5 dB.
    ues = 200
    fields = {"model": "rma", "ues": ues, "los": "always"}
    outside = make_producer(make_spec(**fields)).large_scale.path_loss_db
    inside = make_producer(make_spec(**fields, ue_in_car=np.ones(ues, dtype=bool))).large_scale
    loss = (inside.path_loss_db - outside)[0]
    # Mean of 200: 5 / sqrt(200) = 0.35 dB, four of them.
    assert np.mean(loss) == pytest.approx(9.0, abs=1.4)
    assert np.std(loss) == pytest.approx(5.0, abs=1.0)


def test_walls_cost_more_in_the_high_loss_model(make_spec):
    # TR 38.901 table 7.4.3-2 at 28 GHz: glass 2 + 0.2 f = 7.6 dB, coated glass 23 + 0.3 f = 31.4
    # dB, concrete 5 + 4 f = 117 dB. Low: 5 - 10 lg(0.3 10^-0.76) = 17.8 dB, high: 5 - 10 lg(0.7
    # 10^-3.14) = 37.9 dB.
    loss = {}
    for o2i in ("low", "high"):
        spec = make_spec(ues=50, carrier_frequency_hz=28e9, o2i=o2i, ue_indoor=np.ones(50, bool))
        loss[o2i] = float(make_producer(spec).large_scale.path_loss_db.mean())
    # 20.1 dB apart. The draws' standard deviations of 4.4 and 6.5 dB over 50 UEs give 1.1 dB, the
    # depth indoors (0.5 dB/m, up to 25 m) another 0.7 dB: 1.3 dB together, four of them.
    assert loss["high"] - loss["low"] == pytest.approx(20.1, abs=5.2)


def test_mean_gain_is_path_loss_without_fading(make_spec, on_ring):
    # One antenna on both sides, no shadowing, all UEs at one distance without line of sight: the
    # mean over UEs is the path loss. 200 UEs with a relative standard deviation of at most 1 each:
    # 7 %, four of them are 28 % or 1.2 dB.
    ues = 200
    producer = make_producer(
        make_spec(ues=ues, los="never", shadowing=False, gnb_rows=1, gnb_columns=1,
                  ue_positions_m=on_ring(ues, 100.0))
    )  # fmt: skip
    gain_db = 10 * np.log10(producer.block(0).gains.mean(dtype=np.float64))
    loss_db = producer.large_scale.path_loss_db
    assert np.ptp(loss_db) < 1e-3
    assert gain_db == pytest.approx(-loss_db[0, 0], abs=1.2)


def test_large_scale_parameters_stay_over_the_run(make_spec):
    # 30 m/s: a new fading sample every block. The mean of each UE over blocks 0 to 39 and over 40
    # to 79: 160 samples in each half, each a mean over 11 PRBs; relative error below 1/sqrt(160) =
    # 8 %, of a difference 11 %, four of them 45 % or 1.6 dB. Shadowing has 7.8 dB (TR 38.901 table
    # 7.4.1-1).
    spec = make_spec(
        ues=8, los="never", ue_velocities_m_s=np.tile([[30.0, 0.0, 0.0]], (8, 1)),
        pathloss=False,
    )  # fmt: skip
    producer = make_producer(spec)
    gains = np.stack([producer.block(n).gains for n in range(80)])
    halves = [10 * np.log10(half.mean(axis=(0, 1, 4, 5))[0]) for half in (gains[:40], gains[40:])]
    assert np.abs(halves[0] - halves[1]).max() < 1.6
    # What remains is shadowing and the array's gain: 4 antennas combine to 6.02 dB.
    expected = producer.large_scale.shadowing_db[0] + 10 * np.log10(4)
    assert halves[0] == pytest.approx(expected, abs=2.5)
    assert np.std(producer.large_scale.shadowing_db) > 2.0


def test_one_ue_antenna_gets_the_whole_array_gain(make_spec):
    # Maximum-ratio transmission from M antennas adds their powers: exactly M times their mean,
    # which is what the same link shows when another cell serves the UE.
    served = make_spec(cells=2, serving_cell=np.zeros(4, dtype=int))
    other = make_spec(cells=2, serving_cell=np.ones(4, dtype=int))
    with_beam = make_producer(served).block(0).gains[:, 0]
    without = make_producer(other).block(0).gains[:, 0]
    assert np.allclose(with_beam, 4 * without, rtol=1e-5)


@settings(deadline=None, max_examples=60)
@given(
    rows=st.integers(1, 5),
    columns=st.integers(1, 5),
    seed=st.integers(0, 2**31),
    zero=st.booleans(),
)
def test_layers_are_squared_singular_values(rows, columns, seed, zero):
    generator = np.random.default_rng(seed)
    matrix = generator.normal(size=(3, rows, columns)) + 1j * generator.normal(
        size=(3, rows, columns)
    )
    if zero:
        matrix[0] = 0.0
    layers = min(rows, columns)
    tensor = torch.as_tensor(matrix, dtype=torch.complex64)
    got = layer_gains(tensor, layers).numpy()
    expected = np.linalg.svd(matrix, compute_uv=False) ** 2
    total = (np.abs(matrix) ** 2).sum(axis=(1, 2))
    assert np.allclose(got, expected[:, :layers], rtol=1e-4, atol=1e-5 * total.max())
    # The best layer has at least its share of all power and at most all of it.
    assert np.all(got[:, 0] <= total * (1 + 1e-5))
    assert np.all(got[:, 0] >= total / layers * (1 - 1e-5))


def test_two_layers_have_their_axis(make_spec):
    one = make_producer(make_spec(ue_antennas=2)).block(0).gains
    two = make_producer(make_spec(ue_antennas=2, layers=2)).block(0).gains
    assert two.shape == (*one.shape[:3], 2, one.shape[4])
    assert np.array_equal(one[:, :, :, 0], two[:, :, :, 0])
    assert np.all(two[:, :, :, 1] <= two[:, :, :, 0])


def test_interference_is_the_mean_over_antennas_by_hand(make_spec):
    # One UE antenna, two cells of two antennas: 1 and 3 towards the UE from cell 0, 2 and 2j from
    # cell 1, which serves: mean (1 + 9) / 2 = 5 and sum 4 + 4 = 8, at all times and PRBs.
    amplitude = torch.tensor([[1.0, 3.0], [2.0, 2.0j]], dtype=torch.complex64)
    rays = RaySet(
        amplitude=amplitude.reshape(2, 1, 1, 2, 1),
        doppler_hz=torch.full((2, 1, 1, 1), 7.0, dtype=torch.float64),
        delay_s=torch.full((2, 1, 1), 1e-6, dtype=torch.float64),
        ue_antennas=1,
        gnb_antennas=2,
    )
    spec = make_spec(ues=1, cells=2, serving_cell=np.array([1]), gnb_rows=1)
    gains = RayGains(rays, spec).gains(3)
    assert gains.shape == (4, 2, 1, 1, 11)
    assert gains[:, 0].flatten().tolist() == pytest.approx([5.0] * 44, rel=2e-6)
    assert gains[:, 1].flatten().tolist() == pytest.approx([8.0] * 44, rel=2e-6)


def test_sectors_look_where_they_are_turned(make_spec):
    # TR 38.901 table 7.3-1: 8 dBi ahead, at most 30 dB less behind. The same UEs, path loss and
    # shadowing off, line of sight: turned by 180 degrees the mean gain of the UE ahead falls.
    ahead = np.array([[100.0, 0.0, 10.0]])
    gains = []
    for bearing in (0.0, np.pi):
        spec = make_spec(
            ues=1, ue_positions_m=ahead, los="always", pathloss=False, shadowing=False,
            gnb_pattern="38.901", gnb_rows=1, gnb_columns=1,
            cell_orientations_rad=np.array([[bearing, 0.0, 0.0]]),
        )  # fmt: skip
        gains.append(10 * np.log10(make_producer(spec).block(0).gains.mean()))
    assert gains[0] == pytest.approx(8.0, abs=4.0)  # one UE's fading over K of about 9 dB
    assert gains[0] - gains[1] > 10.0
