# SPDX-License-Identifier: MIT
"""Which runs a campaign has."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosim.campaign import load_design
from cosim.campaign.design import run_key
from cosim.campaign.fields import flatten, parse_grid, parse_seeds, split_values
from cosim.campaign.sampling import sample_points
from cosim.scenario import ScenarioError, load_scenario


def settings(design):
    return [(dict(p.fields), p.scenario.run.seed) for p in design.points]


def test_a_grid_is_every_combination_with_every_seed(write):
    design = load_design(
        write("""
        scenario = "hello"
        seeds = [3, 5]
        [set]
        run.duration_s = 1.5
        [grid]
        mac.scheduler = ["pf", "rr"]
        "carrier.bandwidth_mhz" = [10, 20]
        """)
    )
    assert design.name == "study"
    assert design.fields == ("mac.scheduler", "carrier.bandwidth_mhz")
    expected = [
        ({"mac.scheduler": s, "carrier.bandwidth_mhz": b}, seed)
        for s in ("pf", "rr")
        for b in (10, 20)
        for seed in (3, 5)
    ]
    assert settings(design) == expected
    point = design.points[2]
    assert point.scenario.carrier.bandwidth_mhz == 20 and point.scenario.run.duration_s == 1.5
    assert len({p.key for p in design.points}) == 8


def test_a_list_names_its_settings_and_multiplies_with_a_grid(write):
    design = load_design(
        write("""
        scenario = "hello"
        [grid]
        scheduler = ["pf", "rr"]
        [[list]]
        carrier.bandwidth_mhz = 10
        traffic.0.rate_hz = 2.0
        [[list]]
        carrier.bandwidth_mhz = 20
        traffic.0.rate_hz = 4.0
        """)
    )
    # 2 x 2, and no seeds: the scenario's own, which is 1
    assert [(s["mac.scheduler"], s["traffic.0.rate_hz"], seed) for s, seed in settings(design)] == [
        ("pf", 2.0, 1), ("pf", 4.0, 1), ("rr", 2.0, 1), ("rr", 4.0, 1)
    ]  # fmt: skip


def test_a_setting_that_comes_twice_is_one_run(write):
    text = 'scenario = "hello"\n[[list]]\nues.count = 2\n[[list]]\nues.count = 2\n'
    assert len(load_design(write(text)).points) == 1


def test_a_latin_hypercube_has_one_value_in_each_stratum():
    table = {
        "count": 20, "seed": 4,
        "fields": {"a.x": {"low": 0.0, "high": 20.0},
                   "a.y": {"low": 1.0, "high": 2.0**20, "scale": "log"},
                   "a.n": {"low": 1, "high": 20, "integer": True}},
    }  # fmt: skip
    points = sample_points(table, lambda name: name, source="test")
    # 20 samples on 20 strata of equal width: 0-1, 1-2, …; in octaves on the logarithm; 1, 2, … 20
    assert sorted(math.floor(p["a.x"]) for p in points) == list(range(20))
    assert sorted(math.floor(math.log2(p["a.y"])) for p in points) == list(range(20))
    assert sorted(p["a.n"] for p in points) == list(range(1, 21))
    assert points == sample_points(table, lambda name: name, source="test")
    assert points != sample_points(table | {"seed": 5}, lambda name: name, source="test")


@given(st.integers(1, 60), st.integers(-5, 5), st.integers(1, 30), st.booleans(), st.integers(0))
def test_samples_lie_in_their_range(count, low, width, integer, seed):
    span = {"low": low, "high": low + width, "integer": integer}
    table = {"method": "random", "count": count, "seed": seed, "fields": {"a.b": span}}
    points = sample_points(table, lambda name: name, source="test")
    assert len(points) == count
    for value in (p["a.b"] for p in points):
        assert low <= value <= low + width
        assert isinstance(value, int if integer else float)


def test_choices_are_sampled_evenly_by_a_hypercube():
    table = {"count": 9, "fields": {"mac.scheduler": {"choices": ["pf", "rr", "edf"]}}}
    points = sample_points(table, lambda name: name, source="test")
    names = [p["mac.scheduler"] for p in points]
    assert {name: names.count(name) for name in names} == {"pf": 3, "rr": 3, "edf": 3}


def test_the_command_line_gives_grids_and_seeds():
    assert parse_grid("scheduler=pf,rr") == ("scheduler", ["pf", "rr"])
    assert parse_grid("a.b=1, 2.5,true") == ("a.b", [1, 2.5, True])
    assert parse_grid("ues.positions_m=[[1.0, 2.0, 3.0]],[[4.0, 5.0, 6.0]]")[1] == [
        [[1.0, 2.0, 3.0]], [[4.0, 5.0, 6.0]]
    ]  # fmt: skip
    assert parse_seeds("10") == 10 and parse_seeds("3,5") == [3, 5]
    assert split_values('"a,b",c') == ['"a,b"', "c"]
    design = load_design("hello", grid=[("scheduler", ["pf", "rr"])], seeds=3, name="x")
    assert design.name == "x" and len(design.points) == 6
    assert [p.scenario.run.seed for p in design.points] == [1, 2, 3, 1, 2, 3]


def test_the_key_is_that_of_the_result_and_not_of_the_name(monkeypatch):
    scenario = load_scenario("hello")
    key = run_key(scenario)
    assert key == run_key(load_scenario("hello", ["name=other"]))
    assert key != run_key(load_scenario("hello", ["ues.count=3"]))
    assert key != run_key(load_scenario("hello", seed=2))
    monkeypatch.setattr("cosim.campaign.design.versions", lambda: {"sionna": "9"})
    assert key != run_key(scenario)
    monkeypatch.undo()
    monkeypatch.setattr("cosim.campaign.design.code_fingerprint", lambda: "other code")
    assert key != run_key(scenario)


def test_a_run_is_given_a_file_that_means_the_same(write):
    scenario = load_scenario("demo", ["ues.count=3"])
    again = load_scenario(write(scenario.resolved_toml(), "resolved.toml"))
    assert again.content_hash() == scenario.content_hash()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('scenario = "helo"', "no shipped scenario"),
        ('scenario = "hello"\nseed = 3', "seed: is no key of a campaign.*did you mean seeds"),
        ('scenario = "hello"\nseeds = 0', "seeds = 0: must be a number of seeds from 1"),
        ('scenario = "hello"\nseeds = ["a"]', "seeds"),
        ('scenario = "hello"\n[grid]\nmac.scheduler = "pf"', "grid.mac.scheduler.*list of values"),
        ('scenario = "hello"\n[grid]\nmac.sheduler = ["pf"]', "mac.sheduler.*did you mean schedul"),
        ('scenario = "hello"\n[grid]\nschedule = ["pf"]', "schedule.*did you mean scheduler"),
        ('scenario = "hello"\n[grid]\nheight_m = [3.0]', "is several fields: gnb.height_m"),
        ('scenario = "hello"\n[grid]\nmac.scheduler = ["pf", "x"]', "with mac.scheduler = \"x\""),
        ('scenario = "hello"\n[grid]\nues.count = [1]\n[set]\nues.count = 2', "both"),
        ('scenario = "hello"\nseeds = 2\n[grid]\nrun.seed = [1]', "both set the seed"),
        ('scenario = "hello"\n[sample]\ncount = 3\n', "sample.fields"),
        ('scenario = "hello"\n[sample]\ncount = 0\n[sample.fields]\nues.count = {low=1,high=2}',
         "sample.count = 0"),
        ('scenario = "hello"\n[sample]\ncount = 1\n[sample.fields]\nues.count = {low=2,high=1}',
         "low and high must be numbers"),
        ('scenario = "hello"\n[sample]\ncount = 1\n[sample.fields]\n'
         'ues.count = {low=0,high=1,scale="log"}', "begins above 0"),
        ('scenario = "hello"\nname = "../x"', "name.*without slashes"),
        ('scenario = "hello"\nseeds = 100000\n[grid]\nues.count = [1, 2]', "100000 are allowed"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(write, text, words):
    with pytest.raises(ScenarioError, match=f"(?s){words}"):
        load_design(write(text))


@given(st.dictionaries(st.text("abc", min_size=1), st.integers() | st.lists(st.integers())))
def test_flattening_keeps_values(table):
    assert flatten(table) == table
    assert flatten({"x": table} if table else {}) == {f"x.{k}": v for k, v in table.items()}
