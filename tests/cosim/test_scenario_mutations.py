# SPDX-License-Identifier: MIT
"""Mutated scenario files: always a scenario or a ScenarioError, through the command line too."""

import random
import tomllib

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from cosim.cli import main
from cosim.scenario import Scenario, ScenarioError, find_scenario, load_scenario
from cosim.scenario.loader import validate
from cosim.scenario.toml_text import toml_key, toml_value

DEMO = find_scenario("demo").read_text()

VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-3, 3),
    st.just(10**400),
    st.floats(),
    st.text(max_size=30),
    st.sampled_from(["100ms", "3.5 GHz", "umi", "all", "semantic", "cbr", "", "1e400", "nan"]),
    st.lists(st.integers(-2, 12), max_size=4),
    st.lists(st.lists(st.floats(), max_size=4), max_size=3),
    st.dictionaries(st.text(max_size=8), st.integers(), max_size=3),
)
KEYS = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        [
            "run",
            "ues",
            "traffic",
            "cells",
            "profiles",
            "name",
            "kind",
            "duration_s",
            "deadline_ms",
            "bandwidth_hz",
            "semantic",
            "position_m",
            "fiveqi",
            "ues.count",
            "0",
            "[key]",
            "gnb",
        ]
    ),
)


def containers(value, found=None):
    """Return every table and list in `value`."""
    found = [] if found is None else found
    if isinstance(value, dict | list):
        found.append(value)
        for item in value.values() if isinstance(value, dict) else value:
            containers(item, found)
    return found


def mutate(raw, draw):
    """Change one thing somewhere: a value, a key, or what there is of them."""
    target = draw(st.sampled_from(containers(raw)))
    kind = draw(st.sampled_from(["set", "delete", "rename", "add", "duplicate", "swap"]))
    keys = list(target) if isinstance(target, dict) else list(range(len(target)))
    if kind == "add" or not keys:
        if isinstance(target, dict):
            target[draw(KEYS)] = draw(VALUES)
        else:
            target.append(draw(VALUES))
        return
    key = draw(st.sampled_from(keys))
    if kind == "set":
        target[key] = draw(VALUES)
    elif kind == "delete":
        del target[key]
    elif isinstance(target, list):
        target.append(target[key])
    elif kind == "rename":
        target[draw(KEYS)] = target.pop(key)
    elif kind == "swap":
        other = draw(st.sampled_from(keys))
        target[key], target[other] = target[other], target[key]
    else:
        target[f"{key}_"] = target[key]


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_mutated_values_give_a_scenario_or_a_scenario_error(data):
    raw = tomllib.loads(DEMO)
    for _ in range(data.draw(st.integers(1, 3))):
        mutate(raw, data.draw)
    try:
        scenario = validate(raw)
    except ScenarioError as error:
        assert error.problems and len(str(error)) < 20_000
        for problem in error.problems:
            assert "\n" not in str(problem)
    else:
        assert isinstance(scenario, Scenario)
        # what is accepted can be written out and read back as the same
        assert validate(tomllib.loads(scenario.resolved_toml())).resolved() == scenario.resolved()


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200), st.integers(0, len(DEMO)), st.integers(0, 40))
@example(b"\xff\xfe", 0, 0)
@example(b"\0", 10, 0)
@example(b"\r", 10, 0)
def test_mutated_bytes_give_a_scenario_or_a_scenario_error(tmp_path_factory, junk, at, cut):
    path = tmp_path_factory.mktemp("s") / "s.toml"
    data = DEMO.encode()
    path.write_bytes(data[:at] + junk + data[at + cut :])
    try:
        assert isinstance(load_scenario(path), Scenario)
    except ScenarioError as error:
        assert error.problems


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=60))
def test_any_override_gives_a_scenario_or_a_scenario_error(text):
    try:
        load_scenario("hello", [text])
    except ScenarioError as error:
        assert error.problems


def write_toml(raw) -> str:
    lines = [f"{toml_key(str(k))} = {toml_value(v)}" for k, v in raw.items()]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("seed", range(30))
def test_mutations_through_the_command_line(tmp_path, capsys, seed):
    rng = random.Random(seed)
    raw = tomllib.loads(DEMO)
    values = [-1, 0, 10**30, 1.5, "x", "100ms", True, [], {}, [1, "a"], float("nan"), float("inf")]
    for _ in range(rng.randint(1, 3)):
        target = rng.choice([c for c in containers(raw) if isinstance(c, dict) and c])
        key = rng.choice(list(target))
        if rng.random() < 0.3:
            target[key[:-1] + rng.choice("abcz_")] = target.pop(key)
        elif rng.random() < 0.3:
            del target[key]
        else:
            target[key] = rng.choice(values)
    path = tmp_path / "m.toml"
    path.write_text(write_toml(raw))
    code = main(["show", str(path)])
    out, err = capsys.readouterr()
    assert "Traceback" not in err
    if code == 0:
        assert out.startswith("# A SemCoSim scenario") and not err
    else:
        assert code == 2 and not out and err.startswith(f"cosim: {path}: ")
