# SPDX-License-Identifier: MIT
"""One thread for results that must not depend on the machine's core count."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch compute on one thread inside the block, as before after it.

    The order of sums, and with it the last bit of a result, can depend on the number of threads.
    One thread is also faster here: the arrays are small, and two threads that share a core wait for
    each other.
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
