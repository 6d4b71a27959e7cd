# SPDX-License-Identifier: MIT
"""Descriptions that cannot work are refused with the field's name; models come from a registry."""

import subprocess
import sys

import numpy as np
import pytest

from sionna_phy.channel import ChannelProducer, ChannelSpecError, make_producer, models, register


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"cell_positions_m": np.zeros((1, 2))}, "cell_positions_m must have shape"),
        ({"cell_positions_m": np.zeros((0, 3))}, "one row at least"),
        ({"ue_positions_m": np.full((4, 3), np.nan)}, "ue_positions_m has values"),
        ({"ue_velocities_m_s": np.zeros((3, 3))}, "ue_velocities_m_s must have 4 rows"),
        ({"ue_indoor": np.zeros(5, dtype=bool)}, "ue_indoor must have 4 rows"),
        ({"serving_cell": np.array([0, 0, 0, 1])}, "serving_cell: cells are numbered 0 to 0"),
        ({"serving_cell": np.array([0, 0, 0, -1])}, "serving_cell"),
        ({"prbs": 0}, "prbs must be 1 or more"),
        ({"samples_per_block": 0}, "samples_per_block"),
        ({"carrier_frequency_hz": 0.0}, "carrier_frequency_hz must be above 0"),
        ({"block_duration_s": float("inf")}, "block_duration_s"),
        ({"seed": -1}, "seed must lie in"),
        ({"layers": 2}, "there are 1 at a UE and 4 at a gNB"),
        ({"cell_orientations_rad": np.zeros((2, 3))}, "cell_orientations_rad must have 1 rows"),
        ({"ue_in_car": np.zeros(1, dtype=bool)}, "ue_in_car"),
    ],
)
def test_a_bad_field_is_named(make_spec, changes, words):
    with pytest.raises(ChannelSpecError, match=words):
        make_spec(**changes)


def test_an_unknown_model_is_refused_with_those_there_are(make_spec):
    with pytest.raises(
        ChannelSpecError, match=r"no channel model 'umj'; there are .*rma, rt, tdl-a, .*uma, umi"
    ):
        make_producer(make_spec(model="umj"))


def test_an_office_has_nobody_outdoors(make_spec):
    with pytest.raises(ChannelSpecError, match="ue_indoor"):
        make_producer(make_spec(model="inh"))


def test_a_model_of_ones_own_can_be_registered(make_spec):
    class Ones(ChannelProducer):
        def gains(self, number):
            return np.ones((self.spec.samples_per_block, 1, 4, 1, self.spec.prbs), np.float32)

    register("ones-of-test")(Ones)
    assert "ones-of-test" in models()
    block = make_producer(make_spec(model="ones-of-test")).block(3)
    assert block.number == 3
    # Block 3 of 20 ms begins at 60 ms; 4 samples of 5 ms.
    assert block.t_start_s == pytest.approx(0.06)
    assert block.sample_interval_s == pytest.approx(0.005)
    with pytest.raises(ValueError, match="registered already"):
        register("umi")(Ones)


def test_a_constant_channel_by_hand(make_spec):
    spec = make_spec(model="constant", cells=2, gain_db=-90.0)
    gains = make_producer(spec).block(0).gains
    assert gains.shape == (4, 2, 4, 1, 11)
    assert gains.dtype == np.float32
    # UEs 0 and 2 are served by cell 0, 1 and 3 by cell 1: 1e-9 there, nothing elsewhere.
    expected = np.array([[1e-9, 0.0, 1e-9, 0.0], [0.0, 1e-9, 0.0, 1e-9]], dtype=np.float32)
    assert np.array_equal(gains, np.broadcast_to(expected[None, :, :, None, None], gains.shape))


def test_prb_centres_are_symmetric(make_spec):
    centres = make_spec(prbs=4).prb_centres_hz
    # 12 subcarriers of 30 kHz are 360 kHz: centres at -1.5, -0.5, 0.5 and 1.5 of them.
    assert centres.tolist() == [-540e3, -180e3, 180e3, 540e3]


def test_a_negative_block_is_refused(make_spec):
    with pytest.raises(ValueError, match="no block -1"):
        make_producer(make_spec(model="constant")).block(-1)


def test_the_package_is_light_and_alone():
    # Sionna and torch take seconds: only who needs a channel pays; and the room knows no other.
    code = (
        "import sys, sionna_phy, sionna_phy.carrier, sionna_phy.channel, sionna_phy.abstraction\n"
        "sionna_phy.abstraction.load_bler_table(); sionna_phy.abstraction.eesm_beta()\n"
        "heavy = {'torch', 'sionna.phy', 'cosim', 'models', 'analysis'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
