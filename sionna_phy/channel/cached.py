# SPDX-License-Identifier: MIT
"""Blocks kept on disk under the hash of all that they follow from.

A campaign that varies the traffic and not the channel reads its blocks instead of computing them.
"""

import contextlib
import dataclasses
import hashlib
import json
import os
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sionna_phy.channel.base import ChannelProducer, make_producer
from sionna_phy.channel.spec import ChannelSpec

VERSION = 1
"""Raised whenever a producer's numbers change, so that nothing old is read."""


def spec_hash(spec: ChannelSpec) -> str:
    """Return a SHA-256 (hex) of a spec, of what a file it names holds, and of the versions."""
    fields = {
        f.name: (v.tolist() if isinstance(v := getattr(spec, f.name), np.ndarray) else v)
        for f in dataclasses.fields(spec)
        if f.name != "blocks_needed"
    }
    for name in ("file", "scene"):
        path = Path(fields[name]) if fields[name] else None
        if path is not None and path.is_file():
            fields[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    versions = {name: metadata.version(name) for name in ("sionna", "torch", "numpy")}
    text = json.dumps([VERSION, versions, fields], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


class CachedProducer(ChannelProducer):
    """Another producer's blocks, from disk where they are there.

    The other one is made and prepared when the first block is missing: a run whose blocks are all
    there never imports Sionna.

    Args:
        spec: of the blocks.
        folder: of all caches; blocks go to a folder in it named after the spec's hash.
        before: called before the other producer is made.

    Attributes:
        hits: blocks that were read.
        misses: blocks that were computed.
        seconds: wall time spent on both.
    """

    def __init__(
        self, spec: ChannelSpec, folder: Path | str, before: Callable[[], None] | None = None
    ) -> None:
        super().__init__(spec)
        self._before = before
        self._folder = Path(folder) / spec_hash(spec)
        self._inner: ChannelProducer | None = None
        self.hits = 0
        self.misses = 0
        self.seconds = 0.0

    def gains(self, number: int) -> npt.NDArray[np.float32]:
        """Return block `number`."""
        start = time.perf_counter()
        gains = self._read(number)
        if gains is not None:
            self.hits += 1
        else:
            self.misses += 1
            if self._inner is None:
                if self._before is not None:
                    self._before()
                self._inner = make_producer(self.spec)
                self._inner.prepare()
            gains = np.ascontiguousarray(self._inner.gains(number), dtype=np.float32)
            self._write(number, gains)
        self.seconds += time.perf_counter() - start
        return gains

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:06d}.npy"

    def _read(self, number: int) -> npt.NDArray[np.float32] | None:
        """Return a block, or None if it is not there or damaged (it is then computed again)."""
        spec = self.spec
        cells, ues = len(spec.cell_positions_m), len(spec.ue_positions_m)
        shape = (spec.samples_per_block, cells, ues, spec.planes, spec.prbs)
        try:
            gains = np.load(self._path(number), allow_pickle=False)
        except (OSError, ValueError, EOFError):
            return None
        return gains if gains.shape == shape and gains.dtype == np.float32 else None

    def _write(self, number: int, gains: npt.NDArray[np.float32]) -> None:
        """Keep a block. A full disk is no reason to end a run."""
        part = self._path(number).with_suffix(f".{os.getpid()}.part")
        with contextlib.suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            with part.open("wb") as file:
                np.save(file, gains, allow_pickle=False)
            part.replace(self._path(number))
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def default_folder() -> Path:
    """Return SEMCOSIM_CACHE/channel, else ~/.cache/semcosim/channel."""
    root = os.environ.get("SEMCOSIM_CACHE")
    base = Path(root) if root else Path.home() / ".cache" / "semcosim"
    return base / "channel"
