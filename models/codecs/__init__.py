# SPDX-License-Identifier: MIT
"""Codecs: samples to units of bytes at a device, and whatever arrived to answers at a receiver.

A codec is one file with a subclass of `Codec` and a line in `registry.py` (or a call of
`register_codec`). May import: models.tasks, models.backbone, models.assets.cache.
"""

from models.codecs.base import Codec, CodecError, Decoded, EncodedMessage, ReceivedMessage
from models.codecs.registry import (
    codec_names,
    codec_rungs,
    codec_tasks,
    get_codec,
    register_codec,
)
from models.tasks import Sample

__all__ = [
    "Codec",
    "CodecError",
    "Decoded",
    "EncodedMessage",
    "ReceivedMessage",
    "Sample",
    "codec_names",
    "codec_rungs",
    "codec_tasks",
    "get_codec",
    "register_codec",
]
