# SPDX-License-Identifier: MIT
"""The name under which programs written for ns3-ai import `Experiment`."""

from cosim.bridge.ns3ai import Experiment

__all__ = ["Experiment"]
