# SPDX-License-Identifier: MIT
"""What truth replay says about a run's link abstraction."""

from typing import Any

from analysis.metrics import wilson_interval

Z_LIMIT = 3.29
"""Beyond it, one in a thousand runs with a perfect abstraction."""


def verdict(found: Any) -> dict[str, Any] | None:
    """Return the manifest's entry with an interval and a score, None if truth replay was off.

    Args:
        found: `truth_replay` of a manifest.

    Returns:
        The entry and `bler_low`, `bler_high` (95 % interval of the actual rate) and `z` (errors
        less expected, in standard deviations that they have if the prediction is right; None if
        there is none).
    """
    if not isinstance(found, dict) or not found.get("fraction"):
        return None
    sent = found["blocks"] * found["repeats"]
    low, high = wilson_interval(found["errors"], sent) or (0.0, 1.0)
    deviation = found["deviation_errors"]
    # With probabilities of almost 0 and 1 a deviation means little: half a block at least.
    z = (found["errors"] - found["expected_errors"]) / max(deviation, 0.5) if sent else None
    return found | {"bler_low": low, "bler_high": high, "z": z}


def sentence(found: dict[str, Any] | None) -> str:
    """Return the verdict in words."""
    if found is None:
        return "Truth replay: off."
    if not found["blocks"]:
        return "Truth replay: no block was chosen."
    refused = f", {found['refused']} could not be sent" if found.get("refused") else ""
    return (
        f"Truth replay of {found['blocks']} blocks x {found['repeats']}: predicted BLER "
        f"{found['bler_predicted']:.3f}, actual {found['bler_actual']:.3f} (95 % interval "
        f"{found['bler_low']:.3f}-{found['bler_high']:.3f}), {found['z']:+.1f} standard "
        f"deviations{refused}."
    )
