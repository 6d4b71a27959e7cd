# SPDX-License-Identifier: MIT
"""Every code block of the documentation is executed: commands, Python, scenarios, campaigns.

A block marked `text` is output, or needs another machine; it says so in the page.
"""

import os
import re
import shlex
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
            assert kinds <= {"python", "bash", "toml", "text"}, page


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_a_pages_blocks_run_in_order(page, tmp_path):
    before = page.read_text().split("```")
    found = blocks(page)
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
        elif kind == "python" and "title=" in words:
            (tmp_path / words.partition("title=")[2]).write_text(text)
        elif kind == "python":
            if "rl" in prose and "gymnasium" in text:
                pytest.importorskip("gymnasium")
            script = tmp_path / f"block{number}.py"
            script.write_text(f'if __name__ == "__main__":\n{_indented(text)}')
            call([sys.executable, str(script)], tmp_path)
        elif kind == "bash":
            for line in text.strip().splitlines():
                name, *arguments = shlex.split(line)
                assert name == "cosim", line
                call([*COMMAND, *arguments], tmp_path)


def _indented(text):
    return "".join(f"    {line}\n" for line in text.splitlines())


@pytest.mark.slow
def test_the_site_builds_without_warnings():
    pytest.importorskip("mkdocs")
    call([sys.executable, "scripts/docs_reference.py"], ROOT)
    call([sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet"], ROOT)
    for name in ("scenario", "traces", "commands", "python", "attributes"):
        assert len((DOCS / "reference" / f"{name}.md").read_text()) > 1000, name
