# SPDX-License-Identifier: MIT
"""What came of contents that were delivered as bits or symbols, in words."""

from typing import Any


def sentence(facts: dict[str, Any] | None) -> str:
    """Return a sentence for summaries and reports, empty if everything was packets.

    Args:
        facts: the manifest's `direct`.
    """
    parts = []
    if facts and facts["bits"]:
        parts.append(f"{facts['bits']} bits, {facts['bit_error_rate']:.2g} of them wrong")
    if facts and facts["values"]:
        parts.append(
            f"{facts['values']} values as symbols, mean squared error "
            f"{facts['mean_squared_error']:.2g}"
        )
    return f"Delivered unchecked: {'; '.join(parts)}." if parts else ""
