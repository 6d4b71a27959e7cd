# SPDX-License-Identifier: MIT
"""Sionna without PyTorch's compiler, for processes that are waited for.

Two decorators in Sionna (`torch.compile` and `torch.compiler.disable`, on methods of a detector and
of a channel estimator that are not used here) make the import of `sionna.phy` import the whole
compiler. Without them these methods do the same, uncompiled.
"""

from collections.abc import Callable
from typing import Any


def import_sionna() -> None:
    """Import `sionna.phy`; the decorators are as before afterwards."""
    import torch

    before = torch.compile, torch.compiler.disable
    torch.compile = torch.compiler.disable = _leave  # type: ignore[assignment]
    try:
        import sionna.phy  # noqa: F401
    finally:
        torch.compile, torch.compiler.disable = before


def _leave(function: Callable[..., Any] | None = None, *_: Any, **options: Any) -> Any:
    """Stand for a decorator, with and without arguments."""
    return function if function is not None else (lambda other: other)
