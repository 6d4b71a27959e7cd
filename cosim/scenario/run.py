# SPDX-License-Identifier: MIT
"""The sections [run], [models], [traces], [truth] and [profiles]."""

from typing import Annotated

from pydantic import Field

from cosim.scenario.base import Section, quantity

MAX_DURATION_S = 86_400.0


class RunSection(Section):
    """How long, and from which seed."""

    duration_s: float = quantity(
        10.0,
        "simulated time in which messages are created",
        unit="s",
        gt=0.0,
        le=MAX_DURATION_S,
    )
    seed: int = quantity(
        1,
        "every random generator of the run derives from it; one seed gives byte-identical traces",
        ge=0,
        le=2**32 - 1,
    )
    drain_s: float | None = quantity(
        None,
        "simulated time after duration_s for what is under way; by default the longest deadline",
        unit="s",
        ge=0.0,
        le=3600.0,
    )


class ModelsSection(Section):
    """How the models at the nodes are run and what hardware they are charged for."""

    threads: int = quantity(
        1, "CPU threads of a model; results do not depend on it bit by bit only at 1", ge=1, le=256
    )
    cut: int | None = quantity(
        None,
        "transformer layers before the cut (at the device); by default the one that the codec's "
        "shipped weights were fitted for",
        ge=1,
        le=1000,
    )
    weights: str = quantity(
        "",
        "folder with weights of your own: a codec that has files CODEC-TASK.safetensors there uses "
        "them, and the language model that they name, in the place of what ships",
        max_length=1000,
    )
    backbone: str = quantity(
        "",
        "folder of that language model, if it is no longer where the weights say; only with "
        "weights",
        max_length=1000,
    )
    allow_hub: bool = quantity(
        False, "fetch that language model from the Hugging Face hub if it is not on this machine"
    )
    edge_profile: str = quantity(
        "edge-server",
        "device profile of the edge server, which decodes",
        min_length=1,
        max_length=64,
    )
    cache: bool = quantity(
        True, "keep computed features of samples on disk, by content hash, for the next run"
    )


class TracesSection(Section):
    """What is written while the run goes on."""

    slots: bool = quantity(True, "write one row a transport block into the `slots` table")
    kpi_period_s: float = quantity(
        0.1, "period of the rows of the `kpis` table", unit="s", gt=0.0, le=3600.0
    )
    csv: bool = quantity(False, "write every table as CSV too, at the end")
    flush_interval_s: float = quantity(
        1.0,
        "simulated time that one part file of a table covers; what a killed run can lose",
        unit="s",
        gt=0.0,
        le=3600.0,
    )


class TruthSection(Section):
    """Truth replay: how good the link abstraction is, measured in the run itself.

    Some transport blocks are sent again, bit by bit, through the real code; predicted and actual
    block error rates stand side by side in the summary and the report.
    """

    fraction: float = quantity(
        0.0,
        "share of transport blocks that are replayed, 0 for none; with their retransmissions",
        ge=0.0,
        le=1.0,
    )
    repeats: int = quantity(
        5, "how often each of them is sent, with other bits and noise", ge=1, le=10_000
    )


class ProfileOverride(Section):
    """Changes to one device profile; what is left out stays as it is.

    The latency of a computation is the roofline's: the longer of operations over peak_flops and
    bytes over memory_bandwidth_bytes_s, plus a fixed overhead (Williams et al., CACM 52(4), 2009).
    """

    peak_flops: Annotated[float, Field(gt=0.0, le=1e18)] | None = quantity(
        None, "floating-point operations a second that the device reaches", unit="FLOP/s"
    )
    memory_bandwidth_bytes_s: Annotated[float, Field(gt=0.0, le=1e15)] | None = quantity(
        None, "memory traffic that the device reaches", unit="byte/s"
    )
    overhead_s: Annotated[float, Field(ge=0.0, le=3600.0)] | None = quantity(
        None, "fixed latency of one inference", unit="s"
    )
    energy_per_flop_j: Annotated[float, Field(ge=0.0, le=1.0)] | None = quantity(
        None, "energy of one floating-point operation", unit="J"
    )
    energy_per_byte_j: Annotated[float, Field(ge=0.0, le=1.0)] | None = quantity(
        None, "energy of one byte of memory traffic", unit="J"
    )
