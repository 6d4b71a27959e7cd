# SPDX-License-Identifier: MIT
"""What `cosim assets` and `cosim doctor` ask of `models.assets`, as plain types."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from models import assets


def listing() -> list[dict[str, Any]]:
    """Return one dictionary an asset: name, version, licence, size, use, groups, cached."""
    return [
        {
            "name": asset.name,
            "version": asset.version,
            "cached": assets.is_cached(asset.name),
            # 0 stands for a size that the registry does not know
            "size_bytes": asset.size_bytes or None,
            "client": asset.client,
            "groups": list(asset.groups),
            "licence": asset.licence,
            "purpose": asset.purpose,
        }
        for asset in assets.ASSETS
    ]


def missing(group: str) -> list[str]:
    """Return the names of a group's assets that are not in the cache."""
    return [name for name in _group(group) if not assets.is_cached(name)]


def resolve(names: Iterable[str], group: str | None) -> list[str]:
    """Return the names to fetch, each once.

    Raises:
        models.assets.AssetError: an unknown name or group.
    """
    wanted = [assets.get_asset(name).name for name in names]
    if group is not None:
        wanted += _group(group)
    return list(dict.fromkeys(wanted))


def fetch(name: str) -> Path:
    """Bring one asset into the cache and return its file.

    Raises:
        models.assets.AssetError: it cannot be fetched or is not what it should be.
    """
    (path,) = assets.fetch([name])
    return path


def _group(group: str) -> list[str]:
    return [asset if isinstance(asset, str) else asset.name for asset in assets.group(group)]
