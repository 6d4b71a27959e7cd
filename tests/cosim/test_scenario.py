# SPDX-License-Identifier: MIT
# ruff: noqa: E501 (the table of problems has one case a line)
"""Scenarios: defaults, derived values, clear problems, export."""

import json
import subprocess
import sys
import tomllib

import pytest
from pydantic import ValidationError

from cosim.scenario import (
    CbrTraffic,
    Scenario,
    ScenarioError,
    SemanticTraffic,
    json_schema,
    load_scenario,
    names,
    shipped_scenarios,
)
from cosim.scenario.loader import validate

MINIMAL = {"name": "m", "traffic": [{"kind": "semantic", "task": "sentiment"}]}


def problems(raw: dict) -> list[str]:
    with pytest.raises(ScenarioError) as caught:
        validate(raw)
    return [str(problem) for problem in caught.value.problems]


def minimal(**changes) -> dict:
    return json.loads(json.dumps(MINIMAL)) | changes


def traffic(**changes) -> dict:
    return minimal(traffic=[{"kind": "semantic", "task": "sentiment"} | changes])


def test_shipped_scenarios_are_valid_and_named_like_their_files():
    shipped = shipped_scenarios()
    assert {"demo", "hello", "cell-edge"} <= set(shipped)
    for name, path in shipped.items():
        scenario = load_scenario(name)
        assert scenario.name == name and scenario.description
        assert scenario == load_scenario(path)


def test_demo_has_what_the_issue_asks_for():
    demo = load_scenario("demo")
    semantic = demo.semantic_traffic
    pairs = {(t.task, t.codec) for t in semantic}
    assert pairs == {(t, c) for t in ("sentiment", "topic") for c in ("llm-token", "raw-text")}
    assert {t.direction for t in demo.traffic if isinstance(t, CbrTraffic)} == {"dl", "ul"}
    assert demo.ues.count == 8 and len(demo.cells) == 1 and demo.prb_count == 51
    expected = sum(t.rate_hz for t in semantic) * demo.ues.count * demo.run.duration_s
    assert 400 <= expected <= 600
    assert all(0.1 <= t.deadline_s <= 0.2 for t in semantic)


def test_defaults_follow_from_other_fields():
    scenario = validate(minimal())
    assert scenario.cells[0].position_m == (0.0, 0.0, 10.0)
    assert scenario.drain_s == scenario.traffic[0].deadline_s == 0.1
    assert scenario.end_s == scenario.run.duration_s + 0.1
    # TS 23.501 table 5.7.4-1: 5QI 80 has priority level 68, 5QI 9 has 90, 5QI 1 has 20.
    assert scenario.traffic[0].priority == 68
    assert validate(traffic(fiveqi=1)).traffic[0].priority == 20
    assert validate(traffic(fiveqi=1, priority=5)).traffic[0].priority == 5
    # TR 38.901 table 7.2-3: 35 m in a rural macro cell.
    assert validate(minimal(channel={"model": "rma"})).cells[0].position_m[2] == 35.0
    assert validate(minimal(gnb={"height_m": 7})).cells[0].position_m[2] == 7.0
    assert validate(minimal(run={"drain_s": 2})).drain_s == 2.0


def test_scenarios_are_frozen():
    scenario = load_scenario("hello")
    with pytest.raises(ValidationError):
        scenario.run.seed = 3  # type: ignore[misc]


def test_resolved_toml_says_everything_and_reads_back():
    for name in shipped_scenarios():
        scenario = load_scenario(name)
        text = scenario.resolved_toml()
        again = validate(tomllib.loads(text))
        assert again.resolved() == scenario.resolved()
        assert again.content_hash() == scenario.content_hash()
        for words in ("# [Hz] ", "# [dBm] ", "TS 38.214 tables 5.1.3.1-1", "mtu_bytes = 1500"):
            assert words in text


def test_hash_is_of_what_can_change_a_result():
    base = validate(minimal()).content_hash()
    assert validate(minimal(name="other", description="x")).content_hash() == base
    # a default written out changes nothing, an integer for a real number neither
    assert validate(minimal(run={"duration_s": 10, "drain_s": 0.1})).content_hash() == base
    assert validate(minimal(run={"seed": 2})).content_hash() != base
    assert validate(traffic(rate_hz=1.5)).content_hash() != base


