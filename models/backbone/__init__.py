# SPDX-License-Identifier: MIT
"""Pretrained language models, cut between a device and an edge server, run offline.

`llama.py` computes with packed sequences so that no result depends on its batch; `smollm2.py`
prepares the default model from the cache; `huggingface.py` takes a model of the user's, which
`generic.py` runs through transformers if it is no Llama.
May import: models.assets, torch, safetensors, tokenizers; transformers only to convert and for
models of the user's.
"""

from models.backbone.api import Adapters, Backbone, BackboneError, Geometry
from models.backbone.loading import count_layers, lasting_name, load_backbone
from models.backbone.smollm2 import DEFAULT_BACKBONE, prepare
from models.backbone.text import TextTokenizer

__all__ = [
    "DEFAULT_BACKBONE",
    "Adapters",
    "Backbone",
    "BackboneError",
    "Geometry",
    "TextTokenizer",
    "count_layers",
    "lasting_name",
    "load_backbone",
    "prepare",
]
