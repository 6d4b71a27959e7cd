# SPDX-License-Identifier: MIT
"""Sionna without PyTorch's compiler: what is not imported, and that nothing else changes."""

import subprocess
import sys

PROGRAM = """
import sys
import torch
before = torch.compile, torch.compiler.disable
from sionna_phy.lean_import import import_sionna
import_sionna()
assert (torch.compile, torch.compiler.disable) == before
assert "torch._dynamo" not in sys.modules
from sionna.phy.mimo.utils import List2LLRSimple
indices = torch.tensor([[1], [3]])
found = List2LLRSimple._fused_equal_any(indices, torch.tensor([[1, 2]]))
assert found.tolist() == [True, False], found
"""


def test_the_compiler_stays_away_and_decorated_functions_work():
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
