# SPDX-License-Identifier: MIT
"""Federated split fine-tuning: a language model cut between devices and an edge server.

`split` is the model in two parts and the exact step across the cut, `smashed` what may be done to
the activations that cross it, `wire` the bytes of every message, `strategy` and `lowrank` the
aggregation, `selection` who takes part, `partition` who has which samples, `reference` a round in
memory, `peft_format` what was trained as files of Hugging Face's PEFT. Nothing here knows a
network; `cosim.agents.trainer` carries the bytes. May import: models.backbone, models.tasks, torch,
safetensors, zstandard, numpy.
"""

import importlib
from typing import TYPE_CHECKING, Any

from models.federated.scheme import SmashedError, parse_scheme

if TYPE_CHECKING:
    from models.federated.partition import dirichlet_partition
    from models.federated.sides import DeviceSide, EdgeSide
    from models.federated.smashed import SmashedCodec, parse_smashed
    from models.federated.split import SplitModel, SplitSpec
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
    "parse_scheme",
    "parse_smashed",
    "strategy_names",
]

_HOMES = {
    "dirichlet_partition": "models.federated.partition",
    "SmashedCodec": "models.federated.smashed",
    "parse_smashed": "models.federated.smashed",
    "DeviceSide": "models.federated.sides",
    "EdgeSide": "models.federated.sides",
    "SplitModel": "models.federated.split",
    "SplitSpec": "models.federated.split",
    "FitResult": "models.federated.strategy",
    "Strategy": "models.federated.strategy",
    "get_strategy": "models.federated.strategy",
    "strategy_names": "models.federated.strategy",
}


def __getattr__(name: str) -> Any:
    """Import what needs torch when it is asked for: scenarios are checked without it."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
