# SPDX-License-Identifier: MIT
"""Shared memory between a C++ program (usually ns-3) and Python, by itself useful to anybody.

One anonymous segment holds any number of channels of three kinds: an *exchange* (a batch of records
out, a batch back, the simulator waits), a *stream* (records one way, never lost) and *blocks*
(numbered arrays published ahead). The C++ program declares them; Python finds their names and
NumPy types in the segment. This room imports nothing else of the project, and no ns-3.
"""

from cosim.bridge._bridge import BridgeError, PeerDied, end_with_parent
from cosim.bridge.bridge import Bridge
from cosim.bridge.channels import Batch, Blocks, Exchange, Stream, Timeout
from cosim.bridge.schema import dtype_of, sim_dtypes, sim_schema

__all__ = [
    "Batch",
    "Blocks",
    "Bridge",
    "BridgeError",
    "Exchange",
    "PeerDied",
    "Stream",
    "Timeout",
    "dtype_of",
    "end_with_parent",
    "sim_dtypes",
    "sim_schema",
]
