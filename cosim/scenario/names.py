# SPDX-License-Identifier: MIT
"""The names that a scenario may use for what the `models` room provides.

They are listed here, not asked for, so that reading a scenario imports no model code; a test
compares the lists with the registries of `models`.
"""

TASKS = ("sentiment", "topic")

CODEC_RUNGS: dict[str, tuple[str, ...]] = {
    "llm-token": ("default",),
    "raw-text": ("default",),
}
"""Codec → its rungs, the default first."""

PROFILES = ("phone", "edge-server")
