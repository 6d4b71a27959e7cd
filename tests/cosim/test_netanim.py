# SPDX-License-Identifier: MIT
"""The file for NetAnim: nodes are where the run had them, and the traces stay the same."""

import json
import xml.etree.ElementTree as ET

from cosim.traces import trace_hashes


def test_an_animation_shows_every_node_and_changes_nothing(run, monkeypatch, tmp_path):
    settings = ("channel.model=constant", "run.duration_s=0.3")
    plain = run("hello", *settings, seed=12)
    monkeypatch.setenv("COSIM_NETANIM", str(tmp_path / "run.xml"))
    animated = run("hello", *settings, "ues.speed_m_s=0.8333", seed=12)
    assert animated != plain, "one run served both calls"
    assert trace_hashes(animated) == trace_hashes(plain)
    root = ET.parse(tmp_path / "run.xml").getroot()
    assert root.tag == "anim"
    layout = json.loads((animated / "run.json").read_text())["layout"]
    nodes = root.findall("node")
    assert len(nodes) == 2 + len(layout["cells_m"]) + len(layout["ues_m"])
    places = {(float(n.get("locX")), float(n.get("locY"))) for n in nodes}
    for x, y, _ in [*layout["cells_m"], *layout["ues_m"]]:
        assert any(abs(x - a) < 0.01 and abs(y - b) < 0.01 for a, b in places), (x, y)
    assert root.findall("p"), "packets are drawn"
