# SPDX-License-Identifier: MIT
"""Files that were damaged, cut or made up: every reader says so with its own error, or copes.

Anything else (another exception, a crash of the process, gigabytes asked for) fails the test.
"""

import functools
import json
import resource
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analysis.summary import summarise_run
from cosim.campaign import load_design
from cosim.scenario import ScenarioError
from cosim.traces import Manifest, TraceError, TraceSet, read_trace
from models.codecs.base import CodecError
from models.codecs.store import ResultStore
from models.codecs.weights import SHIPPED, load_weights
from sionna_phy.channel import ChannelSpecError, make_producer
from sionna_phy.channel.recorded import write_recording
from tests.sionna_phy.conftest import build

MORE = 2 << 30
"""Bytes of address space that a reader may take beyond what the process has."""

FUZZ = settings(
    max_examples=60, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip

edits = st.lists(
    st.tuples(st.sampled_from(["flip", "cut", "insert", "delete", "zero"]), st.floats(0, 1),
              st.binary(min_size=1, max_size=12)),
    min_size=1, max_size=6,
)  # fmt: skip


def damaged(data: bytes, changes) -> bytes:
    out = bytearray(data)
    for kind, where, noise in changes:
        at = int(where * max(len(out) - 1, 0))
        if kind == "flip" and out:
            out[at : at + len(noise)] = noise[: len(out) - at]
        elif kind == "cut":
            del out[at:]
        elif kind == "insert":
            out[at:at] = noise
        elif kind == "delete":
            del out[at : at + len(noise)]
        elif kind == "zero":
            out[at : at + 64] = bytes(len(out[at : at + 64]))
    return bytes(out)


@pytest.fixture(autouse=True)
def no_more_memory():
    before = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MORE, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


@functools.cache
def run_folder() -> Path:
    """Return a small run's folder, as the engine writes it."""
    from cosim.scenario import load_scenario

    folder = Path(tempfile.mkdtemp(prefix="semcosim-fuzz-"))
    manifest = Manifest.start(folder, load_scenario("hello"))
    traces = TraceSet(folder)
    k = np.arange(100)
    traces.append(
        "kpis",
        {
            "t_s": k * 1e-3, "cell": k * 0, "ue": k % 3, "direction": np.array(["dl", "ul"])[k % 2],
            "throughput_bps": k * 1.0, "prb_used": k, "queue_bytes": k,
        },
    )  # fmt: skip
    traces.close()
    manifest.finish("finished")
    return folder


@pytest.fixture(scope="module", autouse=True)
def tidy_up():
    yield
    if run_folder.cache_info().currsize:
        shutil.rmtree(run_folder())


@FUZZ
@given(changes=edits)
def test_a_damaged_trace(changes, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    part = min((run_folder() / "kpis.parquet").glob("part-*"))
    (folder / "kpis.parquet").mkdir()
    (folder / "kpis.parquet" / part.name).write_bytes(damaged(part.read_bytes(), changes))
    try:
        read_trace(folder, "kpis")
    except TraceError as error:
        assert "kpis" in str(error)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@FUZZ
@given(data=st.data())
def test_a_manifest_with_other_values(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    shutil.copytree(run_folder(), folder, dirs_exist_ok=True)
    manifest = json.loads((folder / "run.json").read_text())
    for key in data.draw(st.lists(st.sampled_from(sorted(manifest)), min_size=1, max_size=3)):
        manifest[key] = data.draw(values)
    (folder / "run.json").write_text(json.dumps(manifest))
    try:
        summarise_run(folder)
    except TraceError as error:
        assert str(error)


@FUZZ
@given(changes=edits)
def test_a_damaged_manifest(changes, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    (folder / "run.json").write_bytes(damaged((run_folder() / "run.json").read_bytes(), changes))
    try:
        Manifest.read(folder)
    except TraceError as error:
        assert "run.json" in str(error)


DESIGN = b"""
scenario = "hello"
seeds = [1, 2]
[grid]
"ues.count" = [1, 2]
"channel.model" = ["constant", "umi"]
"""


@FUZZ
@given(changes=edits)
def test_a_damaged_campaign(changes, tmp_path_factory):
    path = tmp_path_factory.mktemp("campaign") / "c.toml"
    path.write_bytes(damaged(DESIGN, changes))
    try:
        load_design(str(path))
    except ScenarioError as error:
        assert "Traceback" not in str(error)


@FUZZ
@given(changes=edits)
def test_a_damaged_recording(changes, tmp_path_factory):
    path = tmp_path_factory.mktemp("channel") / "c.safetensors"
    blocks = [np.full((4, 1, 4, 1, 11), 0.5 + n, np.float32) for n in range(2)]
    write_recording(path, blocks, block_duration_s=0.02)
    path.write_bytes(damaged(path.read_bytes(), changes))
    try:
        producer = make_producer(build(model="replay", file=str(path)))
        producer.prepare()
        for number in range(2):
            gains = producer.gains(number)
            assert np.all(np.isfinite(gains)) and gains.min() >= 0
    except ChannelSpecError as error:
        assert "file" in str(error)


@FUZZ
@given(changes=edits)
def test_damaged_weights(changes, tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    name = "raw-text-sentiment.safetensors"
    (folder / name).write_bytes(damaged((SHIPPED / name).read_bytes(), changes))
    try:
        load_weights("raw-text", "sentiment", folder)
    except CodecError as error:
        assert name in str(error)


@FUZZ
@given(changes=edits)
def test_a_damaged_cache(changes, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEMCOSIM_CACHE", str(folder))
        store = ResultStore(on_disk=True)
        store.put("ab" * 32, [1, 2.5, "x"])
        files = [p for p in folder.rglob("*") if p.is_file()]
        for path in files:
            path.write_bytes(damaged(path.read_bytes(), changes))
        again = ResultStore(on_disk=True)
        assert files and again.get("ab" * 32) in (None, [1, 2.5, "x"])
