# SPDX-License-Identifier: MIT
"""How the shipped weights were made: run once, on a CPU, from a seed. May import: all of models."""
