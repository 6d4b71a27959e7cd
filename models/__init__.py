# SPDX-License-Identifier: MIT
"""Semantic models: what a device sends of a sample and what a receiver makes of what arrived.

Useful alone in a notebook: nothing here knows a network, a channel or the co-simulation. May
import: torch, safetensors, tokenizers, transformers, zstandard, numpy and the standard library.
"""


def prepare_demo() -> None:
    """Fetch and convert what the demo needs; see `models.prepare.prepare_demo`."""
    from models.prepare import prepare_demo as prepare

    prepare()


__all__ = ["prepare_demo"]
