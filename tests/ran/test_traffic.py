# SPDX-License-Identifier: MIT
"""Traffic models in scenarios: parameters against published figures, and a run with all of them."""

import json
import math
import re
from pathlib import Path

import pytest

from cosim.engine import run_scenario
from cosim.ns3_setup import setup_text
from cosim.plan import make_plan
from cosim.scenario import ScenarioError
from cosim.scenario.loader import validate
from cosim.traces import read_trace

REFERENCE = json.loads((Path(__file__).parent / "data" / "traffic_models.json").read_text())
SOURCES = Path(__file__).parents[2] / "ns3_scenarios" / "model"


def scenario(*traffic, ues=2, **changes):
    return {
        "name": "t",
        "run": {"duration_s": 0.5, "drain_s": 0.3},
        "carrier": {"bandwidth_mhz": 40},
        "channel": {"model": "constant", "gain_db": -90.0},
        "ues": {"count": ues},
        "traffic": list(traffic),
    } | changes


def sources(raw):
    text = setup_text(make_plan(validate(raw)))
    return re.findall(r"^flow .*source=(\S+)", text, re.MULTILINE)


def default(file, attribute):
    """Return the default of an attribute as the C++ source has it, a number (times in seconds)."""
    text = (SOURCES / file).read_text()
    value = re.search(rf'"{attribute}",\s*"[^;]*?Value\(([^)]*\)?)\)', text, re.DOTALL).group(1)
    unit = {"MilliSeconds": 1e-3, "MicroSeconds": 1e-6, "Seconds": 1.0}
    for name, scale in unit.items():
        if value.startswith(name):
            return float(value[len(name) + 1 : -1]) * scale
    return float(value)


def test_ngmn_files_have_the_published_means():
    (text,) = sources(scenario({"kind": "ftp", "model": "ngmn"}, ues=1))
    mu, sigma = default("nr-file-source.cc", "Mu"), default("nr-file-source.cc", "Sigma")
    mean = math.exp(mu + sigma**2 / 2)  # of a log-normal distribution
    published = REFERENCE["ngmn_ftp"]
    assert mean == pytest.approx(published["mean_file_bytes"], rel=published["tolerance"])
    reading_s = float(re.search(r"ReadingTime=(\d+)ns", text).group(1)) * 1e-9
    assert reading_s == pytest.approx(
        published["mean_reading_s"], rel=published["reading_tolerance"]
    )


def test_ngmn_video_has_the_published_means():
    # Mean of a Pareto distribution whose values beyond m are m; the published ones are rounded to
    # one digit, so within 5 %.
    def mean(least, most):
        shape = default("nr-video-source.cc", "Shape")
        return (shape * least - least**shape * most ** (1 - shape)) / (shape - 1)

    sizes = [default("nr-video-source.cc", name) for name in ("LeastBytes", "MostBytes")]
    spaces = [default("nr-video-source.cc", name) for name in ("LeastSpace", "MostSpace")]
    published = REFERENCE["ngmn_video"]
    assert mean(*sizes) == pytest.approx(published["mean_packet_bytes"], rel=0.05)
    assert mean(*spaces) == pytest.approx(published["mean_packet_spacing_s"], rel=0.05)


def test_model_1_shares_its_rate_and_model_3_does_not():
    one = sources(scenario({"kind": "ftp", "model": "1", "rate_hz": 4.0}))
    three = sources(scenario({"kind": "ftp", "model": "3", "rate_hz": 4.0}))
    assert all("Rate=2.0|" in text for text in one) and all("Rate=4.0|" in t for t in three)


def test_packets_hold_whole_tokens():
    with pytest.raises(ScenarioError, match="at most 75"):
        validate(scenario({"kind": "tokens", "tokens": 76}))


ALL = (
    {"kind": "ftp", "rate_hz": 8.0, "file_bytes": 50_000, "ues": [0]},
    {"kind": "video", "direction": "ul"},
    {"kind": "xr", "rate_bps": 8e6, "group": 8, "ues": [1]},
    {"kind": "xr", "stream": "pose", "direction": "ul"},
    {"kind": "tokens", "direction": "ul"},
    {"kind": "tokens", "option": "1b", "thinking_s": 0.05, "first_token_s": 0.05},
    {"kind": "tcp", "ues": [0]},
    {"kind": "tcp", "direction": "ul", "ues": [1]},
    {"kind": "full-buffer", "ues": [1], "fiveqi": 9, "priority": 100},
)


def test_all_models_run_in_one_cell_and_bytes_add_up(tmp_path):
    raw = scenario(*ALL)
    result = run_scenario(validate(raw), tmp_path)
    assert result.status == "finished", result.reason
    packets = read_trace(tmp_path, "packets")
    delivered = packets[packets["event"] == "deliver"]
    flows = {flow.number: flow.entry for flow in make_plan(validate(raw)).flows}
    arrived = {flows[f] for f in delivered["flow"].unique()}
    assert arrived == set(range(len(ALL)))
    # PDU sets are marked: an XR frame's packets share a message number, which begins with the flow
    xr = delivered[delivered["flow"].map(flows) == 2]
    assert (xr["message_id"].to_numpy() >> 32 == xr["flow"].to_numpy()).all()
    assert xr.groupby("message_id").size().max() > 1
    for row in json.loads((tmp_path / "run.json").read_text())["counters"]:
        headers = row["mac_header"] + row["rlc_header"] + row["pdcp_header"]
        assert row["phy"] == row["retransmitted"] + row["padding"] + headers + row["sdu_sent"]
        assert row["sdu_sent"] == row["sdu_delivered"] + row["sdu_lost"] + row["sdu_in_flight"]
        assert row["sdu_delivered"] == row["app_delivered"] + row["ip_udp_header"]


def test_a_full_buffer_uses_all_prbs_of_every_downlink_slot(tmp_path):
    raw = scenario({"kind": "full-buffer"}, ues=1, carrier={"duplex": "fdd"})
    assert run_scenario(validate(raw), tmp_path).status == "finished"
    slots = read_trace(tmp_path, "slots")
    slots = slots[(slots["direction"] == "dl") & (slots["t_s"] < 0.5)]
    # The first packets take 5 ms of backhaul; then every slot of 0.5 ms is full.
    late = slots[slots["t_s"] > 0.01]
    used = late.groupby("t_s")["prb_count"].sum()
    assert len(used) >= 979 and (used == 51).mean() > 0.99


def test_tcp_in_acknowledged_mode_fills_the_link(tmp_path):
    raw = scenario({"kind": "tcp"}, ues=1, carrier={"duplex": "fdd"}, run={"duration_s": 1.5})
    assert run_scenario(validate(raw), tmp_path).status == "finished"
    kpis = read_trace(tmp_path, "kpis")
    down = kpis[(kpis["direction"] == "dl") & (kpis["t_s"] > 1.0)]
    slots = read_trace(tmp_path, "slots")
    full = slots[(slots["direction"] == "dl") & (slots["t_s"] > 1.0) & (slots["t_s"] < 1.5)]
    on_air = full.loc[full["ack"], "tbs_bits"].sum() / 0.5
    # What arrives is what is sent less headers (3 + 2 + 2 bytes for 1500: .5 %) and padding.
    assert down["throughput_bps"].mean() > 0.9 * on_air
    assert (full["prb_count"].sum() / (1000 * 51)) > 0.9
