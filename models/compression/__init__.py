# SPDX-License-Identifier: MIT
"""What a model costs a device: latency and energy. May import: the standard library."""

from models.compression.profile import PROFILES, DeviceProfile, ProfileError, get_profile

__all__ = ["PROFILES", "DeviceProfile", "ProfileError", "get_profile"]
