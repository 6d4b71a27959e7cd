# SPDX-License-Identifier: MIT
"""Pretrained vision: pictures to a short row of feature vectors, offline.

May import: models.assets, models.tasks, numpy, torch.
"""

from models.vision.efficientnet import VisionEncoder, VisionError, load_vision

__all__ = ["VisionEncoder", "VisionError", "load_vision"]
