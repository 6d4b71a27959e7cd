# SPDX-License-Identifier: MIT
"""Bearers in scenarios: what is refused, and what ns-3 is told."""

import pytest

from cosim.ns3_setup import setup_text
from cosim.plan import make_plan
from cosim.scenario import ScenarioError
from cosim.scenario.loader import validate


def scenario(carrier=None, **bearer):
    flow = {"kind": "cbr", "direction": "dl", "rate_bps": 1e6} | bearer
    return {"name": "b", "carrier": carrier or {}, "traffic": [flow]}


def problems(raw):
    with pytest.raises(ScenarioError) as caught:
        validate(raw)
    return [str(problem) for problem in caught.value.problems]


def test_acknowledged_mode_without_uplink_is_refused_with_the_reason():
    texts = problems(scenario(carrier={"tdd_pattern": "DDDDD"}, rlc="am"))
    (own,) = [text for text in texts if text.startswith("traffic.0.rlc")]
    assert 'only "um"' in own and "status reports" in own and '"DDDDD"' in own


def test_a_reordering_timer_needs_order():
    (text,) = problems(scenario(reordering_s=0.2))
    assert text.startswith("traffic.0.reordering_s") and "in_order" in text


def test_numbers_have_12_or_18_bits():
    assert problems(scenario(sn_bits=16))[0] == "traffic.0.sn_bits = 16: one of 12, 18"


def test_ns3_is_told_of_what_differs_from_the_default():
    def flow_line(**bearer):
        lines = setup_text(make_plan(validate(scenario(**bearer)))).splitlines()
        return next(line for line in lines if line.startswith("flow 1 "))

    assert "rlc" not in flow_line()
    line = flow_line(rlc="am", sn_bits=18, in_order=True, reordering_s=0.5, queue_bytes=5000)
    for option in ("rlc=am", "sn_bits=18", "in_order=1", "reordering_ms=500.0", "queue_bytes=5000"):
        assert option in line.split()
    line = flow_line(prioritised_bps=64e3)
    assert {"prioritised_bps=64000.0", "bucket_ms=100.0"} <= set(line.split())
    assert "discard_timer_ms=50.0" in flow_line(discard_timer_s=0.05)
