# SPDX-License-Identifier: MIT
"""Recordings, the disk cache, and UEs that stand still."""

import json
import struct

import numpy as np
import pytest

from sionna_phy.channel import ChannelSpecError, make_producer
from sionna_phy.channel.cached import CachedProducer, spec_hash
from sionna_phy.channel.recorded import write_recording


def record(path, spec, blocks=3):
    producer = make_producer(spec)
    gains = [producer.block(n).gains for n in range(blocks)]
    write_recording(path, gains, block_duration_s=spec.block_duration_s, source="a test")
    return gains


def test_what_was_recorded_comes_back(make_spec, tmp_path):
    path = tmp_path / "c.safetensors"
    gains = record(path, make_spec())
    again = make_producer(make_spec(model="replay", file=str(path), blocks_needed=3))
    for number, expected in enumerate(gains):
        assert np.array_equal(again.block(number).gains, expected)
    with pytest.raises(ChannelSpecError, match="has 3 blocks; block 3 was asked for"):
        again.block(3)


def test_the_file_is_as_documented(make_spec, tmp_path):
    # 8 bytes of length, a JSON header, raw little-endian floats: read without any library.
    path = tmp_path / "c.safetensors"
    gains = record(path, make_spec(), blocks=2)
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    assert header["__metadata__"]["format"] == "semcosim-channel-1"
    assert float(header["__metadata__"]["block_duration_s"]) == 0.02
    entry = header["gains.000001"]
    assert (entry["dtype"], entry["shape"]) == ("F32", list(gains[1].shape))
    first, last = (8 + length + offset for offset in entry["data_offsets"])
    assert np.array_equal(np.frombuffer(data[first:last], "<f4"), gains[1].ravel())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"file": None}, "needs the path"),
        ({"file": "/nowhere/c.safetensors"}, "there is no recorded channel"),
        ({"prbs": 12}, r"\[4, 1, 4, 1, 11\], the scenario \[4, 1, 4, 1, 12\]"),
        ({"block_duration_s": 0.04}, "last 0.02 s, those of the scenario 0.04 s"),
        ({"blocks_needed": 4}, "has 3 blocks .* the run needs 4"),
    ],
)
def test_a_recording_of_something_else_is_refused(make_spec, tmp_path, changes, words):
    path = tmp_path / "c.safetensors"
    record(path, make_spec())
    spec = make_spec(**({"model": "replay", "file": str(path)} | changes))
    with pytest.raises(ChannelSpecError, match=words):
        make_producer(spec).prepare()


def test_a_file_of_something_else_is_refused(make_spec, tmp_path):
    from safetensors.numpy import save_file

    path = tmp_path / "c.safetensors"
    path.write_bytes(b"not a file")
    with pytest.raises(ChannelSpecError, match="no safetensors file"):
        make_producer(make_spec(model="replay", file=str(path))).prepare()
    save_file({"x": np.zeros(1, np.float32)}, str(path))
    with pytest.raises(ChannelSpecError, match="not semcosim-channel-1"):
        make_producer(make_spec(model="replay", file=str(path))).prepare()


@pytest.mark.parametrize(
    ("blocks", "words"),
    [
        ([], "one block at least"),
        ([np.ones((1, 1, 1, 1, 2)), np.ones((1, 1, 1, 1, 3))], "block 1 has shape"),
        ([np.ones((2, 2))], "5 axes"),
        ([-np.ones((1, 1, 1, 1, 2))], "negative or not finite"),
        ([np.full((1, 1, 1, 1, 2), np.nan)], "negative or not finite"),
    ],
)
def test_what_is_no_channel_is_not_recorded(tmp_path, blocks, words):
    with pytest.raises(ValueError, match=words):
        write_recording(tmp_path / "c.safetensors", blocks, block_duration_s=0.1)
    assert not (tmp_path / "c.safetensors").exists()


def test_cached_blocks_are_the_computed_ones(make_spec, tmp_path):
    spec = make_spec()
    asked = []
    first = CachedProducer(spec, tmp_path, before=lambda: asked.append(1))
    blocks = [first.block(n).gains for n in range(3)]
    assert (first.hits, first.misses) == (0, 3)
    assert asked == [1]  # what the producer needs was imported once
    second = CachedProducer(spec, tmp_path, before=lambda: asked.append(2))
    assert all(np.array_equal(second.block(n).gains, blocks[n]) for n in range(3))
    assert (second.hits, second.misses) == (3, 0)
    assert second._inner is None and asked == [1]  # nothing was prepared or imported
    assert all(np.array_equal(make_producer(spec).block(n).gains, blocks[n]) for n in range(3))