def test_every_field_has_a_description_and_quantities_have_units():
    suffixes = {"_s": "s", "_hz": ("Hz", "1/s"), "_dbm": "dBm", "_db": "dB", "_m": "m",
                "_bytes": "bytes", "_bps": "bit/s", "_slots": "slots", "_mhz": "MHz",
                "_m_s": "m/s", "_bytes_s": "byte/s", "_j": "J"}  # fmt: skip
    schema = json_schema()
    for section in [schema, *schema["$defs"].values()]:
        for key, field in section["properties"].items():
            assert field.get("description"), key
            fitting = [s for s in suffixes if key.endswith(s)]
            if fitting and not key.endswith("_rows"):
                unit = suffixes[max(fitting, key=len)]
                assert field["unit"] in (unit if isinstance(unit, tuple) else (unit,)), key


def test_schema_accepts_shipped_scenarios_and_knows_every_key():
    """A check by hand: every key of the files is in the schema, every value has its type and range."""
    schema = json_schema()
    for path in shipped_scenarios().values():
        check_schema(tomllib.loads(path.read_text()), schema, schema, path.stem)
    with pytest.raises(AssertionError, match="duration"):
        check_schema(minimal(run={"duration": 1}), schema, schema, "m")
    with pytest.raises(AssertionError, match="duration_s"):
        check_schema(minimal(run={"duration_s": 0}), schema, schema, "m")


