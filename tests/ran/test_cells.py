# SPDX-License-Identifier: MIT
"""Many cells in scenarios: layouts, tracks, handover over the whole chain."""

import json

import numpy as np
import pytest

from cosim.engine import run_scenario
from cosim.ns3_setup import setup_text
from cosim.plan import make_plan
from cosim.scenario import ScenarioError
from cosim.scenario.loader import load_scenario, validate
from cosim.traces import read_trace, trace_hashes

CBR = {"kind": "cbr", "direction": "dl", "rate_bps": 5e5, "packet_bytes": 500}


def hexagonal(**changes):
    layout = {"kind": "hexagonal", "sites": 7, "sectors": 3, "inter_site_m": 200.0}
    raw = {"name": "hex", "channel": {"model": "distance", "gain_db": -128.1}, "layout": layout}
    return raw | {"traffic": [dict(CBR)]} | changes


def problems(raw):
    with pytest.raises(ScenarioError) as caught:
        validate(raw)
    return [str(problem) for problem in caught.value.problems]


def test_a_layout_places_its_cells_and_can_be_written_out_and_read_again():
    scenario = validate(hexagonal())
    assert len(scenario.cells) == 21
    assert [c.bearing_deg for c in scenario.cells[:3]] == [30.0, 150.0, 270.0]
    assert validate(scenario.resolved()).resolved() == scenario.resolved()
    (text,) = problems(hexagonal(cells=[{"position_m": [0.0, 0.0, 10.0]}]))
    assert text.startswith("cells")


def test_ues_are_served_by_the_sector_that_looks_at_them():
    # At 100 m from the middle site, in the directions of its three panels and of the panel's edge.
    ues = [[70.7 * np.cos(a), 70.7 * np.sin(a), 1.5] for a in np.radians([30.0, 150.0, 270.0])]
    placement = {"count": 3, "placement": "list", "positions_m": ues}
    plan = make_plan(validate(hexagonal(ues=placement)))
    assert plan.serving_cell.tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"mobility": {"model": "waypoints"}}, "mobility.waypoints"),
        ({"mobility": {"waypoints": [[[0.0, 1.0, 2.0]]]}}, "mobility.waypoints"),
        ({"channel": {"model": "constant"}, "handover": {"enabled": True}}, "channel.model"),
    ],
)
def test_what_does_not_fit_is_refused(changes, path):
    assert problems(hexagonal(**changes))[0].startswith(path)


def test_a_random_walk_keeps_its_speed_and_its_radius_and_follows_from_the_seed():
    mobility = {"model": "random-walk", "interval_s": 0.5, "radius_m": 20.0}
    raw = hexagonal(mobility=mobility, ues={"count": 4, "speed_m_s": 8.0})
    plan, again = make_plan(validate(raw)), make_plan(validate(raw))
    tracks = plan.ue_tracks_m
    assert np.array_equal(tracks, again.ue_tracks_m)
    away = np.linalg.norm(tracks[..., 1:] - tracks[:, :1, 1:], axis=-1)
    assert away.max() <= 20.0 + 1e-9
    legs = np.linalg.norm(np.diff(tracks[..., 1:], axis=1), axis=-1)
    assert legs.max() <= 4.0 + 1e-9 and np.isclose(legs, 4.0).mean() > 0.5
    lines = [line for line in setup_text(plan).splitlines() if line.startswith("waypoint 0 ")]
    assert len(lines) == tracks.shape[1] - 1
    assert [float(x) for x in lines[0].split()[2:]] == tracks[0, 1].tolist()


@pytest.fixture(scope="module")
def handover(tmp_path_factory):
    scenario = load_scenario("handover", ["traffic.0.rate_hz=0.1"])
    folders = []
    for name in ("one", "two"):
        folder = tmp_path_factory.mktemp("handover") / name
        folder.mkdir()
        result = run_scenario(scenario, folder)
        assert result.status == "finished", result.reason
        folders.append(folder)
    return folders


def test_ues_that_walk_change_cells_and_those_that_stay_do_not(handover):
    slots = read_trace(handover[0], "slots")
    cells = {ue: group["cell"].nunique() for ue, group in slots.groupby("ue")}
    assert cells[0] >= 2 and cells[1] >= 2 and cells[2] == cells[3] == 1


def test_acknowledged_mode_loses_nothing_in_handovers_and_bytes_add_up(handover):
    packets = read_trace(handover[0], "packets")
    load = packets[packets["direction"] == "dl"]
    assert not len(load[load["event"] == "drop"])
    for _, group in load[load["event"] == "deliver"].groupby("flow"):
        assert group["packet_id"].is_monotonic_increasing
    for row in json.loads((handover[0] / "run.json").read_text())["counters"]:
        headers = row["mac_header"] + row["rlc_header"] + row["pdcp_header"]
        assert row["phy"] == row["retransmitted"] + row["padding"] + headers + row["sdu_sent"]
        assert row["sdu_sent"] == row["sdu_delivered"] + row["sdu_lost"] + row["sdu_in_flight"]
        assert row["sdu_delivered"] == row["app_delivered"] + row["ip_udp_header"]


def test_one_seed_gives_the_same_handovers_byte_by_byte(handover):
    assert trace_hashes(handover[0]) == trace_hashes(handover[1])
