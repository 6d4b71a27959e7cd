# SPDX-License-Identifier: MIT
"""What a model costs a device, smaller versions of it, and which to use when.

May import: the standard library and models.fingerprint; `variants` and `device_models` also
models.backbone, torch and torchao, `device_file` models.assets and ai-edge-litert, and
`export_device` beside these models.codecs, models.tasks and LiteRT's converter.
"""

from models.compression.controller import (
    Choice,
    LadderError,
    LadderRung,
    NodeState,
    choose,
    ladder_tasks,
    measured_ladder,
)
from models.compression.link import LinkEstimate
from models.compression.profile import PROFILES, DeviceProfile, ProfileError, get_profile

__all__ = [
    "PROFILES",
    "Choice",
    "DeviceProfile",
    "LadderError",
    "LadderRung",
    "LinkEstimate",
    "NodeState",
    "ProfileError",
    "choose",
    "get_profile",
    "ladder_tasks",
    "measured_ladder",
]