def check_schema(value, schema, root, where):
    """Validate by the keywords that pydantic writes; an unknown keyword fails, so none is ignored."""
    known = {"$schema", "$defs", "$ref", "title", "description", "unit", "source", "default", "type",
             "properties", "required", "additionalProperties", "items", "anyOf", "oneOf", "const",
             "discriminator", "enum", "minimum", "maximum", "exclusiveMinimum", "minLength",
             "maxLength", "pattern", "minItems", "maxItems", "uniqueItems", "prefixItems"}  # fmt: skip
    assert set(schema) <= known, set(schema) - known
    if "$ref" in schema:
        check_schema(value, root["$defs"][schema["$ref"].rsplit("/", 1)[1]], root, where)
    if "oneOf" in schema:
        ref = schema["discriminator"]["mapping"][value["kind"]]
        check_schema(value, root["$defs"][ref.rsplit("/", 1)[1]], root, where)
    if "anyOf" in schema:
        fits = 0
        for option in schema["anyOf"]:
            try:
                check_schema(value, option, root, where)
                fits += 1
            except AssertionError:
                pass
        assert fits, where
    kinds = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int,
             "number": (int, float), "null": type(None)}  # fmt: skip
    if "type" in schema:
        assert isinstance(value, kinds[schema["type"]]), where
        assert schema["type"] == "boolean" or not isinstance(value, bool), where
    if "const" in schema:
        assert value == schema["const"], where
    if "enum" in schema:
        assert value in schema["enum"], where
    if isinstance(value, dict):
        assert set(schema.get("required", ())) <= set(value), where
        for key, item in value.items():
            inner = schema.get("properties", {}).get(key, schema.get("additionalProperties", True))
            if schema.get("properties") is not None:
                assert inner is not False, f"{where}.{key}"
            if isinstance(inner, dict):
                check_schema(item, inner, root, f"{where}.{key}")
    if isinstance(value, list):
        for item in value:
            if isinstance(schema.get("items"), dict):
                check_schema(item, schema["items"], root, where)
    if isinstance(value, int | float):
        assert value >= schema.get("minimum", value), where
        assert value <= schema.get("maximum", value), where
        assert "exclusiveMinimum" not in schema or value > schema["exclusiveMinimum"], where


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        # typos and units
        (minimal(runn={}), "runn = {}: unknown key; did you mean run?"),
        (minimal(ues={"cout": 3}), "ues.cout = 3: unknown key; did you mean count?"),
        (minimal(bandwidth_mhz=20), "bandwidth_mhz = 20: unknown key; did you mean carrier.bandwidth_mhz?"),
        (traffic(deadline_ms=100), "traffic.0.deadline_ms = 100: unknown key; units are in the names: did you mean deadline_s = 0.1?"),
        (minimal(run={"duration": 3}), "run.duration = 3: unknown key; units are in the names: did you mean duration_s?"),
        (minimal(carrier={"bandwidth_hz": 20e6}), "did you mean bandwidth_mhz = 20?"),
        (minimal(carrier={"frequency_ghz": 3.5}), "did you mean frequency_hz = 3.5e+09?"),
        (minimal(ues={"speed_km_h": 36}), "did you mean speed_m_s = 10?"),
        (minimal(backhaul={"data_rate_gbps": 10}), "did you mean data_rate_bps = 1e+10?"),
        (traffic(deadline_s="100ms"), 'traffic.0.deadline_s = "100ms": a number (s), more than 0 and at most 3600; the unit is in the name: did you mean deadline_s = 0.1?'),
        (minimal(carrier={"frequency_hz": "3.5 GHz"}), "did you mean frequency_hz = 3.5e+09?"),
        (minimal(ues={"count": "8"}), 'ues.count = "8": a whole number, at least 1 and at most 65519; write the number without quotes'),
        # types and ranges
        (minimal(run={"duration_s": -1.0}), "run.duration_s = -1.0: a number (s), more than 0 and at most 86400"),
        (minimal(run={"duration_s": float("nan")}), "run.duration_s = nan: a number"),
        (minimal(run={"duration_s": float("inf")}), "run.duration_s = inf: a number"),
        (minimal(run={"duration_s": True}), "run.duration_s = true: a number"),
        (minimal(run={"seed": 1.5}), "run.seed = 1.5: a whole number"),
        (minimal(channel={"shadowing": 1}), "channel.shadowing = 1: true or false"),
        (minimal(channel={"model": "umx"}), 'channel.model = "umx": one of "umi", "uma", "rma", '),
        (minimal(mac={"mcs_table": 4}), "mac.mcs_table = 4: a whole number, at least 1 and at most 3"),
        (minimal(name="a b"), 'name = "a b": 1 to 64 letters'),
        (minimal(run=3), "run = 3: a table"),
        ({"name": "m"}, "traffic: is required"),
        ({"traffic": MINIMAL["traffic"]}, "name: is required"),
        (minimal(traffic=[]), "traffic = []: a list of tables"),
        (minimal(traffic={"kind": "cbr"}), "write [[traffic]], not [traffic]"),
        (minimal(traffic=[{}]), 'traffic.0.kind: is required: one of "semantic", "cbr"'),
        (minimal(traffic=[{"kind": "semantics"}]), 'did you mean "semantic"?'),
        (minimal(traffic=[{"kind": "cbr"}]), "traffic.0.rate_bps: is required: a number (bit/s)"),
        (minimal(cells=[{"position_m": [0, 0]}]), "cells.0.position_m"),
        (minimal(ues={"count": 70000}), "ues.count = 70000: a whole number, at least 1 and at most 65519"),
        (minimal(profiles={"phone": {"peak_flop": 1}}), "profiles.phone.peak_flop = 1: unknown key; did you mean peak_flops?"),
        # between fields
        (minimal(carrier={"bandwidth_mhz": 22}), "carrier.bandwidth_mhz = 22: numerology 1 in FR1 has 5, 10, 15, 20"),
        (minimal(carrier={"frequency_hz": 10e9}), "carrier.frequency_hz = 10000000000.0: 410e6 to 7125e6 (FR1)"),
        (minimal(carrier={"numerology": 4}), "carrier.numerology = 4: FR1 has 0, 1, 2"),
        (minimal(carrier={"tdd_pattern": "DDDSX"}), 'carrier.tdd_pattern = "DDDSX": letters D, S and U'),
        (minimal(carrier={"tdd_pattern": "dddsu"}), 'did you mean "DDDSU"?'),
        (minimal(carrier={"tdd_pattern": "DDDDS"}), "at least one U slot (traffic.0 is uplink)"),
        (minimal(carrier={"tdd_pattern": "UUUUU"}), "at least one D slot"),
        (minimal(carrier={"tdd_pattern": "DSU"}), "the pattern lasts 0.5, 0.625, 1, 1.25, 2, 2.5, 3, 4, 5, 10 ms, not 1.5"),
        (traffic(deadline_s=0.0004), "traffic.0.deadline_s = 0.0004: at least a slot, 0.0005 s"),
        (traffic(ues=[0, 8]), "traffic.0.ues = [0, 8]: UE 8 does not exist: ues.count = 8 gives 0 to 7"),
        (traffic(ues=[1, 1]), '"all" or a list of distinct UE numbers'),
        (traffic(task="sentimant"), 'traffic.0.task = "sentimant": known: image, vqa, picture-reconstruction, image-reconstruction, sentiment, text-reconstruction, topic; did you mean "sentiment"?'),
        (traffic(codec="llm_token"), 'did you mean "llm-token"?'),
        (traffic(rung="d33-int4"), 'traffic.0.rung = "d33-int4": known: default, '),
        (traffic(rung="d8-int3"), 'traffic.0.rung = "d8-int3": known: default, '),
        (traffic(codec="raw-text", rung="d8-int4"), 'traffic.0.rung = "d8-int4": known: default'),
        (traffic(codec="raw-text", max_packet_bytes=217), 'traffic.0.max_packet_bytes = 217: at least 218: a packet holds whole units of codec "raw-text"'),
        (traffic(rung="nope"), 'traffic.0.rung = "nope": known: '),
        (minimal(ues={"profile": "fone"}), 'ues.profile = "fone": known: '),
        (minimal(profiles={"phones": {}}), "profiles.phones: known profiles: "),
        (minimal(run={"drain_s": 0.01}), "run.drain_s = 0.01: at least traffic.0.deadline_s = 0.1"),
        (traffic(max_packet_bytes=1473), "traffic.0.max_packet_bytes = 1473: at most 1472: backhaul.mtu_bytes = 1500 less 28"),
        (minimal(traffic=[{"kind": "cbr", "direction": "dl", "rate_bps": 1, "start_s": 5, "stop_s": 5}]), "traffic.0.stop_s = 5.0: after traffic.0.start_s = 5"),
        (minimal(traffic=[{"kind": "cbr", "direction": "dl", "rate_bps": 1, "start_s": 11}]), "before the end of the run, run.duration_s = 10"),
        (minimal(ues={"min_distance_m": 300}), "ues.max_distance_m = 200.0: more than ues.min_distance_m = 300"),
        (minimal(ues={"placement": "list"}), "ues.positions_m: is needed"),
        (minimal(ues={"placement": "list", "positions_m": [[0, 1, 2]]}), "ues.positions_m = 1 positions: as many as ues.count = 8"),
        (minimal(ues={"positions_m": [[0, 1, 2]]}), 'only with ues.placement = "list"'),
        (minimal(channel={"samples_per_block": 201}), "channel.samples_per_block = 201: a sample (block_duration_s / samples_per_block = 0.000497512 s) lasts at least a slot of 0.0005 s: at most 200"),
        # 30 m/s at 3.5 GHz: Doppler 350.2 Hz, half a period 1.4276 ms, 0.1 s / 1.4276 ms = 70.05
        (minimal(ues={"speed_m_s": 30}), "at ues.speed_m_s = 30): at least 71"),
        # 3 blocks x 60000 UEs x 51 PRBs x 100 samples x 4 bytes = 3672e6 bytes = 3501.9 MiB
        (minimal(ues={"count": 60000}, channel={"samples_per_block": 100}), "3 blocks of 1 cells x 60000 UEs x 51 PRBs take 3502 MiB, at most 1024"),
        (minimal(mac={"ul_alpha": 0.75}), "mac.ul_alpha = 0.75: 0, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1"),
        (minimal(ues={"count": 65519}, channel={"samples_per_block": 1, "block_duration_s": 0.01}), "65519 flows need a UDP port each"),
    ],
)  # fmt: skip
def test_problems_name_key_value_and_remedy(raw, words):
    found = problems(raw)
    assert any(words in line for line in found), found
    assert all("\n" not in line and len(line) < 400 for line in found)


