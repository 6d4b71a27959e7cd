# SPDX-License-Identifier: MIT
"""Which UEs a [[traffic]] table is about."""

from typing import Annotated, Any, Literal

from pydantic import PlainSerializer, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

MAX_UE_NUMBER = 65_518


def _check_ues(value: Any) -> Any:
    """Accept "all" or a list of distinct UE numbers; a list becomes a tuple."""
    if value == "all" and isinstance(value, str):
        return value
    if (
        isinstance(value, list | tuple)
        and value
        and all(type(v) is int and 0 <= v <= MAX_UE_NUMBER for v in value)
        and len(set(value)) == len(value)
    ):
        return tuple(value)
    raise PydanticCustomError(
        "ue_selection", 'must be "all" or a list of distinct UE numbers from 0'
    )


UeSelection = Annotated[
    Literal["all"] | tuple[int, ...],
    PlainValidator(_check_ues),
    # Without it pydantic compares the value with the annotation again, and warns of lists.
    PlainSerializer(lambda value: value if value == "all" else list(value), return_type=Any),
    WithJsonSchema(
        {
            "anyOf": [
                {"const": "all"},
                {
                    "type": "array",
                    "items": {"type": "integer", "minimum": 0, "maximum": MAX_UE_NUMBER},
                    "minItems": 1,
                    "uniqueItems": True,
                },
            ]
        }
    ),
]
