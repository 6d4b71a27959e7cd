# SPDX-License-Identifier: MIT
"""Models of the user's: causal models and encoders in a folder or, if allowed, on the hub.

A Llama model gets the project's own fast code (`llama.py`), any other the generic one.
"""

import contextlib
import hashlib
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor

from models.backbone.api import Backbone, BackboneError, Geometry
from models.backbone.generic import GenericBackbone, WrappedModel, sizes
from models.backbone.llama import Layer, LlamaBackbone, LlamaConfig
from models.backbone.probing import Probe, find_projections, find_stack
from models.backbone.text import TextTokenizer


def layer_count(name: str, *, allow_hub: bool) -> int:
    """Return how many layers a model has, from its configuration.

    Raises:
        BackboneError: it cannot be loaded.
    """
    from transformers import AutoConfig

    with _loading(name, allow_hub):
        config = AutoConfig.from_pretrained(
            name, local_files_only=not allow_hub, trust_remote_code=False
        )
    return _layers(config, name)


def load_huggingface(
    name: str, *, layers: int, dtype: torch.dtype | None, allow_hub: bool
) -> Backbone:
    """Return a causal model or an encoder.

    Args:
        name: a folder, or a name on the hub.
        layers: how many to keep in memory.
        dtype: number type of matrix products; None: the fastest for Llama models that loses
            nothing to speak of, 32-bit floats for all others.
        allow_hub: whether the network may be asked.

    Raises:
        BackboneError: it cannot be loaded, or not be run in parts with lost tokens.
    """
    from transformers import AutoModel, AutoTokenizer, PreTrainedConfig

    from models.backbone.loading import choose_dtype

    # Code that comes with a model would be run: without asking, and only transformers' own.
    local: dict[str, Any] = {"local_files_only": not allow_hub, "trust_remote_code": False}
    with _loading(name, allow_hub):
        model, report = AutoModel.from_pretrained(
            name, dtype=torch.float32, output_loading_info=True, **local
        )
        tokenizer = AutoTokenizer.from_pretrained(name, **local)
        written: dict[str, Any] = PreTrainedConfig.get_config_dict(name, **local)[0]
    config = model.config
    there = _layers(config, name)
    if not 1 <= layers <= there:
        raise BackboneError(f"{name} has {there} layers, {layers} were asked for")
    missing = set(report["missing_keys"])
    tensors = {key: value for key, value in model.state_dict().items() if key not in missing}
    text = _text(tokenizer, name)
    fingerprint = _fingerprint(written, tensors, tokenizer.get_vocab())
    if _is_plain_llama(config) and not missing:
        fast = dtype or choose_dtype("auto")
        return _llama(name, fingerprint, config, tensors, text, layers, fast)
    with torch.no_grad():
        for key, value in [*model.named_parameters(), *model.named_buffers()]:
            if key in missing and value.is_floating_point():
                value.fill_(float("nan"))  # a pooling layer may be missing; what is used shows
    model = model.to(dtype or torch.float32)
    return _generic(name, fingerprint, model, tokenizer, text, layers)


def _generic(
    name: str, fingerprint: str, model: Any, tokenizer: Any, text: TextTokenizer, layers: int
) -> GenericBackbone:
    config = model.config.get_text_config()
    config.use_cache = False
    model.config.use_cache = False
    stack = find_stack(model, _layers(config, name), name)
    projections = find_projections(list(stack[:layers]), config.hidden_size, name)
    wrapped = WrappedModel(model, stack, projections)
    habits = Probe(wrapped, stack, name).learn(config.pad_token_id)
    known = getattr(config, "max_position_embeddings", None)
    weights = [sum(p.numel() for p in layer.parameters() if p.dim() > 1) for layer in stack]
    return GenericBackbone(
        name=name,
        fingerprint=fingerprint,
        model=wrapped,
        geometry=Geometry(
            habits.hidden,
            layers,
            round(sum(weights[:layers]) / layers),
            next(p for p in stack[0].parameters()).element_size(),
        ),
        joint_rows=sum(sizes(module)[1] for module in projections[0]),
        prefix_token=_prefix_token(tokenizer, config, wrapped.vocabulary),
        both_ways=habits.both_ways,
        positions=int(known) if known and known > 0 else None,
        tokenizer=text,
    )