def test_all_problems_are_told_at_once():
    raw = minimal(ues={"count": 0, "heigth_m": 1}, run={"duration_s": "x"})
    assert len(problems(raw)) == 3
    with pytest.raises(ScenarioError) as caught:
        validate(raw, source="a.toml")
    lines = str(caught.value).splitlines()
    assert lines[0] == "a.toml: 3 problems" and len(lines) == 4


def test_constant_channel_needs_no_fast_sampling():
    raw = minimal(
        ues={"speed_m_s": 100},
        channel={"model": "constant", "gain_db": -90, "samples_per_block": 1},
    )
    assert validate(raw).channel.gain_db == -90


def test_fdd_ignores_the_pattern():
    assert validate(minimal(carrier={"duplex": "fdd", "tdd_pattern": "D"}))


def test_carrier_grid_is_the_standards():
    # TS 38.101-1 table 5.3.2-1: 20 MHz has 106, 51 and 24 PRBs at 15, 30 and 60 kHz.
    for numerology, prbs in ((0, 106), (1, 51), (2, 24)):
        raw = minimal(
            carrier={"bandwidth_mhz": 20, "numerology": numerology, "duplex": "fdd"},
            channel={"samples_per_block": 20},
        )
        assert validate(raw).prb_count == prbs


def test_models_can_be_built_in_python():
    scenario = Scenario(name="n", traffic=(SemanticTraffic(kind="semantic", task="topic"),))
    assert (
        scenario.content_hash()
        == validate(
            {"name": "n", "traffic": [{"kind": "semantic", "task": "topic"}]}
        ).content_hash()
    )


