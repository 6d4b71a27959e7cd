# SPDX-License-Identifier: MIT
"""The first figure: what it is drawn from, and that its bytes are reproducible."""

import numpy as np
import pytest

from analysis.figure import accuracy_so_far, binned_mbps, plot_run
from cosim.traces import TraceError, read_trace


def test_accuracy_so_far_by_hand(handmade):
    messages = read_trace(handmade, "messages")
    times, share = accuracy_so_far(messages[messages["task"] == "sentiment"])
    assert times.tolist() == [0.1, 0.2, 0.3, 0.4, 0.5]
    assert share == pytest.approx([1, 1, 1, 3 / 4, 3 / 5])


def test_rates_in_bins_by_hand():
    rate = binned_mbps(
        np.array([0.1, 0.4, 0.6]), np.array([1000, 1500, 500]), np.array([0.0, 0.5, 1.0])
    )
    # 2500 bytes and 500 bytes in half a second each
    assert rate == pytest.approx([0.04, 0.008])


def test_the_same_run_gives_the_same_bytes(handmade):
    paths = plot_run(handmade)
    assert [p.name for p in paths] == ["figure.png", "figure.svg"]
    first = [p.read_bytes() for p in paths]
    assert first[0].startswith(b"\x89PNG") and b"<svg" in first[1]
    assert [p.read_bytes() for p in plot_run(handmade)] == first


def test_a_run_without_rows_can_be_drawn(make_run):
    for path in plot_run(make_run(with_rows=False, finish=False)):
        assert path.stat().st_size > 1000


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(TraceError):
        plot_run(tmp_path)
    assert not list(tmp_path.iterdir())
