# SPDX-License-Identifier: MIT
"""The section of the radio channel."""

from typing import Literal

from cosim.scenario.base import Section, quantity


class ChannelSection(Section):
    """The radio channel between every UE and every cell."""

    model: Literal[
        "umi", "uma", "rma", "inh", "inf", "constant", "distance", "rt", "replay",
        "tdl-a", "tdl-b", "tdl-c", "tdl-d", "tdl-e",
        "cdl-a", "cdl-b", "cdl-c", "cdl-d", "cdl-e",
    ] = quantity(
        "umi",
        "street canyon, urban macro, rural macro, indoor office, factory; a constant gain without "
        "fading, or a gain by distance alone (gain_db at 1 km, 37.6 dB a decade); rays traced in a "
        "scene (rt); a recorded channel (replay); tapped or clustered delay lines for link studies",
        source="TR 38.901 tables 7.4.1-1, 7.7.1-1 to -5 and 7.7.2-1 to -5",
    )  # fmt: skip
    los: Literal["random", "always", "never"] = quantity(
        "random",
        "line of sight: drawn with the model's probability, or forced",
        source="TR 38.901 table 7.4.2-1",
    )
    soft_los: bool = quantity(
        False,
        "line of sight comes and goes along the ways of moving UEs, and path loss and shadowing "
        "with it; otherwise it stays as it was drawn for the start",
        source="TR 38.901 clause 7.6.3.3",
    )
    shadowing: bool = quantity(True, "draw shadow fading", source="TR 38.901 clause 7.4.1")
    block_duration_s: float = quantity(
        0.1, "simulated time that one channel block covers", unit="s", gt=0.0, le=60.0
    )
    samples_per_block: int = quantity(
        20,
        "channel samples in a block; a sample holds until the next, so it must be short against "
        "the coherence time",
        ge=1,
        le=100_000,
    )
    look_ahead_blocks: int = quantity(
        2, "blocks that the producer may be ahead of the simulation", ge=1, le=64
    )
    gain_db: float = quantity(
        -100.0,
        'power gain of every link on every PRB with model = "constant", at 1 km with '
        'model = "distance"; mean gain of the serving links with delay lines',
        unit="dB",
        ge=-250.0,
        le=0.0,
    )
    o2i: Literal["low", "high"] = quantity(
        "low",
        "penetration loss into buildings, for UEs that are indoors in umi and uma",
        source="TR 38.901 table 7.4.3-2",
    )
    office: Literal["open", "mixed"] = quantity(
        "open", "kind of office of inh", source="TR 38.901 table 7.4.2-1"
    )
    factory: Literal["SL", "DL", "SH", "DH", "HH"] = quantity(
        "SH", "kind of factory of inf", source="TR 38.901 table 7.2-4"
    )
    spec_version: Literal["16.1", "19.2"] = quantity(
        "19.2", "version of TR 38.901 whose tables the models use"
    )
    delay_spread_s: float = quantity(
        100e-9,
        "root mean square delay spread of the delay lines",
        unit="s",
        source="TR 38.901 clause 7.7.3",
        gt=0.0,
        le=1e-4,
    )
    file: str = quantity(
        "", 'file of a recorded channel; only with model = "replay"', max_length=1000
    )
    scene: str = quantity(
        "",
        'only with model = "rt": a scene of Sionna (munich, florence, simple_street_canyon, ...) '
        "or a scene file",
        max_length=1000,
    )
    rt_max_depth: int = quantity(3, "interactions of a traced path at most", ge=0, le=20)
    rt_samples: int = quantity(
        100_000, "rays that each cell sends out to find paths", ge=100, le=100_000_000
    )
    rt_paths: int = quantity(
        2000,
        "room for candidate paths of a cell and UE; too little is an error",
        ge=1,
        le=1_000_000,
    )
    rt_step_m: float = quantity(
        0.5,
        "way of the fastest UE after which paths are traced anew; until then they turn with their "
        "Doppler shifts",
        unit="m",
        gt=0.0,
        le=1000.0,
    )
    rt_search_m: float = quantity(
        2.0,
        "way of the fastest UE after which the surfaces that may make a path are looked for anew; "
        "until then paths are traced over those known (rt_step_m or less: always looked for)",
        unit="m",
        gt=0.0,
        le=1000.0,
    )
    cache: bool = quantity(
        False,
        "keep blocks on disk under the hash of all that they follow from, for the next run with "
        "the same channel",
    )

    @property
    def sample_interval_s(self) -> float:
        """Return the time for which one channel sample holds, in seconds."""
        return self.block_duration_s / self.samples_per_block
