# SPDX-License-Identifier: MIT
"""Every code block of the documentation is executed: commands, Python, scenarios, campaigns.

A block marked `text` is output, or needs another machine; it says so in the page.
"""

import importlib.metadata
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from cosim.campaign import load_design
from cosim.scenario import load_scenario

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(p for p in DOCS.rglob("*.md") if "reference" not in p.parts)
FENCE = re.compile(r"^```(\w*)([^\n]*)\n(.*?)^```$", re.M | re.S)
COMMAND = [sys.executable, "-m", "cosim.cli"]
CMAKE = shutil.which("cmake", path=Path(sys.executable).parent) or shutil.which("cmake") or "cmake"
TOOLS = {"cosim": COMMAND, "python": [sys.executable], "cmake": [CMAKE]}
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


def blocks(page):
    return [(m[1], m[2].strip(), m[3]) for m in FENCE.finditer(page.read_text())]


def call(command, folder):
    result = subprocess.run(
        command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, timeout=240,
        stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip
    assert result.returncode == 0, f"{command}\n{result.stdout[-2000:]}\n{result.stderr[-2000:]}"


def test_there_is_no_other_kind_of_block():
    for page in PAGES:
        if page.name != "architecture.md":
            kinds = {kind for kind, _, _ in blocks(page)}
            assert kinds <= {"python", "bash", "toml", "cpp", "cmake", "text"}, page


def test_no_page_has_a_placeholder():
    # Two at signs stand for a figure that is still to be measured.
    pages = [*PAGES, *ROOT.glob("*.md")]
    assert len(pages) > len(PAGES)
    assert [page.name for page in pages if "@@" in page.read_text()] == []


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_a_pages_blocks_run_in_order(page, tmp_path):
    before = page.read_text().split("```")
    found = blocks(page)
    folder = tmp_path
    for number, (kind, words, text) in enumerate(found):
        prose = before[2 * number]
        if kind == "toml":
            saved = re.findall(r"`([\w-]+\.toml)`", prose)
            path = tmp_path / (saved[-1] if saved else f"block{number}.toml")
            path.write_text(text)
            if "plugin=" in words:
                continue  # the command that follows loads it
            if "scenario" in tomllib.loads(text):
                assert load_design(str(path)).points
            else:
                load_scenario(path)
        elif kind in ("python", "cpp", "cmake") and "title=" in words:
            (tmp_path / words.partition("title=")[2]).write_text(text)
        elif kind == "python":
            if "rl" in prose and "gymnasium" in text:
                pytest.importorskip("gymnasium")
            script = tmp_path / f"block{number}.py"
            script.write_text(f'if __name__ == "__main__":\n{_indented(text)}')
            call([sys.executable, str(script)], folder)
        elif kind == "bash":
            for line in text.strip().splitlines():
                name, *arguments = shlex.split(line)
                if name == "cd":
                    folder = folder / arguments[0]
                    continue
                assert name in TOOLS, line
                if name == "cmake" and "-S" in arguments:
                    arguments.append(f"-DPython_EXECUTABLE={sys.executable}")
                call([*TOOLS[name], *arguments], folder)
    if any(kind == "cpp" for kind, _, _ in found):
        compile_and_run(tmp_path)


def compile_and_run(folder):
    """Build the page's C++ files with the module's schedulers and run their program."""
    ns3 = Path(str(importlib.metadata.distribution("ns3").locate_file("ns3")))
    model = ROOT / "ns3_scenarios/model"
    sources = [*folder.glob("*.cc"), model / "nr-scheduler.cc", model / "nr-metric-scheduler.cc"]
    libraries = ns3 / "lib64"
    options = ["-std=c++20", "-DNS3_LOG_ENABLE", "-DNS3_ASSERT_ENABLE", f"-I{folder}", f"-I{model}",
               f"-I{ns3 / 'include'}", "-Wall", "-Werror=overloaded-virtual"]  # fmt: skip
    link = [f"-L{libraries}", "-lns3.44-core", f"-Wl,-rpath,{libraries},--allow-shlib-undefined"]
    call(["g++", *options, *map(str, sources), *link, "-o", "program"], folder)
    call([str(folder / "program")], folder)


def _indented(text):
    return "".join(f"    {line}\n" for line in text.splitlines())


@pytest.mark.slow
def test_the_site_builds_without_warnings():
    pytest.importorskip("mkdocs")
    call([sys.executable, "scripts/docs_reference.py"], ROOT)
    call([sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet"], ROOT)
    for name in ("scenario", "traces", "commands", "python", "attributes"):
        assert len((DOCS / "reference" / f"{name}.md").read_text()) > 1000, name
