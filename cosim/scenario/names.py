# SPDX-License-Identifier: MIT
"""The names that a scenario may use for what the `models` room provides.

They are listed here, not asked for, so that reading a scenario imports no model code; a test
compares the lists with the registries of `models`.
"""

TASKS = ("sentiment", "topic")

CODEC_RUNGS: dict[str, tuple[str, ...]] = {
    "llm-token": ("default", "d32-int8", "d16-int8", "d16-int4", "d8-int4", "d4-int4"),
    "raw-text": ("default",),
}
"""Codec → its rungs, the default first."""

RUNG_PATTERNS = {"llm-token": r"d([1-9]|[12]\d|3[0-2])-int[248](-top[1-9]\d{0,2})?"}
"""Codec → regular expression of further rungs: bottleneck size, bits a value, tokens kept."""

PROFILES = ("phone", "edge-server")
