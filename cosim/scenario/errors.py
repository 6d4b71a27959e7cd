# SPDX-License-Identifier: MIT
"""What is wrong with a scenario: one problem a line with key, value and what is allowed."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        path: dotted key (`traffic.0.rate_hz`), empty for the file as a whole.
        given: the value as in the file, shortened; empty when there is none.
        allowed: what is allowed instead, or what is wrong.
        hint: a suggestion, or None.
    """

    path: str
    given: str
    allowed: str
    hint: str | None = None

    def __str__(self) -> str:
        """Return the problem on one line."""
        where = (
            f"{self.path} = {self.given}" if self.path and self.given else self.path or self.given
        )
        text = f"{where}: {self.allowed}" if where else self.allowed
        return f"{text}; {self.hint}" if self.hint else text


class ScenarioError(ValueError):
    """A scenario that cannot be run as it is.

    Attributes:
        source: the file or name that was read.
        problems: all that was found, at least one.
    """

    def __init__(self, problems: Iterable[Problem], *, source: str = "scenario") -> None:
        self.source = source
        self.problems = tuple(problems)
        lines = [str(problem) for problem in self.problems]
        if len(lines) == 1:
            super().__init__(f"{source}: {lines[0]}")
        else:
            super().__init__(
                f"{source}: {len(lines)} problems\n" + "\n".join(f"  {line}" for line in lines)
            )


class CrossFieldError(ValueError):
    """Problems between fields, on their way through pydantic."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(str(problem) for problem in self.problems))


def show(value: object, limit: int = 60) -> str:
    """Return a value as it would stand in a TOML file, on one line, shortened to `limit`."""
    from cosim.scenario.toml_text import toml_value

    # A huge value is cut before it is formatted: the message must not cost more than the error.
    if isinstance(value, str):
        value = value[: limit + 1]
    elif isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10**50:
        return f"an integer of {value.bit_length()} bits"
    elif isinstance(value, list | tuple):
        value = list(value[:limit])
    elif isinstance(value, dict):
        value = dict(list(value.items())[:limit])
    text = toml_value(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"