def _prefix_token(tokenizer: Any, config: Any, vocabulary: int) -> int:
    """Return the token at position 0: the one with which the model's texts begin.

    That is [CLS] or <s> or the like; a model without one (Qwen) has an end-of-text token, which
    stands between the documents that it was trained on.
    """
    for number in (
        tokenizer.bos_token_id,
        tokenizer.cls_token_id,
        getattr(config, "bos_token_id", None),
        tokenizer.eos_token_id,
        getattr(config, "eos_token_id", None),
    ):
        if isinstance(number, int) and number < vocabulary:
            return number
    return 0


def _layers(config: Any, name: str) -> int:
    if getattr(config, "is_encoder_decoder", False):
        raise BackboneError(
            f"model {name} is an encoder with a decoder ({config.model_type}); a causal model or "
            "an encoder works"
        )
    count = getattr(config.get_text_config(), "num_hidden_layers", None)
    if not isinstance(count, int):
        raise BackboneError(
            f"model {name} ({config.model_type}) does not say how many layers it has; a causal "
            "model or an encoder of text works"
        )
    return count


def _is_plain_llama(config: Any) -> bool:
    """Return whether the project's own code computes this model."""
    rope = getattr(config, "rope_parameters", None) or {}
    return (
        config.model_type == "llama"
        and not getattr(config, "attention_bias", False)
        and not getattr(config, "mlp_bias", False)
        and config.hidden_act == "silu"
        and rope.get("rope_type", "default") == "default"
        and rope.get("partial_rotary_factor", 1.0) == 1.0
    )


def _llama(
    name: str,
    fingerprint: str,
    config: Any,
    tensors: dict[str, Tensor],
    text: TextTokenizer,
    layers: int,
    dtype: torch.dtype,
) -> LlamaBackbone:
    rope = getattr(config, "rope_parameters", None) or {}
    start, width = config.bos_token_id, getattr(config, "head_dim", None)
    named = {f"model.{key}": value for key, value in tensors.items()}
    return LlamaBackbone(
        name=name,
        fingerprint=fingerprint,
        config=LlamaConfig(
            hidden_size=config.hidden_size,
            intermediate_size=config.intermediate_size,
            num_hidden_layers=config.num_hidden_layers,
            num_attention_heads=config.num_attention_heads,
            num_key_value_heads=config.num_key_value_heads,
            head_dim=width or config.hidden_size // config.num_attention_heads,
            rms_norm_eps=config.rms_norm_eps,
            rope_theta=float(rope.get("rope_theta", 10_000.0)),
            prefix_token=start if isinstance(start, int) else 0,
        ),
        embedding=tensors["embed_tokens.weight"],
        layers=[Layer.read(named, number, dtype) for number in range(layers)],
        tokenizer=text,
    )


def _text(tokenizer: Any, name: str) -> TextTokenizer:
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        raise BackboneError(
            f"model {name} has no tokenizer.json: save it with a fast tokenizer of transformers"
        )
    unknown = tokenizer.unk_token_id
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "tokenizer.json"
        backend.save(str(path))
        return TextTokenizer(path, blank=unknown or 0)


def _fingerprint(
    written: dict[str, Any], tensors: dict[str, Tensor], vocabulary: dict[str, int]
) -> str:
    """Return a hash of configuration, weights and vocabulary: not of where the files are.

    The configuration is as its file has it: what another version of the library adds to it as a
    default is not a part of the model.
    """
    kept = {
        key: value
        for key, value in written.items()
        if key not in ("transformers_version", "dtype", "torch_dtype") and key[:1] != "_"
    }
    text = json.dumps([kept, sorted(vocabulary.items())], sort_keys=True, default=str)
    digest = hashlib.sha256(text.encode())
    for key in sorted(tensors):
        digest.update(
            key.encode() + tensors[key].reshape(-1).contiguous().view(torch.uint8).numpy().data
        )
    return digest.hexdigest()[:16]


@contextlib.contextmanager
def _loading(name: str, allow_hub: bool) -> Iterator[None]:
    """Turn what goes wrong into one error with a remedy; keep the library quiet meanwhile."""
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    except (OSError, ValueError, KeyError, ImportError, RuntimeError, SafetensorError) as error:
        first = (str(error) or type(error).__name__).splitlines()[0]
        raise BackboneError(
            f"model {name!r} cannot be loaded ({first}); give a local folder"
            + ("" if allow_hub else ", or set allow_hub if this machine may use the network")
        ) from None
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
