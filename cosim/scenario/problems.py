# SPDX-License-Identifier: MIT
"""Turns pydantic's errors into problems that name key, value, what is allowed, and a guess."""

from functools import cache
from typing import Any

from pydantic import ValidationError

from cosim.scenario import suggest
from cosim.scenario.base import Section
from cosim.scenario.errors import CrossFieldError, Problem, show
from cosim.scenario.finetuning import FinetuningTraffic
from cosim.scenario.model import Cell, Scenario
from cosim.scenario.retrieval import RetrievalTraffic
from cosim.scenario.run import ProfileOverride
from cosim.scenario.sources import (
    FtpTraffic,
    FullBufferTraffic,
    TcpTraffic,
    TokenTraffic,
    VideoTraffic,
    XrTraffic,
)
from cosim.scenario.traffic import AgentTraffic, CbrTraffic, SemanticTraffic

_TRAFFIC: dict[str, type[Section]] = {
    "semantic": SemanticTraffic,
    "cbr": CbrTraffic,
    "agent": AgentTraffic,
    "ftp": FtpTraffic,
    "video": VideoTraffic,
    "xr": XrTraffic,
    "tokens": TokenTraffic,
    "full-buffer": FullBufferTraffic,
    "tcp": TcpTraffic,
    "finetuning": FinetuningTraffic,
    "retrieval": RetrievalTraffic,
}
_LISTS = ("traffic", "cells")


def problems_of(error: ValidationError, raw: dict[str, Any]) -> list[Problem]:
    """Return the problems behind a validation error of `Scenario`.

    Args:
        error: what pydantic raised.
        raw: the values that were validated.
    """
    problems: list[Problem] = []
    for item in error.errors(include_url=False):
        if item["type"] == "default_factory_not_called":
            continue  # follows from another error
        cause = item.get("ctx", {}).get("error")
        if isinstance(cause, CrossFieldError):
            problems.extend(cause.problems)
            continue
        loc = list(item["loc"])
        if len(loc) > 2 and loc[0] == "traffic" and loc[2] in _TRAFFIC:
            del loc[2]  # pydantic names the alternative of the union that it tried
        problems.append(_problem(loc, item, raw))
    return list(dict.fromkeys(problems))


def _problem(loc: list[Any], item: Any, raw: dict[str, Any]) -> Problem:
    kind, value = item["type"], item["input"]
    if kind.startswith("union_tag"):
        loc = [*loc, "kind"]
        given = value.get("kind") if isinstance(value, dict) else None
        return _named_problem(loc, "" if given is None else show(given), given, _TRAFFIC)
    section = _section_at(loc[:-1], raw)
    key = str(loc[-1]) if loc else ""
    path = _dotted(loc)
    if kind == "extra_forbidden":
        known = list(section.model_fields) if section else []
        hint = suggest.unknown_key(key, value, known, _elsewhere())
        return Problem(
            path,
            show(value),
            "unknown key",
            hint or (f"known keys: {', '.join(known)}" if known else None),
        )
    allowed = _allowed(section, key) if section else ""
    if kind == "missing":
        return Problem(path, "", f"is required: {allowed}" if allowed else "is required")
    if key in _LISTS and isinstance(value, dict):
        return Problem(path, show(value), f"a list of tables: write [[{key}]], not [{key}]")
    if not allowed:
        allowed = str(item["msg"])
    hint = suggest.number_with_unit(key, value) if isinstance(value, str) else None
    if hint is None and isinstance(value, str) and section:
        choices = _choices(section, key)
        close = suggest.nearest(value, choices) if choices else None
        hint = f"did you mean {show(close)}?" if close else None
    return Problem(path, show(value), allowed, hint)


def _named_problem(loc: list[Any], shown: str, given: object, known: Any) -> Problem:
    close = suggest.nearest(given, known) if isinstance(given, str) else None
    allowed = "one of " + ", ".join(show(name) for name in known)
    if not shown:
        allowed = f"is required: {allowed}"
    return Problem(_dotted(loc), shown, allowed, f"did you mean {show(close)}?" if close else None)


