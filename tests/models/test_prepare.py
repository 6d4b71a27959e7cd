# SPDX-License-Identifier: MIT
"""Set-up with stand-ins: what is there is not fetched again, and what fails is said in a line."""

from pathlib import Path

import pytest

from models import assets, backbone, prepare
from models.codecs import codec_tasks, dictionary


@pytest.fixture
def done(monkeypatch):
    """What set-up did; one asset of the demo's is there already."""
    names = [asset.name for asset in assets.group("demo")]
    there = {names[0]}
    calls = {"fetched": [], "dictionaries": [], "missing": names[1:]}

    def fetch(wanted):
        calls["fetched"] += wanted
        there.update(wanted)

    monkeypatch.setattr(assets, "is_cached", lambda name: name in there)
    monkeypatch.setattr(assets, "fetch", fetch)
    monkeypatch.setattr(backbone, "prepare", lambda: Path("/the/model"))
    monkeypatch.setattr(dictionary, "get_dictionary", calls["dictionaries"].append)
    return calls


def test_only_what_is_missing_is_fetched_and_every_dictionary_is_made(done, capsys):
    assert prepare.main() == 0
    assert done["fetched"] == done["missing"] and done["missing"]
    assert done["dictionaries"] == list(codec_tasks("raw-text"))
    words = capsys.readouterr().out
    assert words.count("fetching ") == len(done["missing"])
    assert "language model ready in /the/model" in words
    # A second time nothing is fetched.
    done["fetched"].clear()
    assert prepare.main() == 0 and not done["fetched"]


def test_a_fetch_that_fails_is_one_line_and_an_exit_code(done, monkeypatch, capsys):
    def fetch(wanted):
        raise assets.AssetError(f"{wanted[0]}: no network")

    monkeypatch.setattr(assets, "fetch", fetch)
    assert prepare.main() == 1
    assert capsys.readouterr().err == f"models.prepare: {done['missing'][0]}: no network\n"
