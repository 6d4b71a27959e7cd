# SPDX-License-Identifier: MIT
"""Models of the user's: any Llama-style causal model in a folder or, if allowed, on the hub."""

import hashlib
from typing import Any

import torch

from models.backbone.api import BackboneError
from models.backbone.llama import Layer, LlamaBackbone, LlamaConfig
from models.backbone.text import TextTokenizer


def load_huggingface(
    name: str, *, layers: int, dtype: torch.dtype, allow_hub: bool
) -> LlamaBackbone:
    """Return a model of the Llama family (Llama, SmolLM, TinyLlama and their fine-tunes).

    Args:
        name: a folder, or a name on the hub.
        layers: how many to keep in memory.
        dtype: number type of matrix products.
        allow_hub: whether the network may be asked.

    Raises:
        BackboneError: it cannot be loaded, or is of another architecture.
    """
    import tempfile
    from pathlib import Path

    from transformers import AutoModelForCausalLM, AutoTokenizer

    try:
        options: dict[str, Any] = {"local_files_only": not allow_hub}
        model = AutoModelForCausalLM.from_pretrained(name, dtype=torch.float32, **options)
        tokenizer = AutoTokenizer.from_pretrained(name, **options)
    except (OSError, ValueError) as error:
        first = str(error).splitlines()[0]
        raise BackboneError(
            f"model {name!r} cannot be loaded ({first}); give a local folder"
            + ("" if allow_hub else ", or set allow_hub if this machine may use the network")
        ) from None
    config = model.config
    if config.model_type != "llama" or getattr(config, "attention_bias", False):
        raise BackboneError(f"model {name!r} is a {config.model_type} model; llama models work")
    if not 1 <= layers <= config.num_hidden_layers:
        raise BackboneError(
            f"{name} has {config.num_hidden_layers} layers, {layers} were asked for"
        )
    start = tokenizer.bos_token_id
    tensors = model.state_dict()
    digest = hashlib.sha256(repr(config.to_dict()).encode())
    for number in range(layers):
        for key in sorted(k for k in tensors if k.startswith(f"model.layers.{number}.")):
            digest.update(tensors[key].numpy().tobytes())
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "tokenizer.json"
        tokenizer.backend_tokenizer.save(str(path))
        text = TextTokenizer(path)
    rope = getattr(config, "rope_parameters", None) or {}
    return LlamaBackbone(
        name=name,
        fingerprint=digest.hexdigest()[:16],
        config=LlamaConfig(
            hidden_size=config.hidden_size,
            intermediate_size=config.intermediate_size,
            num_hidden_layers=config.num_hidden_layers,
            num_attention_heads=config.num_attention_heads,
            num_key_value_heads=config.num_key_value_heads,
            head_dim=config.hidden_size // config.num_attention_heads
            if getattr(config, "head_dim", None) is None
            else config.head_dim,
            rms_norm_eps=config.rms_norm_eps,
            rope_theta=float(rope.get("rope_theta", 10_000.0)),
            prefix_token=0 if start is None else int(start),
        ),
        embedding=tensors["model.embed_tokens.weight"],
        layers=[Layer.read(tensors, number, dtype) for number in range(layers)],
        tokenizer=text,
    )
