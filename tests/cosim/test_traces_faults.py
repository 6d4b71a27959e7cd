# SPDX-License-Identifier: MIT
"""Traces when things go wrong: a kill at any point, a full disk, a writer that fails."""

import errno
import os
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pandas as pd
import pyarrow.dataset
import pytest

from cosim.traces import TraceError, TraceSet, files, read_trace, trace_hashes

WRITER = """
import sys
import numpy as np
from cosim.traces import TraceSet
traces = TraceSet(sys.argv[1], flush_interval_s=0.01)
print("ready", flush=True)
n = 0
while True:
    k = np.arange(n, n + 500)
    traces.append("kpis", dict(t_s=k * 1e-4, cell=k * 0, ue=k % 7,
        direction=np.array(["dl", "ul"])[k % 2], throughput_bps=k * 1.0, prb_used=k, queue_bytes=k))
    n += 500
"""


def kpis(first: int, last: int) -> dict:
    k = np.arange(first, last)
    return {
        "t_s": k * 1e-3,
        "cell": k * 0,
        "ue": k % 7,
        "direction": np.array(["dl", "ul"])[k % 2],
        "throughput_bps": np.random.default_rng(first).uniform(size=len(k)),
        "prb_used": k,
        "queue_bytes": k,
    }


@pytest.mark.parametrize("after_s", [0.0, 0.05, 0.17])
def test_a_kill_leaves_readable_traces(tmp_path, after_s):
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, cwd=os.getcwd(),
        env=os.environ | {"PYTHONPATH": os.getcwd()},
    )  # fmt: skip
    try:
        assert process.stdout is not None and process.stdout.readline() == b"ready\n"
        folder = tmp_path / "kpis.parquet"
        deadline = time.monotonic() + 20
        while len(list(folder.glob("part-*"))) < 3 and time.monotonic() < deadline:
            # a run that goes on can be read as well
            assert pd.read_parquet(folder).shape[1] == 12
        time.sleep(after_s)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    # What a kill in the middle of a write leaves behind is named so that readers leave it out.
    (folder / ".part-99999.parquet.tmp").write_bytes(b"PAR1 half a par")
    frame = pd.read_parquet(folder)
    assert len(frame) >= 200
    # a prefix of what was written, without holes: row k has prb_used k
    assert frame["prb_used"].tolist() == list(range(len(frame)))
    assert pyarrow.dataset.dataset(folder).count_rows() == len(frame)
    assert len(read_trace(tmp_path, "kpis")) == len(frame)
    assert "kpis" in trace_hashes(tmp_path)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
def test_a_failing_disk_leaves_earlier_parts_intact(tmp_path, monkeypatch, code):
    traces = TraceSet(tmp_path, flush_interval_s=0.1)
    traces.append("kpis", kpis(0, 150))  # the part of the first 0.1 s is on disk
    before = trace_hashes(tmp_path)
    write = files.write_bytes

    def half(descriptor: int, data: bytes) -> None:
        write(descriptor, data[: len(data) // 2])
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(files, "write_bytes", half)
    with pytest.raises(TraceError) as caught:
        traces.append("kpis", kpis(150, 250))
    message = str(caught.value)
    assert str(tmp_path) in message
    if code != errno.EIO:
        assert "--out" in message and "bytes needed" in message and "intact" in message
    assert trace_hashes(tmp_path) == before
    assert read_trace(tmp_path, "kpis")["prb_used"].tolist() == list(range(100))
    assert not list((tmp_path / "kpis.parquet").glob(".*"))


def test_a_file_size_limit_is_explained(tmp_path):
    """A real refusal of the kernel that needs no privileges: RLIMIT_FSIZE gives EFBIG."""
    script = textwrap.dedent(
        """
        import resource, sys
        import numpy as np
        from cosim.traces import TraceError, TraceSet, read_trace
        traces = TraceSet(sys.argv[1], flush_interval_s=0.1)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
        rng = np.random.default_rng(1)
        try:
            for second, n in enumerate((100, 100, 100_000, 100)):
                k = np.arange(n)
                traces.append("kpis", dict(t_s=second + k * 0.0, cell=k, ue=k, direction=["dl"] * n,
                    throughput_bps=rng.uniform(size=n), prb_used=k, queue_bytes=k))
        except TraceError as error:
            print(error)
            print("rows", len(read_trace(sys.argv[1], "kpis")))
        """
    )
    run = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, timeout=60,
        env=os.environ | {"PYTHONPATH": os.getcwd()}, check=False,
    )  # fmt: skip
    assert "allowed file size" in run.stdout, run.stdout + run.stderr
    assert run.stdout.splitlines()[-1] == "rows 200"


def test_a_full_disk_is_explained(tmp_path):
    """A real full disk: a tmpfs of 256 KiB. Needs the right to mount, so root."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a tmpfs cannot be mounted here; the two tests above cover the handling")
    try:
        traces = TraceSet(disk, flush_interval_s=0.1)
        written = 0
        with pytest.raises(TraceError, match="no space is left on the disk") as caught:
            for step in range(1000):
                traces.append("kpis", kpis(step * 1000, step * 1000 + 1000))
                written = step * 1000
        assert "--out" in str(caught.value)
        frame = pd.read_parquet(disk / "kpis.parquet")
        assert len(frame) >= written
        assert frame["prb_used"].tolist() == list(range(len(frame)))
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_an_error_in_flight_is_not_hidden_by_a_failing_close(tmp_path, monkeypatch):
    def refuse(descriptor: int, data: bytes) -> None:
        raise OSError(errno.ENOSPC, "full")

    with pytest.raises(KeyError, match="first"), TraceSet(tmp_path) as traces:
        traces.append("kpis", kpis(0, 5))
        monkeypatch.setattr(files, "write_bytes", refuse)
        raise KeyError("first")
