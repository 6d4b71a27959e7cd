# SPDX-License-Identifier: MIT
"""Pretrained language models, cut between a device and an edge server, run offline.

`llama.py` computes with packed sequences so that no result depends on its batch; `smollm2.py`
prepares the default model from the cache; `huggingface.py` adapts a model folder of the user's.
May import: models.assets, torch, safetensors, tokenizers; transformers only to convert.
"""

from models.backbone.api import Adapters, Backbone, BackboneError, Geometry
from models.backbone.loading import load_backbone
from models.backbone.smollm2 import DEFAULT_BACKBONE, prepare
from models.backbone.text import TextTokenizer

__all__ = [
    "DEFAULT_BACKBONE",
    "Adapters",
    "Backbone",
    "BackboneError",
    "Geometry",
    "TextTokenizer",
    "load_backbone",
    "prepare",
]
