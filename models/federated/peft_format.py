# SPDX-License-Identifier: MIT
"""Trained low-rank changes in the files of Hugging Face's PEFT, which need not be installed.

Here a layer's query, key and value products are one matrix, so its change ΔW = B·A has one A for
the three of them. In PEFT's terms these are LoRA on `q_proj`, `k_proj` and `v_proj` with equal A,
each with its rows of B, and alpha = rank, so that nothing is scaled (E. J. Hu et al., "LoRA", ICLR
2022; format: PEFT 0.21, `adapter_config.json` and `adapter_model.safetensors`). Pooling and head
are no part of the language model; they are in `head.safetensors` beside it.
"""

import json
from collections.abc import Mapping
from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from models.backbone.llama import LlamaBackbone
from models.federated.lowrank import Tensors, cut_rank, layers_of

ADAPTER, CONFIG, HEAD = "adapter_model.safetensors", "adapter_config.json", "head.safetensors"
_PARTS = ("q_proj", "k_proj", "v_proj")


class AdapterError(ValueError):
    """Files that are no adapter of this model."""


def save_adapter(folder: Path, tensors: Mapping[str, Tensor], backbone: LlamaBackbone) -> None:
    """Write trained values into a folder, which is made.

    Args:
        folder: for the three files.
        tensors: as strategies hold them; where ranks differ, lower ones are padded with zeros.
        backbone: whose layers are changed.
    """
    numbers = layers_of(tensors)
    rank = max(tensors[f"down.{n}"].shape[0] for n in numbers)
    values = cut_rank(tensors, rank)
    out: Tensors = {}
    for number in numbers:
        ups = torch.split(values[f"up.{number}"], _rows(backbone))
        for part, up in zip(_PARTS, ups, strict=True):
            out[_name(number, part, "A")] = values[f"down.{number}"].clone()
            out[_name(number, part, "B")] = up.clone()
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": backbone.name,
        "r": rank,
        "lora_alpha": rank,
        "lora_dropout": 0.0,
        "bias": "none",
        "target_modules": list(_PARTS),
        "layers_to_transform": numbers,
        "layers_pattern": "layers",
        "inference_mode": True,
    }
    folder.mkdir(parents=True, exist_ok=True)
    safetensors.torch.save_file(out, folder / ADAPTER, {"format": "pt"})
    (folder / CONFIG).write_text(json.dumps(config, indent=2) + "\n")
    head = {n: v.detach().contiguous() for n, v in tensors.items() if not _is_lora(n)}
    safetensors.torch.save_file(head, folder / HEAD)


def load_adapter(folder: Path, backbone: LlamaBackbone) -> Tensors:
    """Return values that `save_adapter` wrote, or LoRA of PEFT's that is of this form.

    Raises:
        AdapterError: a file is missing or damaged, a name or shape is not of this model, or A
            differs between query, key and value.
    """
    try:
        config = json.loads((folder / CONFIG).read_text())
        values = safetensors.torch.load_file(folder / ADAPTER)
        head = safetensors.torch.load_file(folder / HEAD) if (folder / HEAD).exists() else {}
        scale = float(config["lora_alpha"]) / float(config["r"])
        numbers = sorted({int(name.split(".layers.")[1].split(".")[0]) for name in values})
    except (OSError, ValueError, KeyError, IndexError, TypeError, SafetensorError) as error:
        raise AdapterError(f"{folder} has no adapter that can be read: {error}") from None
    wanted = {_name(n, part, side) for n in numbers for part in _PARTS for side in "AB"}
    if values.keys() != wanted:
        odd = sorted(values.keys() ^ wanted)[:2]
        raise AdapterError(f"not LoRA of query, key and value alone: {', '.join(odd)}")
    out: Tensors = {}
    for number in numbers:
        downs = [values[_name(number, part, "A")].float() for part in _PARTS]
        ups = [values[_name(number, part, "B")].float() for part in _PARTS]
        shapes = [(rows, downs[0].shape[0]) for rows in _rows(backbone)]
        if downs[0].shape[1] != backbone.geometry.hidden or [tuple(u.shape) for u in ups] != shapes:
            raise AdapterError(f"layer {number} has other sizes than {backbone.name}")
        if not all(torch.equal(down, downs[0]) for down in downs):
            raise AdapterError(f"layer {number}: A of query, key and value are not one")
        out[f"down.{number}"], out[f"up.{number}"] = downs[0], scale * torch.cat(ups)
    return {**out, **head}


def _rows(backbone: LlamaBackbone) -> list[int]:
    """Return the rows of query, key and value in their joint product."""
    config = backbone.config
    keys = config.num_key_value_heads * config.head_dim
    return [config.num_attention_heads * config.head_dim, keys, keys]


def _name(number: int, part: str, side: str) -> str:
    return f"base_model.model.model.layers.{number}.self_attn.{part}.lora_{side}.weight"


def _is_lora(name: str) -> bool:
    return name.startswith(("down.", "up."))
