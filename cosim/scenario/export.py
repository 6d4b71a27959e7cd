# SPDX-License-Identifier: MIT
"""A scenario as a commented TOML file, and the JSON schema of all scenarios."""

from collections.abc import Iterable
from typing import Any

from pydantic.fields import FieldInfo

from cosim.scenario.base import Section
from cosim.scenario.model import Cell, Scenario
from cosim.scenario.run import ProfileOverride
from cosim.scenario.toml_text import toml_key, toml_value

SCHEMA_URI = "https://json-schema.org/draft/2020-12/schema"


def json_schema() -> dict[str, Any]:
    """Return the JSON schema (2020-12) of scenario files; fields carry `unit` and `source`."""
    return {"$schema": SCHEMA_URI, "title": "SemCoSim scenario"} | Scenario.model_json_schema()


def resolved_toml(scenario: Scenario) -> str:
    """Return `scenario` with every default, each key with its unit, meaning and source."""
    data = scenario.resolved()
    lines = ["# A SemCoSim scenario with every default filled in."]
    fields = Scenario.model_fields
    for key in ("name", "description"):
        lines += [f"# {fields[key].description}", f"{key} = {toml_value(data[key])}"]
    for key in fields:
        value = getattr(scenario, key)
        if isinstance(value, Section):
            lines += ["", f"[{key}]  # {fields[key].description}"]
            lines += _section(type(value), data[key])
        elif key == "cells":
            for entry in data[key]:
                lines += ["", "[[cells]]", *_section(Cell, entry)]
        elif key == "traffic":
            for entry, typed in zip(data[key], scenario.traffic, strict=True):
                lines += ["", "[[traffic]]", *_section(type(typed), entry)]
        elif key == "profiles":
            for name, entry in data[key].items():
                lines += ["", f"[profiles.{toml_key(name)}]", *_section(ProfileOverride, entry)]
    return "\n".join(lines) + "\n"


def _section(section: type[Section], data: dict[str, Any]) -> Iterable[str]:
    # What a table is comes first, whatever its base class adds.
    fields = sorted(section.model_fields.items(), key=lambda item: item[0] != "kind")
    for key, field in fields:
        note = _note(field)
        if key == "parts":
            # An inline table a bandwidth part: an array of tables could not stand in a section.
            entries = ", ".join(
                "{ " + ", ".join(f"{k} = {toml_value(v)}" for k, v in part.items()) + " }"
                for part in data[key]
            )
            yield f"# {note}"
            yield f"{key} = [{entries}]"
        elif key in data:
            yield f"# {note}"
            yield f"{key} = {toml_value(data[key])}"
        else:
            yield f"# {key}: not set. {note}"


def _note(field: FieldInfo) -> str:
    extra = field.json_schema_extra
    unit = source = ""
    if isinstance(extra, dict):
        unit, source = str(extra.get("unit", "")), str(extra.get("source", ""))
    text = f"[{unit}] {field.description}" if unit else str(field.description)
    return f"{text} ({source})" if source else text