def _dotted(loc: list[Any]) -> str:
    parts = [str(part) for part in loc if part != "[key]"]
    text = ".".join(part if len(part) <= 60 else part[:59] + "…" for part in parts)
    return "".join(char if char.isprintable() else "?" for char in text)


def _section_at(loc: list[Any], raw: dict[str, Any]) -> type[Section] | None:
    """Return the section that the keys at `loc` belong to."""
    if not loc:
        return Scenario
    if loc[0] == "traffic" and len(loc) == 2:
        try:
            return _TRAFFIC.get(raw["traffic"][loc[1]]["kind"])
        except (KeyError, IndexError, TypeError):
            return None
    if loc[0] == "cells" and len(loc) == 2:
        return Cell
    if loc[0] == "profiles" and len(loc) == 2:
        return ProfileOverride
    if len(loc) == 1 and loc[0] in Scenario.model_fields:
        annotation = Scenario.model_fields[loc[0]].annotation
        if isinstance(annotation, type) and issubclass(annotation, Section):
            return annotation
    return None


@cache
def _elsewhere() -> dict[str, str]:
    """Return key → dotted path for the keys of the sections that exist once."""
    found: dict[str, str] = {}
    for name in Scenario.model_fields:
        section = _section_at([name], {})
        for key in section.model_fields if section else ():
            found.setdefault(key, f"{name}.{key}")
    return found


@cache
def _properties(section: type[Section]) -> dict[str, dict[str, Any]]:
    properties: dict[str, dict[str, Any]] = section.model_json_schema()["properties"]
    return properties


def _schema(section: type[Section], key: str) -> dict[str, Any]:
    schema = dict(_properties(section).get(key, {}))
    if "anyOf" in schema and "const" not in schema["anyOf"][0]:
        schema.update(schema["anyOf"][0])  # the alternative is "absent"
    return schema


def _choices(section: type[Section], key: str) -> list[str]:
    schema = _schema(section, key)
    values = schema.get("enum", [schema["const"]] if "const" in schema else [])
    return [value for value in values if isinstance(value, str)]


def _allowed(section: type[Section], key: str) -> str:
    """Return in words what a key takes, from its JSON schema."""
    schema = _schema(section, key)
    if not schema:
        return ""
    if "enum" in schema:
        return "one of " + ", ".join(show(value) for value in schema["enum"])
    if "const" in schema:
        return f"only {show(schema['const'])}"
    if key == "ues" and "anyOf" in schema:
        return '"all" or a list of distinct UE numbers from 0'
    if key in ("position_m", "positions_m"):
        one = "[x, y, height], numbers in metres with a height of at least 0"
        return one if key == "position_m" else f"a list of {one}"
    if "$ref" in schema or schema.get("type") == "object":
        return "a table"
    if "pattern" in schema:
        return "1 to 64 letters, digits, '.', '_' and '-', beginning with a letter or digit"
    kind = {
        "integer": "a whole number",
        "number": "a number",
        "string": "text in quotes",
        "boolean": "true or false",
        "array": f"a list of tables, [[{key}]]",
    }.get(str(schema.get("type")), "")
    bounds = []
    if "exclusiveMinimum" in schema:
        bounds.append(f"more than {schema['exclusiveMinimum']:g}")
    if "minimum" in schema and schema["minimum"] == schema.get("maximum"):
        return f"only {schema['minimum']}"
    if "minimum" in schema:
        bounds.append(f"at least {schema['minimum']:.12g}")
    if "maximum" in schema:
        bounds.append(f"at most {schema['maximum']:.12g}")
    if "minLength" in schema or "maxLength" in schema:
        bounds.append(f"{schema.get('minLength', 0)} to {schema.get('maxLength', '')} characters")
    unit = f" ({schema['unit']})" if "unit" in schema else ""
    return f"{kind}{unit}{', ' if bounds else ''}{' and '.join(bounds)}"
