# SPDX-License-Identifier: MIT
"""Captures of the IP side, read by a few lines here and by tshark where it is installed."""

import shutil
import struct
import subprocess

from cosim.traces import read_trace, trace_hashes


def frames(path):
    """Return the packets of a pcap file; its link type must be PPP (9), as ns-3 writes it."""
    data = path.read_bytes()
    magic, *_, link = struct.unpack("<IHHIIII", data[:24])
    assert magic == 0xA1B2C3D4 and link == 9
    found, at = [], 24
    while at < len(data):
        _, _, size, whole = struct.unpack("<IIII", data[at : at + 16])
        assert size == whole
        found.append(data[at + 16 : at + 16 + size])
        at += 16 + size
    return found


def test_a_capture_holds_what_was_delivered_and_changes_nothing(run, monkeypatch, tmp_path):
    settings = ("channel.model=constant", "run.duration_s=0.5")
    plain = run("hello", *settings, seed=11)
    monkeypatch.setenv("COSIM_PCAP", str(tmp_path / "ip"))
    captured = run("hello", *settings, "ues.speed_m_s=0.8333", seed=11)
    assert captured != plain, "one run served both calls"
    assert trace_hashes(captured) == trace_hashes(plain)
    packets = read_trace(captured, "packets")
    delivered = packets[(packets["event"] == "deliver") & (packets["direction"] == "ul")]
    (edge,) = (frames(p) for p in tmp_path.glob("ip-0-*.pcap"))
    # two bytes of PPP, then the IP packet: the same as came out of the radio, to the byte
    assert sorted(len(f) - 2 for f in edge) == sorted(delivered["bytes"])
    if shutil.which("tshark"):
        (gnb,) = tmp_path.glob("ip-2-*.pcap")
        shown = subprocess.run(
            ["tshark", "-r", str(gnb)], capture_output=True, text=True, check=True, timeout=60
        )
        assert shown.stdout.count("GTP") == len(delivered)
