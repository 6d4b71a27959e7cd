# SPDX-License-Identifier: MIT
"""Names of the schemes that compress what crosses the cut, and their sizes; without torch.

Scenarios are checked with this, so it imports nothing heavy. See `models.federated.smashed` for
what the parts of a name mean.
"""

import re
from dataclasses import dataclass

FLOATS = {"float32": 4, "bfloat16": 2, "float16": 2}
INTEGERS = {"int8": 127, "int4": 7}
_NAME = re.compile(r"(?:(?P<kind>top|drop)(?P<share>0?\.\d+)-)?(?P<type>[a-z]+\d+)(?P<zstd>-zstd)?")


class SmashedError(ValueError):
    """An unknown scheme, or bytes that are none of this scheme."""


@dataclass(frozen=True)
class Scheme:
    """A compression scheme; see the module.

    Attributes:
        numbers: number type.
        keep: share of a row's values that travels.
        places: "all", "top" (places travel) or "drop" (a seed travels).
        lossless: zstd over everything.
    """

    numbers: str = "float32"
    keep: float = 1.0
    places: str = "all"
    lossless: bool = False

    def kept(self, width: int) -> int:
        """Return how many of a row's `width` values travel."""
        return width if self.places == "all" else max(1, round(self.keep * width))

    def row_bytes(self, width: int) -> int:
        """Return the bytes of a row of `width` values, before lossless coding."""
        kept = self.kept(width)
        size = 2 * kept if self.places == "top" else 0
        if self.numbers in FLOATS:
            return size + FLOATS[self.numbers] * kept
        return size + 4 + (kept if self.numbers == "int8" else -(-kept // 2))

    @property
    def ratio_bits(self) -> float:
        """Return bits a value for wide rows: b_act·ρ of the traffic formula (DESIGN §5)."""
        return self.row_bytes(1 << 15) * 8 / (1 << 15)


def parse_scheme(name: str) -> Scheme:
    """Return the scheme of a name; see `models.federated.smashed`.

    Raises:
        SmashedError: no such scheme.
    """
    match = _NAME.fullmatch(name)
    if not match or match["type"] not in FLOATS.keys() | INTEGERS.keys():
        raise SmashedError(
            f"no compression is named {name!r}: [topSHARE-|dropSHARE-]"
            f"{{{'|'.join([*FLOATS, *INTEGERS])}}}[-zstd], for example top0.1-int8"
        )
    kind = match["kind"] or "all"
    share = float(match["share"]) if match["share"] else 1.0
    if not 0 < share < 1 and kind != "all":
        raise SmashedError(f"{name!r}: a share lies between 0 and 1")
    keep = 1 - share if kind == "drop" else share
    return Scheme(match["type"], keep, kind, bool(match["zstd"]))
