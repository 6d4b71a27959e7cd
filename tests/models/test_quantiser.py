# SPDX-License-Identifier: MIT
"""Units of bytes, by hand and against the published quantiser."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from models.codecs import CodecError
from models.codecs.quantiser import (
    STEPS,
    Rung,
    dequantise,
    entries,
    nearest,
    pack_units,
    parse_rung,
    quantise,
    straight_through,
    unpack_unit,
)


@pytest.mark.parametrize(
    ("name", "rung", "unit_bytes"),
    [
        ("d32-int8", Rung(32, 8), 33),
        ("d16-int4", Rung(16, 4), 9),
        ("d8-int4-top16", Rung(8, 4, 16), 5),
        ("d3-int2", Rung(3, 2), 2),  # 6 bits in one byte, and the position
        ("d5-int4", Rung(5, 4), 4),  # 20 bits in three
    ],
)
def test_a_rungs_name_says_the_bytes_of_a_unit(name, rung, unit_bytes):
    assert parse_rung(name) == rung
    assert rung.unit_bytes == unit_bytes


@pytest.mark.parametrize("name", ["", "d0-int4", "d33-int4", "d16-int3", "d16-int4-top0", "d16"])
def test_a_wrong_rung_says_what_would_be_right(name):
    with pytest.raises(CodecError, match="rung"):
        parse_rung(name)


def test_a_unit_by_hand():
    # 4 bits: level 8 starts at 0, level 7 ends there; 15 and 0 hold what lies beyond.
    step = STEPS[4]
    levels = quantise(torch.tensor([[0.1 * step, -0.1 * step, 99.0, -99.0, 1.5 * step]]), 4)
    assert levels.tolist() == [[8, 7, 15, 0, 9]]
    (unit,) = pack_units(np.array([7]), levels, Rung(5, 4))
    assert unit.hex() == "0787f090"  # position 7, then 8 7 f 0 9 and four bits of padding
    assert dequantise(levels, 4)[0, :2].tolist() == pytest.approx([step / 2, -step / 2])


@given(
    st.sampled_from([2, 4, 8]),
    st.integers(1, 32),
    st.integers(1, 255),
    st.randoms(use_true_random=False),
)
def test_units_survive_packing(bits, dimensions, position, random):
    rung = Rung(dimensions, bits)
    levels = torch.tensor([[random.randrange(2**bits) for _ in range(dimensions)]])
    (unit,) = pack_units(np.array([position]), levels, rung)
    assert len(unit) == rung.unit_bytes
    got = unpack_unit(unit, rung)
    assert got is not None
    assert got[0] == position and got[1].tolist() == levels[0].tolist()


@given(st.binary(max_size=40))
def test_any_bytes_are_a_unit_or_none(data):
    got = unpack_unit(data, Rung(16, 4))
    assert (got is not None) == (len(data) == 9 and data[0] > 0)


@pytest.mark.parametrize(("bits", "distortion"), [(2, 0.1188), (4, 0.01154)])
def test_the_distortion_of_a_gaussian_is_the_published_one(bits, distortion):
    # J. Max 1960, table II: mean squared error of the best uniform quantiser of 4 and 16 levels.
    values = torch.randn(400_000, generator=torch.Generator().manual_seed(1))
    error = dequantise(quantise(values, bits), bits) - values
    assert float(error.square().mean()) == pytest.approx(distortion, rel=0.02)


def test_training_sees_quantised_values_and_a_gradient_of_one():
    values = torch.tensor([0.3, -1.2], requires_grad=True)
    out = straight_through(values, 4)
    assert torch.equal(out, dequantise(quantise(values, 4), 4))
    out.sum().backward()
    assert values.grad is not None and values.grad.tolist() == [1.0, 1.0]


def test_the_nearest_entry_of_each_group_by_hand():
    # two groups of four values, two entries each
    books = torch.tensor([[[0.0] * 4, [1.0] * 4], [[2.0] * 4, [4.0] * 4]])
    values = torch.tensor([[0.4, 0.4, 0.4, 0.4, 2.9, 2.9, 2.9, 2.9], [0.6] * 4 + [3.1] * 4])
    levels = nearest(values, books)
    assert levels.tolist() == [[0, 0], [1, 1]]
    assert entries(levels, books).tolist() == [[0.0] * 4 + [2.0] * 4, [1.0] * 4 + [4.0] * 4]
    rung = parse_rung("d8-vq")
    # a position and a byte for each four values
    assert rung.unit_bytes == 3
    (unit, _) = pack_units(np.array([5, 6]), levels, rung)
    position, back = unpack_unit(unit, rung)
    assert position == 5 and back.tolist() == [0, 0]
    with pytest.raises(CodecError, match="4 values at a time"):
        parse_rung("d6-vq")
