# SPDX-License-Identifier: MIT
"""Channel producers: numbered blocks of per-PRB gains of all links at once.

A producer makes blocks from a `ChannelSpec`; `make_producer` chooses it by the model's name, and
`register` adds another. Models that know rays (stochastic now, traced ones the same way) hand a
`RaySet` to `RayEvaluator` and share Doppler, frequency response and beamforming.
"""

from sionna_phy.channel.base import (
    ChannelBlockArray,
    ChannelProducer,
    make_producer,
    models,
    register,
)
from sionna_phy.channel.spec import ChannelSpec, ChannelSpecError

__all__ = [
    "ChannelBlockArray",
    "ChannelProducer",
    "ChannelSpec",
    "ChannelSpecError",
    "make_producer",
    "models",
    "register",
]
