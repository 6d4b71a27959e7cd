# SPDX-License-Identifier: MIT
"""Codebook, zero forcing, rank."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sionna_phy.channel import ChannelSpecError, make_producer
from sionna_phy.channel.precoding import best_rank, codebook, codebook_gains


@pytest.mark.parametrize(
    ("rows", "columns", "dual", "rank", "entries"),
    [
        # N1 = N2 = 2: 8 x 8 beams, 4 co-phasings; two layers: 3 neighbours with 2 co-phasings
        (2, 2, True, 1, 64 * 4),
        (2, 2, True, 2, 64 * 3 * 2),
        (1, 4, True, 1, 16 * 4),
        (1, 4, False, 1, 16),
        (1, 1, True, 1, 4),  # TS 38.214 table 5.2.2.2.1-1: two ports, four precoders
        (1, 1, True, 2, 2),  # and two with two layers
    ],
)
def test_size_of_the_codebook(rows, columns, dual, rank, entries):
    assert codebook(rows, columns, dual, rank).shape == (
        entries, rows * columns * (2 if dual else 1), rank,
    )  # fmt: skip


def test_two_ports_are_the_standards_table():
    # TS 38.214 table 5.2.2.2.1-1: (1, 1), (1, j), (1, -1), (1, -j), over sqrt(2); two layers
    # [1 1; 1 -1] / 2 and [1 1; j -j] / 2.
    one = codebook(1, 1, True, 1)[:, :, 0] * np.sqrt(2)
    assert np.allclose(one, [[1, 1], [1, 1j], [1, -1], [1, -1j]])
    two = codebook(1, 1, True, 2) * 2
    assert np.allclose(two[0], [[1, 1], [1, -1]])
    assert np.allclose(two[1], [[1, 1], [1j, -1j]])


@pytest.mark.parametrize("dual", [True, False])
@pytest.mark.parametrize("rank", [1, 2])
def test_entries_have_unit_power_and_orthogonal_layers(dual, rank):
    book = codebook(2, 4, dual, rank)
    gram = np.einsum("kal,kam->klm", book.conj(), book)
    assert np.allclose(gram, np.eye(rank) / rank)


def test_a_plane_wave_gets_the_whole_array():
    # A line-of-sight channel in the direction of an entry: the gain is the number of antennas.
    direction = np.exp(2j * np.pi * 3 * np.arange(8) / 32)  # beam 3 of 32 of a row of 8
    matrices = torch.as_tensor(direction.conj()[None, None, None, None, :], dtype=torch.complex64)
    book = torch.as_tensor(codebook(1, 8, False, 1), dtype=torch.complex64)
    assert float(codebook_gains(matrices, book, 1.0)) == pytest.approx(8.0, rel=1e-5)


def test_zero_forcing_by_hand():
    # H = diag(2, 1) with [1 1; 1 -1] / 2: A = [1 1; .5 -.5], A*A = [1.25 .75; .75 1.25], its
    # inverse has 1.25 / (1.5625 - .5625) = 1.25 on the diagonal: gains 2 / 1.25 = 1.6.
    matrices = torch.diag(torch.tensor([2.0, 1.0])).to(torch.complex64)[None, None, None]
    book = torch.as_tensor(codebook(1, 1, True, 2)[:1], dtype=torch.complex64)
    assert codebook_gains(matrices, book, 1.0).flatten().tolist() == pytest.approx([1.6, 1.6])


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 2**31), snr_db=st.floats(-10, 40))
def test_the_codebook_does_not_beat_perfect_knowledge(seed, snr_db):
    from sionna_phy.channel.beamforming import layer_gains

    rng = np.random.default_rng(seed)
    shape = (2, 3, 5, 2, 8)
    matrices = torch.as_tensor(
        rng.normal(size=shape) + 1j * rng.normal(size=shape), dtype=torch.complex64
    )
    best = layer_gains(matrices, 2)
    for rank in (1, 2):
        book = torch.as_tensor(codebook(2, 2, True, rank), dtype=torch.complex64)
        got = codebook_gains(matrices, book, 10 ** (snr_db / 10))
        assert torch.all(got <= best[..., :1] * (1 + 1e-4))
        # Two parallel channels at equal power carry the most over the singular vectors.
        rate = torch.log2(1 + got / rank).sum(dim=-1)
        bound = torch.log2(1 + best[..., :rank] / rank).sum(dim=-1)
        if rank == 1:
            assert torch.all(rate <= bound + 1e-3)


def test_rank_goes_up_with_snr():
    # Gains 1 and 0.1 with one layer, two: log2(1 + s) against log2(1 + s/2) + log2(1 + s/20).
    # Equal at 1 + s = (1 + s/2)(1 + s/20): s = 18, or 12.55 dB.
    by_rank = [torch.tensor([[[[1.0]]]]), torch.tensor([[[[1.0, 0.1]]]])]
    assert best_rank(by_rank, 17.9, 2).flatten().tolist() == pytest.approx([1.0, 0.0])
    assert best_rank(by_rank, 18.1, 2).flatten().tolist() == pytest.approx([1.0, 0.1])


def test_one_rank_for_a_ue_and_sample(make_spec):
    spec = make_spec(ues=20, ue_antennas=2, layers=2, gnb_polarisation="dual", tx_to_noise_db=115.0)
    gains = make_producer(spec).block(0).gains[:, 0]
    second = gains[:, :, 1] > 0
    assert np.all(second.all(axis=-1) == second.any(axis=-1))
    assert second.any() and not second.all()
    weak = make_producer(make_spec(ues=20, ue_antennas=2, layers=2, tx_to_noise_db=-30.0))
    assert not weak.block(0).gains[:, 0, :, 1].any()


def test_precoded_links_have_more_than_the_mean(make_spec):
    fields = {"ues": 8, "cells": 2, "gnb_rows": 2, "gnb_columns": 4, "gnb_polarisation": "dual"}
    mine = {"serving_cell": np.zeros(8, int)}
    svd = make_producer(make_spec(**fields, **mine)).block(0).gains[:, 0].mean()
    book = make_producer(make_spec(**fields, **mine, precoder="codebook")).block(0).gains[:, 0]
    # The same links when the other cell serves: not precoded for these UEs.
    other = make_producer(make_spec(**fields, serving_cell=np.ones(8, int))).block(0).gains[:, 0]
    assert other.mean() < book.mean() <= svd * (1 + 1e-5)
    # 16 antennas; one beam for the whole band instead of one a PRB.
    assert 10 * np.log10(svd / book.mean()) < 6.0


def test_three_layers_have_no_codebook(make_spec):
    spec = make_spec(ue_antennas=4, layers=3, precoder="codebook")
    with pytest.raises(ChannelSpecError, match="1 and 2 layers"):
        make_producer(spec).block(0)
