# SPDX-License-Identifier: MIT
"""From a record's description, as C++ writes it, to its NumPy type."""

import numpy as np

from cosim.bridge import _bridge


def dtype_of(description: str) -> np.dtype[np.void]:
    """Return the structured type that lies in memory as the C++ struct does.

    Args:
        description: the record's name, then a line `name type elements offset` a field (elements 0
            for a plain field), then the size in bytes.

    Raises:
        BridgeError: the text is no such description.
    """
    try:
        _, *fields, size = description.splitlines()
        names, formats, offsets = [], [], []
        for field in fields:
            name, kind, elements, offset = field.split(" ")
            count = int(elements)
            if kind == "S":  # chars are text, not numbers
                formats.append(f"S{max(count, 1)}")
            else:
                formats.append((kind, (count,)) if count else kind)  # type: ignore[arg-type]
            names.append(name)
            offsets.append(int(offset))
        return np.dtype(
            {"names": names, "formats": formats, "offsets": offsets, "itemsize": int(size)}
        )
    except (ValueError, TypeError) as error:
        raise _bridge.BridgeError(f"the segment's schema is damaged: {error}") from None


def sim_dtypes() -> dict[str, np.dtype[np.void]]:
    """Return the NumPy type of every record of `cosim/sim/records.hpp`, by name."""
    return {name: dtype_of(text) for name, (text, _) in _bridge.SIM_SCHEMAS.items()}


def sim_schema() -> dict[str, int]:
    """Return the hash of every record of `cosim/sim/records.hpp`, by name."""
    return {name: schema_hash for name, (_, schema_hash) in _bridge.SIM_SCHEMAS.items()}
