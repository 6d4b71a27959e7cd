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
        there is none), of first transmissions; under `retransmissions` the same of the others, and
        `bler_again`, the share of the repeats lost before that was lost after, too (None if none
        was), and `bler_again_predicted`, by the simulator's rule.
    """
    if not isinstance(found, dict) or not found.get("fraction"):
        return None
    judged = _judged(found, found["repeats"])
    again = found.get("retransmissions")
    if isinstance(again, dict):
        before = again["errors_before"]
        share = again["errors"] / before if before else None
        rule = again["expected_again"] / before if before and "expected_again" in again else None
        judged["retransmissions"] = _judged(again, found["repeats"]) | {
            "bler_again": share,
            "bler_again_predicted": rule,
        }
    return judged


def _judged(found: dict[str, Any], repeats: int) -> dict[str, Any]:
    sent = found["blocks"] * repeats
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
    text = f"Truth replay of {found['blocks']} blocks x {found['repeats']}: {_rates(found)}."
    again = found.get("retransmissions")
    if again is None or not again["blocks"]:
        return text
    text += f" Of {again['blocks']} retransmissions x {found['repeats']}: {_rates(again)}"
    if again["bler_again"] is not None:
        text += (
            f"; of {again['errors_before']} lost before, {again['bler_again']:.3f} were lost again"
        )
        if again["bler_again_predicted"] is not None:
            text += f", predicted {again['bler_again_predicted']:.3f}"
    return text + "."


def _rates(found: dict[str, Any]) -> str:
    refused = f", {found['refused']} could not be sent" if found.get("refused") else ""
    return (
        f"predicted BLER {found['bler_predicted']:.3f}, actual {found['bler_actual']:.3f} (95 % "
        f"interval {found['bler_low']:.3f}-{found['bler_high']:.3f}), {found['z']:+.1f} standard "
        f"deviations{refused}"
    )
