# SPDX-License-Identifier: MIT
"""Federated split fine-tuning: a language model cut between devices and an edge server.

`split` is the model in two parts and the exact step across the cut, `smashed` what may be done to
the activations that cross it, `wire` the bytes of every message, `strategy` and `lowrank` the
aggregation, `selection` who takes part, `partition` who has which samples, `reference` a round in
memory. Nothing here knows a network; `cosim.agents.trainer` carries the bytes. May import:
models.backbone, models.tasks, torch, safetensors, zstandard, numpy.
"""

from models.federated.partition import dirichlet_partition
from models.federated.smashed import SmashedCodec, SmashedError, parse_smashed
from models.federated.split import DeviceSide, EdgeSide, SplitModel, SplitSpec
from models.federated.strategy import FitResult, Strategy, get_strategy, strategy_names

__all__ = [
    "DeviceSide",
    "EdgeSide",
    "FitResult",
    "SmashedCodec",
    "SmashedError",
    "SplitModel",
    "SplitSpec",
    "Strategy",
    "dirichlet_partition",
    "get_strategy",
    "parse_smashed",
    "strategy_names",
]
