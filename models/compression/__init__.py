# SPDX-License-Identifier: MIT
"""What a model costs a device, smaller versions of it, and which to use when.

May import: the standard library; `variants` also models.backbone, torch and torchao.
"""

from models.compression.controller import (
    Choice,
    LadderError,
    LadderRung,
    NodeState,
    choose,
    measured_ladder,
)
from models.compression.profile import PROFILES, DeviceProfile, ProfileError, get_profile

__all__ = [
    "PROFILES",
    "Choice",
    "DeviceProfile",
    "LadderError",
    "LadderRung",
    "NodeState",
    "ProfileError",
    "choose",
    "get_profile",
    "measured_ladder",
]
