# SPDX-License-Identifier: MIT
"""The names that a scenario may use for what the `models` room provides.

They come from its registries, which import no torch; so a task, codec or profile that a program has
registered is known here too.
"""

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cosim.scenario.model import Scenario

SERVICE_CODEC = "split-lora"
"""The codec whose weights a [[traffic]] entry of kind "finetuning" trains during the run."""

AUTO = "auto"
"""The rung of senders that choose each message's, see `cosim.agents.adaptive_source`."""

_SERVICE_RUNGS = ("default", "int8", "int4", "int4-top16", "int4-top8")
_SERVICE_RUNG_PATTERN = r"int[48](-top[1-9]\d{0,2})?"
_SERVICE_UNIT_BYTES = 584  # version, cut, position, scale and 576 values of 8 bits
_PACKET_OVERHEAD_BYTES = 18  # header of the packetiser and the unit's length


def task_names() -> tuple[str, ...]:
    """Return the names of all tasks."""
    from models.tasks import task_names

    return tuple(task_names())


def codec_names() -> tuple[str, ...]:
    """Return the names of all codecs."""
    from models.codecs import codec_names

    return (*codec_names(), SERVICE_CODEC)


def rung_names(codec: str) -> tuple[str, ...]:
    """Return the named rungs of a codec that exists."""
    from models.codecs import codec_rungs

    return _SERVICE_RUNGS if codec == SERVICE_CODEC else codec_rungs(codec)


def is_rung(codec: str, rung: str) -> bool:
    """Return whether a codec that exists has a rung."""
    from models.codecs.registry import is_rung

    if codec == SERVICE_CODEC:
        return rung in _SERVICE_RUNGS or bool(re.fullmatch(_SERVICE_RUNG_PATTERN, rung))
    return is_rung(codec, rung)


def ladder_tasks(codec: str) -> tuple[str, ...]:
    """Return the tasks for which a codec's rungs were measured, so that one can be chosen."""
    from models.compression import ladder_tasks

    return ladder_tasks(codec)


def codec_tasks(codec: str) -> tuple[str, ...] | None:
    """Return the tasks that a codec which exists can do, None if they are not known."""
    from models.codecs.registry import codec_tasks

    return None if codec == SERVICE_CODEC else codec_tasks(codec)


def own_weights(scenario: "Scenario", codec: str) -> dict[str, Path]:
    """Return the files of `models.weights` that a codec uses, task → file; none: the shipped."""
    from models.codecs.registry import own_weights

    folder = scenario.models.weights
    if codec not in codec_names() or codec == SERVICE_CODEC or not os.path.isdir(folder):
        return {}
    return own_weights(codec, Path(folder))


def sends_values(codec: str) -> bool:
    """Return whether the units of a codec that exists can travel as symbols."""
    from models.codecs.registry import sends_values

    return codec != SERVICE_CODEC and sends_values(codec)


def smallest_packet_bytes(codec: str) -> int:
    """Return the UDP payload that holds the largest unit of a codec, 0 if it is not known."""
    from models.codecs.registry import largest_unit_bytes

    unit_bytes = _SERVICE_UNIT_BYTES if codec == SERVICE_CODEC else largest_unit_bytes(codec)
    return unit_bytes + _PACKET_OVERHEAD_BYTES if unit_bytes else 0


def agent_names() -> tuple[str, ...]:
    """Return the names of all registered agents."""
    from cosim.agents.registry import agent_names

    return agent_names()


def scheduler_names() -> tuple[str, ...]:
    """Return the names of all registered schedulers."""
    # What was never imported has registered nothing; importing it takes NumPy.
    registry = sys.modules.get("cosim.schedulers.registry")
    return tuple(registry.scheduler_names()) if registry is not None else ()


def profile_names() -> tuple[str, ...]:
    """Return the names of all device profiles."""
    from models.compression import PROFILES

    return tuple(PROFILES)


def bler_table_names() -> tuple[str, ...]:
    """Return the names of the shipped block error tables (`sionna_phy.abstraction.tables`)."""
    return ("semcosim", "sionna")  # repeated here: that package needs NumPy
