# SPDX-License-Identifier: MIT
"""The numbers of a training run."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Config:
    """A training run; all of it goes into the weight files' metadata.

    Attributes:
        samples: training samples used at most, the first by content hash.
        validation_samples: validation samples used at most.
        clean_steps: of the baseline's edge model.
        token_steps: of the split codec.
        batch: samples a step.
        rank: of the low-rank changes.
        cut: layers at the device.
        last: layers at device and edge together.
        distil: weight of the baseline's answers beside the labels'.
        accept_accuracy: of accepted answers on validation data; sets the threshold.
    """

    seed: int = 1
    samples: int = 7000
    validation_samples: int = 800
    clean_steps: int = 400
    token_steps: int = 700
    batch: int = 16
    rank: int = 8
    cut: int = 4
    last: int = 12
    adapter_rate: float = 1e-3
    head_rate: float = 2e-3
    bottleneck_rate: float = 5e-4
    weight_decay: float = 0.01
    distil: float = 0.5
    accept_accuracy: float = 0.9


RUNG_CHANCES = {
    "d32-int8": 0.1,
    "d16-int8": 0.1,
    "d16-int4": 0.35,
    "d8-int4": 0.35,
    "d4-int4": 0.1,
}
LOSS_FREE_CHANCE = 0.25
TOP_CHANCE = 0.35
"""Of keeping only a text's most important tokens, as a budget does."""

MAX_LOSS = 0.8

CALIBRATION_RUNG = "d16-int4"
"""Whose scores, with none, 0.3 and 0.6 of the tokens lost, set temperature and threshold."""


def changed_options(config: Any) -> list[str]:
    """Return the command-line options that differ from a configuration's defaults.

    Args:
        config: a dataclass whose fields all have defaults.
    """
    parts: list[str] = []
    for name, value in asdict(config).items():
        if value != getattr(type(config)(), name):
            values = value if isinstance(value, tuple) else (value,)
            parts += [f"--{name.replace('_', '-')}", *map(str, values)]
    return parts