def test_a_damaged_cache_is_computed_again(make_spec, tmp_path):
    spec = make_spec()
    gains = CachedProducer(spec, tmp_path).block(0).gains
    (file,) = tmp_path.rglob("*.npy")
    file.write_bytes(file.read_bytes()[:100])
    again = CachedProducer(spec, tmp_path)
    assert np.array_equal(again.block(0).gains, gains)
    assert (again.hits, again.misses) == (0, 1)


@pytest.mark.parametrize(
    "changes", [{"seed": 8}, {"model": "uma"}, {"prbs": 12}, {"layers": 1, "ue_antennas": 2}]
)
def test_another_channel_has_another_hash(make_spec, changes):
    assert spec_hash(make_spec()) != spec_hash(make_spec(**changes))
    assert spec_hash(make_spec()) == spec_hash(make_spec(blocks_needed=9))


def test_who_stands_still_is_not_computed_again(make_spec):
    speeds = np.array([[0, 0, 0], [3, 1, 0], [0, 0, 0], [1, 0, 0]], dtype=float)
    spec = make_spec(ue_velocities_m_s=speeds)
    producer = make_producer(spec)
    blocks = [producer.block(n).gains for n in (0, 7)]
    assert producer._sum.moving.tolist() == [1, 3]
    for ue in (0, 2):
        assert np.all(blocks[0][:, :, ue] == blocks[0][:1, :, ue])
        assert np.array_equal(blocks[0][:, :, ue], blocks[1][:, :, ue])
    for ue in (1, 3):
        assert not np.allclose(blocks[0][:, :, ue], blocks[1][:, :, ue], rtol=1e-3, atol=0)
    # The same draws with everybody moving slowly: the same gains at time 0.
    slow = make_producer(make_spec(ue_velocities_m_s=np.full((4, 3), 1e-9))).block(0).gains
    assert np.allclose(slow[0], blocks[0][0], rtol=1e-4, atol=0)


@pytest.mark.parametrize("factory", ["SL", "DL", "SH", "DH", "HH"])
def test_factory_path_loss(make_spec, factory):
    # TR 38.901 table 7.4.1-1, InF: LOS 31.84 + 21.50 lg d + 19.00 lg f; NLOS SL 33 + 25.5 lg d +
    # 20 lg f, DL 18.6 + 35.7 lg d + 20 lg f, SH 32.4 + 23.0 lg d + 20 lg f, DH 33.63 + 21.9 lg d +
    # 20 lg f; each at least LOS (DL also at least SL).
    d_2d = np.array([10.0, 50.0, 120.0])
    cell_m, ue_m, f_ghz = (8.0, 1.5, 3.5)
    d = np.hypot(d_2d, cell_m - ue_m)
    lg, lf = np.log10(d), np.log10(f_ghz)
    los = 31.84 + 21.50 * lg + 19.00 * lf
    sl = np.maximum(los, 33 + 25.5 * lg + 20 * lf)
    nlos = {
        "SL": sl,
        "DL": np.maximum(sl, 18.6 + 35.7 * lg + 20 * lf),
        "SH": np.maximum(los, 32.4 + 23.0 * lg + 20 * lf),
        "DH": np.maximum(los, 33.63 + 21.9 * lg + 20 * lf),
        "HH": los,
    }[factory]
    for state, expected in (("always", los), ("never", nlos)):
        if factory == "HH" and state == "never":
            continue  # line of sight only
        spec = make_spec(
            model="inf", factory=factory, ues=3, los=state, shadowing=False,
            cell_positions_m=np.array([[0.0, 0.0, cell_m]]), ue_indoor=np.ones(3, bool),
            ue_positions_m=np.stack([d_2d, 0 * d_2d, 0 * d_2d + ue_m], axis=1),
        )  # fmt: skip
        got = make_producer(spec).large_scale.path_loss_db[0]
        assert got == pytest.approx(expected, abs=0.05)
