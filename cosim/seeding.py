# SPDX-License-Identifier: MIT
"""Every random generator of a run derives from the scenario's one seed and a name."""

import hashlib

import numpy as np


def derive_seed(seed: int, *names: str | int, bits: int = 63) -> int:
    """Return a seed that depends only on `seed` and the path of `names`.

    A hash, not an offset: streams of neighbouring seeds or names never coincide.

    Args:
        seed: the scenario's seed.
        names: what the generator is for, from the general to the particular.
        bits: the width of the result (ns-3's RngRun takes 31, torch and NumPy 63).
    """
    text = "/".join([str(seed), *(str(name) for name in names)])
    digest = hashlib.sha256(text.encode()).digest()
    return int.from_bytes(digest[:8], "little") >> (64 - bits)


def generator(seed: int, *names: str | int) -> np.random.Generator:
    """Return a NumPy generator for one purpose; see `derive_seed`."""
    return np.random.Generator(np.random.PCG64(derive_seed(seed, *names)))
