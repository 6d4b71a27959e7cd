# SPDX-License-Identifier: MIT
"""What all sections of a scenario share: strict, frozen, a unit and a source with each field."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Section(BaseModel):
    """A table of a scenario file. Unknown keys, NaN and values of another type are refused."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        allow_inf_nan=False,
        validate_default=False,
    )


def quantity(
    default: Any = ..., text: str = "", *, unit: str = "", source: str = "", **bounds: Any
) -> Any:
    """Return a pydantic field with its meaning, unit and source.

    Args:
        default: the default value; `...` makes the key required.
        text: what the field means.
        unit: SI or field-standard unit, empty for a pure number or a name.
        source: the standard's clause or paper that the meaning or the default comes from.
        **bounds: pydantic constraints (`ge`, `gt`, `le`, `lt`, `min_length`, `default_factory`, …).
    """
    extra: dict[str, Any] = {}
    if unit:
        extra["unit"] = unit
    if source:
        extra["source"] = source
    if "default_factory" in bounds:
        return Field(description=text, json_schema_extra=extra, **bounds)
    return Field(default, description=text, json_schema_extra=extra, **bounds)