def test_reading_a_scenario_imports_nothing_heavy():
    code = (
        "import sys; from cosim.scenario import load_scenario; load_scenario('demo').resolved_toml(); "
        "print([m for m in ('torch', 'sionna', 'transformers', 'numpy', 'pyarrow') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]", run.stdout + run.stderr


def test_rungs_beyond_the_named_ones_are_those_that_the_codec_reads():
    from models.codecs.quantiser import MAX_DIMENSIONS, STEPS, CodecError, parse_rung

    for dimensions in (0, 1, 9, 10, 19, 20, 29, 30, MAX_DIMENSIONS, MAX_DIMENSIONS + 1):
        for bits in range(10):
            for top in ("", "-top1", "-top999", "-top0"):
                rung = f"d{dimensions}-int{bits}{top}"
                try:
                    parse_rung(rung)
                except CodecError:
                    assert not names.is_rung("llm-token", rung), rung
                else:
                    assert names.is_rung("llm-token", rung), rung
    assert set(STEPS) == {2, 4, 8}


def test_a_packet_can_hold_the_units_of_llm_token():
    import numpy as np
    import torch

    from models.codecs.quantiser import MAX_DIMENSIONS, Rung, pack_units

    levels = torch.zeros((1, MAX_DIMENSIONS), dtype=torch.int64)
    (unit,) = pack_units(np.array([0]), levels, Rung(MAX_DIMENSIONS, 8, None))
    assert names.smallest_packet_bytes("llm-token") == len(unit) + 18


def test_a_packet_can_hold_the_units_of_raw_text():
    from cosim.agents.packetiser import pack
    from models.codecs.raw_text import UNIT_BYTES

    least = names.smallest_packet_bytes("raw-text")
    units = [b"x" * UNIT_BYTES, b"y"]
    assert len(pack(units, [1.0, 1.0], message_number=0, max_packet_bytes=least)) == 2
    with pytest.raises(ValueError, match="unit 0"):
        pack(units, [1.0, 1.0], message_number=0, max_packet_bytes=least - 1)


def test_what_a_program_registers_can_be_named_in_a_scenario(monkeypatch):
    from models.codecs import registry

    monkeypatch.setattr(registry, "_ENTRIES", dict(registry._ENTRIES))
    assert any(
        "did you mean" in line or "known:" in line for line in problems(traffic(codec="mine"))
    )
    registry.register_codec("mine", lambda **options: None, ("default", "fine"))
    assert validate(traffic(codec="mine", rung="fine")).traffic[0].codec == "mine"
