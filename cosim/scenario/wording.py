# SPDX-License-Identifier: MIT
"""Wording that checks share: lists of what is allowed, and the nearest known name."""

import difflib
from collections.abc import Iterable, Iterator

from cosim.scenario.errors import Problem, show


def unknown_name(path: str, given: str, known: Iterable[str]) -> Iterator[Problem]:
    """Yield a problem if a name is not among those that are known."""
    known = tuple(known)
    if given not in known:
        yield Problem(path, show(given), f"known: {listed(known)}", near(given, known))


def near(given: str, known: Iterable[str]) -> str | None:
    """Return a question with the known name that is most like the given one, None without any."""
    close = difflib.get_close_matches(given[:100].lower(), list(known), n=1)
    return f"did you mean {show(close[0])}?" if close else None


def listed(values: Iterable[object]) -> str:
    """Return values as words, separated by commas."""
    return ", ".join(f"{v:g}" if isinstance(v, float) else str(v) for v in values)
