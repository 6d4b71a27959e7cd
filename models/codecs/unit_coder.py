# SPDX-License-Identifier: MIT
"""Units of rungs "-ans": position and level numbers, entropy-coded, every unit by itself.

Static frequencies of positions (of each task) and of the levels of each dimension (of each kind of
row) ship: counted over training samples by `python -m models.training.count_levels`.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from models.codecs import ans
from models.codecs.quantiser import Rung

POSITIONS = 80
"""A picture's 16 and a text's 64."""

_BITS = 14
_POSITION_BITS = 10


class UnitCoder:
    """Codes the units of one task at one rung.

    Args:
        counts: "positions" of shape [positions], and of both kinds, "vision" and "text", the levels
            of each dimension, shape [dimensions or groups, levels].
        seen: positions that are a picture's, the first ones.
        rung: the operating point.
    """

    def __init__(self, counts: Mapping[str, Tensor], seen: int, rung: Rung) -> None:
        self._seen = seen
        self._positions = ans.Table(counts["positions"].long().tolist(), _POSITION_BITS)
        self._levels = {
            kind: [ans.Table(row, _BITS) for row in counts[kind][: rung.levels].long().tolist()]
            for kind in ("vision", "text")
        }

    def pack(self, positions: Sequence[int], levels: NDArray[np.int64]) -> list[bytes]:
        """Return a unit a row.

        Args:
            positions: from 1.
            levels: shape [rows, levels].
        """
        return [
            ans.encode([(self._positions, place - 1), *zip(self._of(place), row, strict=True)])
            for place, row in zip(positions, levels.tolist(), strict=True)
        ]

    def read(self, data: bytes) -> tuple[int, NDArray[np.uint8]] | None:
        """Return a unit's position and level numbers, None if its bytes make no sense."""
        try:
            reader = ans.Reader(data)
            place = reader.take(self._positions) + 1
            row = [reader.take(table) for table in self._of(place)]
            reader.finish()
        except ans.AnsError:
            return None
        return place, np.array(row, np.uint8)

    def _of(self, place: int) -> list[ans.Table]:
        return self._levels["vision" if place <= self._seen else "text"]
