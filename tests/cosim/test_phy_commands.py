# SPDX-License-Identifier: MIT
"""`cosim phy bler`, and tables named by a scenario."""

import json

import pytest

from cosim.cli import main
from cosim.scenario import ScenarioError, load_scenario

FAST = ["phy", "bler", "--mcs", "5,12", "--cbs", "24", "--effort", "0.05", "--workers", "1"]


def test_a_table_is_made_completed_and_loaded(tmp_path, capsys):
    from sionna_phy.abstraction import load_bler_table

    path = tmp_path / "own.json"
    assert main([*FAST, "--out", str(path), "--minutes", "0", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"file": str(path), "curves": 0, "missing": 2}
    assert main([*FAST, "--out", str(path)]) == 0
    first = path.read_bytes()
    assert "2 curves" in capsys.readouterr().out
    # Once more: everything is there, nothing is measured and nothing changes.
    assert main([*FAST, "--out", str(path), "--quiet"]) == 0
    assert path.read_bytes() == first
    content = json.loads(first)
    assert "cosim phy bler --mcs-table 1 --mcs 5,12 --cbs 24 --seed 1" in content["command"]
    for curve in content["curves"]:
        for point in curve["points"]:
            low, high = point["ci95"]
            assert low <= point["errors"] / point["blocks"] <= high
    table = load_bler_table(str(path))
    assert table.mcs_available.nonzero()[0].tolist() == [5, 12]
    # The scenario's hash knows what the file holds, not only its name.
    before = load_scenario("hello", [f'mac.bler_table="{path}"']).content_hash()
    content["curves"].pop()
    path.write_text(json.dumps(content))
    assert load_scenario("hello", [f'mac.bler_table="{path}"']).content_hash() != before


def test_several_transmissions_together_are_no_table_of_a_scenario(tmp_path):
    from sionna_phy.abstraction import BlerTableError, load_bler_table

    path = tmp_path / "twice.json"
    twice = ["--mcs", "5", "--rv", "0,0", "--out", str(path), "--quiet"]
    assert main([*FAST, *twice]) == 0
    content = json.loads(path.read_text())
    assert content["redundancy_versions"] == [0, 0]
    assert content["command"].endswith("--rv 0,0")
    with pytest.raises(BlerTableError, match="several transmissions"):
        load_bler_table(str(path))
    # The file goes on with its own versions only.
    assert main([*FAST, "--mcs", "5,12", "--out", str(path)]) == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--mcs", "40"], "table 1 has 0 to 28"),
        (["--mcs", "a"], "--mcs: 'a' is no number"),
        (["--mcs", "²"], "--mcs: '²' is no number"),
        (["--cbs", "9000"], "24 to 8448"),
        (["--mcs-table", "4"], "there are 1, 2 and 3"),
        (["--effort", "0"], "effort: 0 is not above 0"),
        (["--rv", "0,4"], "rv: redundancy versions are 0 to 3"),
        (["--rv", "0-3"], "--rv: '0-3' is no list"),
        (["--rv", "²"], "--rv: '²' is no list"),
        (["--out", "/nowhere/at/all.json"], "there is no folder /nowhere/at"),
    ],
)
def test_bad_options_are_named(arguments, words, capsys):
    assert main(["phy", "bler", *arguments]) == 2
    assert words in capsys.readouterr().err


def test_a_table_that_is_not_there_is_refused():
    with pytest.raises(ScenarioError, match=r"mac\.bler_table") as caught:
        load_scenario("hello", ['mac.bler_table="siona"'])
    assert 'did you mean "sionna"?' in str(caught.value)


def test_the_scenario_knows_the_names_of_the_shipped_tables():
    from cosim.scenario.names import bler_table_names
    from sionna_phy.abstraction.tables import TABLE_NAMES

    assert bler_table_names() == TABLE_NAMES
