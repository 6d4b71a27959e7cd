# SPDX-License-Identifier: MIT
"""Loading a backbone's first layers: from the cache, a folder of the user's, or a hub name."""

import dataclasses
import functools
import hashlib
import json
from pathlib import Path
from typing import Literal

import torch
from safetensors import safe_open

from models.backbone import packaged
from models.backbone.api import Backbone, BackboneError
from models.backbone.llama import Layer, LlamaBackbone, LlamaConfig
from models.backbone.smollm2 import DEFAULT_BACKBONE, folder
from models.backbone.text import TextTokenizer
from models.names import PACKAGED_BACKBONES

AUTO_BYTES = 2
"""Of a weight in a simulated device's memory where no number type is asked for: bfloat16."""

Precision = Literal["auto", "float32", "bfloat16"]


def choose_dtype(precision: Precision) -> torch.dtype:
    """Return the number type of matrix products.

    "auto" takes bfloat16 where the processor multiplies it in hardware (about twice as fast as
    float32, measured on an AVX-512-BF16 core) and float32 elsewhere.
    """
    if precision == "float32":
        return torch.float32
    if precision == "bfloat16":
        return torch.bfloat16
    if precision != "auto":
        raise BackboneError(f"precision {precision!r} is not one of auto, float32, bfloat16")
    native = _cpu_has("_is_avx512_bf16_supported") or _cpu_has("_is_amx_tile_supported")
    return torch.bfloat16 if native else torch.float32


def _cpu_has(test: str) -> bool:
    probe = getattr(torch.cpu, test, None) or getattr(torch._C._cpu, test, None)
    return bool(probe and probe())


@functools.cache
def load_backbone(
    name: str = DEFAULT_BACKBONE,
    *,
    layers: int = 12,
    precision: Precision = "auto",
    allow_hub: bool = False,
) -> Backbone:
    """Return a model with its first `layers` layers in memory (once a process).

    Args:
        name: the default model, another one that comes in a package (`models.names`), a folder
            with a causal model or an encoder of Hugging Face's transformers, or a model's name on
            their hub: with `allow_hub` it is fetched, otherwise it must have been before.
        layers: how many.
        precision: number type of matrix products; see `choose_dtype`. "auto" means 32-bit floats
            for models that are no Llama.
        allow_hub: whether the network may be asked.

    Raises:
        BackboneError: there is no such model, it has fewer layers, or it cannot be run in parts
            with lost tokens.
    """
    dtype = choose_dtype(precision)
    if name == DEFAULT_BACKBONE:
        return _charged(_load_prepared(layers, dtype), precision)
    from models.backbone.huggingface import load_huggingface

    found = load_huggingface(
        str(packaged.folder(name)) if name in PACKAGED_BACKBONES else name,
        layers=layers,
        dtype=None if precision == "auto" else dtype,
        allow_hub=allow_hub,
    )
    found.name = name
    return _charged(found, precision)


def _charged(found: Backbone, precision: Precision) -> Backbone:
    """Charge simulated devices for the same weights on every machine that simulates.

    With "auto" the machine's processor decides in which type a Llama model is multiplied; what a
    message costs in simulated time and energy must not depend on that.
    """
    if precision == "auto" and isinstance(found, LlamaBackbone):
        found.geometry = dataclasses.replace(found.geometry, bytes_per_weight=AUTO_BYTES)
    return found


def count_layers(name: str = DEFAULT_BACKBONE, *, allow_hub: bool = False) -> int:
    """Return how many layers a model has, without loading it.

    Raises:
        BackboneError: there is no such model.
    """
    if name == DEFAULT_BACKBONE:
        config = json.loads((_prepared() / "config.json").read_text())
        return int(config["num_hidden_layers"])
    from models.backbone.huggingface import layer_count

    path = str(packaged.folder(name)) if name in PACKAGED_BACKBONES else name
    return layer_count(path, allow_hub=allow_hub)


def lasting_name(name: str) -> str:
    """Return the name under which a model is found from any working folder: a full path, or it."""
    if name == DEFAULT_BACKBONE or name in PACKAGED_BACKBONES or not Path(name).is_dir():
        return name
    return str(Path(name).resolve())


def _prepared() -> Path:
    home = folder()
    if not (home / "manifest.json").is_file():
        raise BackboneError(
            f"the language model is not prepared in {home.parent}: run `python -m models.prepare`"
        )
    return home


def _load_prepared(layers: int, dtype: torch.dtype) -> LlamaBackbone:
    home = _prepared()
    files = json.loads((home / "manifest.json").read_text())["files"]
    config = LlamaConfig(**json.loads((home / "config.json").read_text()))
    return read_llama(
        home / "model.safetensors",
        TextTokenizer(home / "tokenizer.json"),
        config,
        name=DEFAULT_BACKBONE,
        fingerprint=hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()[:16],
        layers=layers,
        dtype=dtype,
    )


def read_llama(
    weights: Path,
    tokenizer: TextTokenizer,
    config: LlamaConfig,
    *,
    name: str,
    fingerprint: str,
    layers: int,
    dtype: torch.dtype,
) -> LlamaBackbone:
    """Read a Llama model's embedding and first layers from one safetensors file.

    Raises:
        BackboneError: the file lacks them.
    """
    if not 1 <= layers <= config.num_hidden_layers:
        raise BackboneError(
            f"{name} has {config.num_hidden_layers} layers, {layers} were asked for"
        )
    wanted = tuple(f"model.layers.{number}." for number in range(layers))
    try:
        with safe_open(weights, framework="pt") as file:
            tensors = {key: file.get_tensor(key) for key in file.keys() if key.startswith(wanted)}  # noqa: SIM118
            embedding = file.get_tensor("model.embed_tokens.weight")
        parts = [Layer.read(tensors, number, dtype) for number in range(layers)]
    except (OSError, KeyError) as error:
        raise BackboneError(f"{weights} cannot be read: {error}") from None
    return LlamaBackbone(
        name=name,
        fingerprint=fingerprint,
        config=config,
        embedding=embedding,
        layers=parts,
        tokenizer=tokenizer,
    )
