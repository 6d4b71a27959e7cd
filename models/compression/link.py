# SPDX-License-Identifier: MIT
"""What a sender learns of its link from when its own messages arrived.

No law of delay is assumed, only order: what arrives in a time would arrive in a longer one, and a
shorter message in place of a longer one would have arrived too. So an arrival is evidence for all
sizes up to its own and all times from its own on, a message that was late for all from its size on
and up to the time that was waited. Old evidence fades. As in TCP's slow start, nothing is tried
that is much longer than what has got through.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

_KEPT = 256
"""Older observations weigh less than 0.95^256, 2 in a million, at the memory that is set."""

_GROWTH = 4.0
"""No size is tried that is more than so many times the longest that has arrived in time."""

_ALIKE = 0.75
"""Share of a time after which a message that is still missing is believed to miss it. Strictly it
would be 1; but two messages of one deadline differ by what encoding took."""


@dataclass(frozen=True, slots=True)
class _Observation:
    """A size in bytes, and when it had arrived (or until when not), in seconds."""

    size: float
    seconds: float
    arrived: bool


class LinkEstimate:
    """Chances that so many bytes arrive within a time.

    Args:
        memory: weight that an observation keeps when the next is made, above 0 and below 1.
        optimism: observations that the belief in the next longer size counts as. What was never
            tried is believed to do as well as the longest shorter size that was, so it is tried.

    Raises:
        ValueError: an argument is out of range.
    """

    def __init__(self, *, memory: float = 0.95, optimism: float = 1.0) -> None:
        if not 0.0 < memory < 1.0 or not optimism > 0.0:
            raise ValueError(
                f"memory = {memory} must be above 0 and below 1, optimism = {optimism} above 0"
            )
        self._memory, self._optimism = memory, optimism
        self._seen: deque[_Observation] = deque(maxlen=_KEPT)

    def arrived(self, size_bytes: float, delay_s: float) -> None:
        """Enter bytes that had all arrived after a time."""
        self._seen.append(_Observation(size_bytes, delay_s, True))

    def missing(self, size_bytes: float, after_s: float) -> None:
        """Enter bytes of which some had not arrived after a time."""
        self._seen.append(_Observation(size_bytes, after_s, False))

    def chances(self, sizes_bytes: Sequence[float], seconds: float) -> list[float]:
        """Return for each size the chance that it arrives in time; it never rises with size.

        Args:
            sizes_bytes: ascending.
            seconds: from the hand-over to the network.
        """
        out: list[float] = []
        belief, shorter = 1.0, 0.0
        known = [s.size for s in self._seen if s.arrived and s.seconds <= seconds]
        longest = _GROWTH * max(known) if known else 0.0
        for number, size in enumerate(sizes_bytes):
            if number and size > longest:
                belief = 0.0
            good = bad = 0.0
            weight = 1.0
            for seen in reversed(self._seen):
                if seen.arrived and seen.seconds <= seconds:
                    good += weight * (seen.size >= size)
                elif seen.arrived or seen.seconds >= _ALIKE * seconds:
                    bad += weight * (shorter < seen.size <= size)
                weight *= self._memory
            total = good + bad + self._optimism
            belief = min(belief, (good + self._optimism * belief) / total)
            shorter = size
            out.append(belief)
        return out

    def airtime_s(self, size_bytes: float) -> float:
        """Return about how long so many bytes keep the link busy; 0 before anything is known.

        The delay above the least one seen, a byte, on average: the least delay is the access's,
        and what is above it grows with the resources that the bytes took, waiting included.
        """
        least = min((seen.seconds for seen in self._seen if seen.arrived), default=0.0)
        seconds = size = 0.0
        weight = 1.0
        for seen in reversed(self._seen):
            seconds += weight * max(seen.seconds - least, 0.0)
            size += weight * seen.size
            weight *= self._memory
        return seconds / max(size, 1.0) * size_bytes
