# SPDX-License-Identifier: MIT
"""Both ends of every channel under ThreadSanitizer and AddressSanitizer."""

import subprocess
from pathlib import Path

import pytest

from cosim.bridge.paths import include_dir

SOURCE = Path(__file__).with_name("sanitize") / "sanitize.cpp"
THREADS = ("-fsanitize=thread", "-Wno-tsan")  # it warns that it ignores fences: see docs/bridge.md


def build_and_run(folder: Path, *flags: str, include: Path | None = None):
    program = folder / "sanitize"
    base = ["g++", "-std=c++20", "-g", "-O1", "-pthread", f"-I{include or include_dir()}"]
    command = [*base, *flags, str(SOURCE), "-o", str(program)]
    built = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
    assert built.returncode == 0, built.stderr
    # Without address randomisation: ThreadSanitizer needs some ranges to be free.
    run = ["setarch", "-R", str(program)]
    return subprocess.run(run, capture_output=True, text=True, timeout=100, check=False)


@pytest.mark.slow
@pytest.mark.parametrize(
    "flags", [THREADS, ("-fsanitize=address,undefined", "-fno-sanitize-recover")]
)
def test_a_run_is_clean(tmp_path, flags):
    result = build_and_run(tmp_path, *flags)
    assert result.stderr == ""
    assert (result.returncode, result.stdout) == (0, "whole\n")


@pytest.mark.slow
def test_a_missing_release_is_found(tmp_path):
    # The check of the check: with a relaxed count the records are no longer ordered before it.
    for path in include_dir().rglob("*.hpp"):
        copy = tmp_path / "include" / path.relative_to(include_dir())
        copy.parent.mkdir(parents=True, exist_ok=True)
        text = path.read_text()
        if path.name == "stream.hpp":
            right = "written.store(m_written, std::memory_order_release)"
            assert right in text
            text = text.replace(right, right.replace("release", "relaxed"))
        copy.write_text(text)
    result = build_and_run(tmp_path, *THREADS, include=tmp_path / "include")
    assert "WARNING: ThreadSanitizer: data race" in result.stderr
