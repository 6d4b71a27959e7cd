# SPDX-License-Identifier: MIT
"""The physical layer: channels from Sionna, carriers, and link abstraction tables.

Useful alone in a notebook. It imports nothing else of the project and knows no network simulator;
Sionna and torch are imported when a function needs them, not with the package.
"""
