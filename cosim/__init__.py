# SPDX-License-Identifier: MIT
"""The engine: reads a scenario, runs ns-3, the channel and the agents together, writes traces.

It may import `sionna_phy` and `models`; it knows nothing of `analysis` except through the command
line (`cosim.cli`), and it never links ns-3: it starts the ns-3 executable as a child process.
Importing `cosim` itself is cheap: no torch, no Sionna, no transformers.
"""

__version__ = "0.1.0"
