# SPDX-License-Identifier: MIT
"""Files and words that become a scenario: overrides, what is no scenario, TOML text."""

import tomllib

import pytest

from cosim.scenario import (
    ScenarioError,
    SemanticTraffic,
    find_scenario,
    load_scenario,
)
from cosim.scenario.loader import parse_override
from cosim.scenario.toml_text import toml_value


def test_overrides_are_toml_values_at_dotted_paths():
    scenario = load_scenario(
        "demo",
        ["traffic.0.rate_hz=3", "channel.model=uma", "traffic.1.ues=[0, 2]",
         'channel.los="never"', "traces.csv=true",
         "profiles.phone.overhead_s=0.001", "run.duration_s = 2.5"],
        seed=99,
    )  # fmt: skip
    first, second = scenario.traffic[:2]
    assert isinstance(first, SemanticTraffic) and first.rate_hz == 3.0
    assert second.ues == (0, 2) and scenario.channel.model == "uma"
    assert scenario.channel.los == "never" and scenario.traces.csv
    assert scenario.profiles["phone"].overhead_s == 0.001
    assert scenario.run.duration_s == 2.5 and scenario.run.seed == 99
    # the last one counts
    assert load_scenario("demo", ["run.seed=3", "run.seed=4"]).run.seed == 4


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("run.duration_s", "is not key=value"),
        ("=3", "is not key=value"),
        ("run..x=3", "is not key=value"),
        ("run.seed=", "no TOML value"),
        ("run.seed=1 2", "no TOML value"),
        ("run.seed=1\nname=2", "more than one line"),
        ("traffic.9.rate_hz=1", "traffic.9: is no entry of traffic: 0 to 5"),
        ("traffic.x.rate_hz=1", "is no entry of traffic"),
        ("name.x=1", 'name = "demo": is a value'),
        ("run.sed=1", "did you mean seed?"),
        ("run.seed=" + "[" * 5000, "no TOML value"),
    ],
)
def test_wrong_overrides_are_refused(override, words):
    with pytest.raises(ScenarioError) as caught:
        load_scenario("demo", [override])
    assert words in str(caught.value)


def test_override_values_keep_their_types():
    assert parse_override("a.b=1") == (["a", "b"], 1)
    assert parse_override("a=1.0") == (["a"], 1.0)
    assert parse_override("a=word-2") == (["a"], "word-2")
    for path in ("/tables/own-1.json", "./own.json", "../a/own.json", "tables/own.json"):
        assert parse_override(f"mac.bler_table={path}") == (["mac", "bler_table"], path)
    assert parse_override('a="x=y"') == (["a"], "x=y")
    assert parse_override("a=true") == (["a"], True)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"name = 'x'\n[run\n", "is not valid TOML"),
        (b"name = 'x'\nname = 'y'\n", "is not valid TOML"),
        (b"\x7fELF\0\0", "is a binary file"),
        (b"name = '\xff'", "is not UTF-8 text (byte 8)"),
        (b"", "name: is required"),
        (b"#" * 1_000_001, "has 1000001 bytes, a scenario at most 1000000"),
        (b"a = " + b"[" * 100_000, ""),
        (b"a = " + b"9" * 10_000, ""),
        (b"a = 1e999\n", ""),
        (b"[traffic]\nkind = 1979-05-27\n", "[[traffic]]"),
    ],
)
def test_files_that_are_no_scenario(tmp_path, data, words):
    path = tmp_path / "s.toml"
    path.write_bytes(data)
    with pytest.raises(ScenarioError) as caught:
        load_scenario(path)
    assert words in str(caught.value) and str(path) in str(caught.value)


def test_places_that_are_no_file(tmp_path):
    (tmp_path / "a.toml").write_text("")
    for place, words in (
        (tmp_path, "is a folder, not a scenario file; it holds a.toml"),
        ("/dev/zero", "is not a regular file"),
        ("dmo", "did you mean demo?"),
        ("no/such/file.toml", "no such file"),
        ("", "is no file name"),
        ("a\0b", "is no file name"),
        ("x" * 5000, "name too long"),
    ):
        with pytest.raises(ScenarioError) as caught:
            load_scenario(place)
        assert words.lower() in str(caught.value).lower()


def test_a_byte_order_mark_and_windows_lines_are_read(tmp_path):
    path = tmp_path / "w.toml"
    text = find_scenario("hello").read_text()
    path.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    assert load_scenario(path) == load_scenario("hello")


def test_toml_text_reads_back():
    value = {"a": [1, 2.5, True, 'q"\\\n\x00é'], "b c": {"x": 1e30, "y": -0.0}, "t": ()}
    text = "\n".join(f"{k} = {toml_value(v)}" for k, v in (("v", value),))
    read = tomllib.loads(text)["v"]
    assert read == {"a": [1, 2.5, True, 'q"\\\n\x00é'], "b c": {"x": 1e30, "y": -0.0}, "t": []}
