# SPDX-License-Identifier: MIT
"""Sionna's random numbers, made to follow from a seed for the time of a call."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def sionna_seed(seed: int) -> Iterator[None]:
    """Seed Sionna inside the block; its generator and torch's go on as before afterwards."""
    import torch
    from sionna.phy import config

    before = config.seed, config.torch_rng("cpu").get_state(), torch.get_rng_state()
    config.seed = seed
    try:
        yield
    finally:
        config.seed = before[0]
        config.torch_rng("cpu").set_state(before[1])
        torch.set_rng_state(before[2])
