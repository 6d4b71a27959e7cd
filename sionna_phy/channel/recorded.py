# SPDX-License-Identifier: MIT
"""Recorded channels: one file format, written from any producer and read back block by block.

The file is in the safetensors format (an 8-byte length, a JSON header, raw little-endian arrays),
so that other programs and measurement campaigns can write it without this project:

- one float32 tensor a block, `gains.000000`, `gains.000001`, ..., shape [times, cells, ues, layers,
  prbs]: linear power gains, as a `ChannelBlockArray` has them;
- metadata (strings): `format` = "semcosim-channel-1", `block_duration_s`, and optionally `source`,
  in words.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sionna_phy.channel.base import ChannelProducer
from sionna_phy.channel.spec import ChannelSpec, ChannelSpecError

FORMAT = "semcosim-channel-1"


def block_name(number: int) -> str:
    """Return the name of a block's tensor."""
    return f"gains.{number:06d}"


def write_recording(
    path: Path | str,
    blocks: Iterable[npt.NDArray[np.float32]],
    *,
    block_duration_s: float,
    source: str = "",
) -> int:
    """Write a recording and return the number of its blocks.

    Args:
        path: of the file; it appears when it is complete.
        blocks: gains, shape [times, cells, ues, layers, prbs] each, all of one shape.
        block_duration_s: simulated time of a block.
        source: where it comes from, in words.

    Raises:
        ValueError: no block, or blocks of different shapes, or gains that are no gains.
    """
    from safetensors.numpy import save_file

    tensors: dict[str, npt.NDArray[np.float32]] = {}
    for number, gains in enumerate(blocks):
        tensors[block_name(number)] = np.ascontiguousarray(gains, dtype=np.float32)
        _check(tensors[block_name(number)], f"block {number}")
        if gains.shape != tensors[block_name(0)].shape:
            raise ValueError(
                f"block {number} has shape {list(gains.shape)}, block 0 "
                f"{list(tensors[block_name(0)].shape)}"
            )
    if not tensors:
        raise ValueError("a recording needs one block at least")
    target = Path(path)
    part = target.with_name(target.name + ".part")
    metadata = {"format": FORMAT, "block_duration_s": repr(block_duration_s), "source": source}
    save_file(tensors, str(part), metadata=metadata)
    part.replace(target)
    return len(tensors)


def _check(gains: npt.NDArray[np.float32], what: str) -> None:
    if gains.ndim != 5 or gains.size == 0:
        raise ValueError(f"{what} has shape {list(gains.shape)}, not 5 axes")
    if not np.all(np.isfinite(gains)) or gains.min() < 0:
        raise ValueError(f"{what} has gains that are negative or not finite")


class RecordedProducer(ChannelProducer):
    """Blocks from a file that `write_recording` (or somebody else) wrote.

    Raises:
        ChannelSpecError: no file, not of the format, of other links, or too short.
    """

    def __init__(self, spec: ChannelSpec) -> None:
        super().__init__(spec)
        if spec.file is None:
            raise ChannelSpecError('file: the model "replay" needs the path of a recorded channel')
        self._path = Path(spec.file)
        self._file: Any = None
        self._blocks = 0

    def prepare(self) -> None:
        """Open the file and compare it with the spec."""
        if self._file is not None:
            return
        from safetensors import SafetensorError, safe_open

        if not self._path.is_file():
            raise ChannelSpecError(f"file: there is no recorded channel {self._path}")
        try:
            self._file = safe_open(str(self._path), framework="numpy")
        except SafetensorError as error:
            raise ChannelSpecError(f"file: {self._path} is no safetensors file: {error}") from None
        metadata = self._file.metadata() or {}
        if metadata.get("format") != FORMAT:
            raise ChannelSpecError(
                f"file: {self._path} has format {json.dumps(metadata.get('format'))}, not {FORMAT}"
            )
        names = set(self._file.keys())
        self._blocks = len(names)
        missing = [n for n in range(self._blocks) if block_name(n) not in names]
        if missing or not self._blocks:
            raise ChannelSpecError(f"file: {self._path} lacks {block_name((missing or [0])[0])}")
        self._compare(float(metadata.get("block_duration_s", "nan")))

    def _compare(self, block_duration_s: float) -> None:
        spec = self.spec
        shape = self._file.get_slice(block_name(0)).get_shape()
        cells, ues = len(spec.cell_positions_m), len(spec.ue_positions_m)
        wanted = [spec.samples_per_block, cells, ues, spec.layers, spec.prbs]
        if list(shape) != wanted:
            raise ChannelSpecError(
                f"file: the blocks of {self._path} have [times, cells, ues, layers, prbs] = "
                f"{list(shape)}, the scenario {wanted}"
            )
        if not abs(block_duration_s - spec.block_duration_s) <= 1e-9 * spec.block_duration_s:
            raise ChannelSpecError(
                f"file: the blocks of {self._path} last {block_duration_s:g} s, those of the "
                f"scenario {spec.block_duration_s:g} s (block_duration_s)"
            )
        if spec.blocks_needed is not None and spec.blocks_needed > self._blocks:
            raise ChannelSpecError(
                f"file: {self._path} has {self._blocks} blocks "
                f"({self._blocks * block_duration_s:g} s); the run needs {spec.blocks_needed}"
            )

    def gains(self, number: int) -> npt.NDArray[np.float32]:
        """Return block `number`.

        Raises:
            ChannelSpecError: the recording has ended, or the block is damaged.
        """
        self.prepare()
        if number >= self._blocks:
            raise ChannelSpecError(
                f"file: {self._path} has {self._blocks} blocks; block {number} was asked for"
            )
        gains = np.asarray(self._file.get_tensor(block_name(number)), dtype=np.float32)
        try:
            _check(gains, f"block {number}")
        except ValueError as error:
            raise ChannelSpecError(f"file: {self._path}: {error}") from None
        return gains
