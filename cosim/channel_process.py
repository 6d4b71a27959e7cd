# SPDX-License-Identifier: MIT
"""The channel producer's process: Sionna computes blocks ahead while ns-3 consumes them.

Run as `python -m cosim.channel_process` with COSIM_BRIDGE_FD set, a JSON description of the channel
on standard input, and the bridge's blocks channel as its output. It ends when ns-3 needs no more
blocks or when its parent does. After each block it says on standard output what it has done. What
is wrong with the channel is one line on standard error, without a traceback.
"""

import dataclasses
import json
import math
import os
import sys
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from sionna_phy.channel import (
    ChannelBlockArray,
    ChannelProducer,
    ChannelSpec,
    ChannelSpecError,
    make_producer,
)
from sionna_phy.channel.cached import CachedProducer, default_folder
from sionna_phy.channel.llvm import LlvmError
from sionna_phy.channel.raytraced import RayTracingError

if TYPE_CHECKING:
    # The process itself, which ns-3 waits for, needs no scenario.
    from cosim.plan import Plan
    from cosim.scenario import Scenario

START_TIMEOUT_S = 3600.0
WITHOUT_SIONNA = ("constant", "distance", "replay", "rt")
"""Models that compute in this process without Sionna; traced rays come from a child."""


def prb_offsets_hz(scenario: "Scenario") -> tuple[float, ...] | None:
    """Return the centres of all bandwidth parts' PRBs relative to the carrier frequency.

    The parts lie side by side and the carrier frequency is in the middle of them all; within a
    part, PRBs are in the middle of its bandwidth. None with one part: then the default holds.
    """
    parts = scenario.carrier.all_parts
    if len(parts) == 1:
        return None
    centres: list[float] = []
    lower_hz = -0.5e6 * scenario.carrier.total_bandwidth_mhz
    for part, prbs in zip(parts, scenario.prb_counts, strict=True):
        middle_hz = lower_hz + 0.5e6 * part.bandwidth_mhz
        width_hz = 12 * 15e3 * 2**part.numerology
        centres += [middle_hz + (i - (prbs - 1) / 2) * width_hz for i in range(prbs)]
        lower_hz += 1e6 * part.bandwidth_mhz
    return tuple(centres)


def channel_spec(plan: "Plan") -> ChannelSpec:
    """Return the description of all links of a plan."""
    scenario = plan.scenario
    channel, gnb, ues = scenario.channel, scenario.gnb, scenario.ues
    return ChannelSpec(
        model=channel.model,
        carrier_frequency_hz=scenario.carrier.frequency_hz,
        prbs=sum(scenario.prb_counts),
        prb_offsets_hz=prb_offsets_hz(scenario),
        subcarrier_spacing_hz=15e3 * 2**scenario.carrier.numerology,
        cell_positions_m=plan.cell_positions_m,
        ue_positions_m=plan.ue_positions_m,
        ue_velocities_m_s=plan.ue_velocities_m_s,
        ue_indoor=plan.ue_indoor,
        serving_cell=plan.serving_cell,
        any_cell_serves=plan.any_cell_serves,
        ue_tracks_m=plan.ue_tracks_m,
        wrap_lattice_m=plan.wrap_lattice_m,
        cell_orientations_rad=plan.cell_orientations_rad if plan.has_sectors else None,
        gnb_pattern="38.901" if plan.has_sectors else "omni",
        gnb_rows=gnb.antenna_rows,
        gnb_columns=gnb.antenna_columns,
        gnb_polarisation=gnb.polarisation,
        ue_antennas=ues.antennas,
        layers=max(scenario.mac.max_layers, scenario.mac.ul_max_layers),
        los=channel.los,
        soft_los=channel.soft_los,
        shadowing=channel.shadowing,
        gain_db=channel.gain_db,
        o2i=channel.o2i,
        office=channel.office,
        factory=channel.factory,
        spec_version=channel.spec_version,
        delay_spread_s=channel.delay_spread_s,
        file=channel.file or None,
        scene=channel.scene or None,
        rt_max_depth=channel.rt_max_depth,
        rt_samples=channel.rt_samples,
        rt_paths=channel.rt_paths,
        rt_step_m=channel.rt_step_m,
        rt_search_m=channel.rt_search_m,
        blocks_needed=math.ceil(plan.duration_s / channel.block_duration_s - 1e-9),
        block_duration_s=channel.block_duration_s,
        samples_per_block=channel.samples_per_block,
        seed=plan.seed("channel", bits=31),
    )


def spec_to_json(spec: ChannelSpec) -> str:
    """Return a spec as JSON; arrays become nested lists."""
    fields = {
        f.name: (v.tolist() if isinstance(v := getattr(spec, f.name), np.ndarray) else v)
        for f in dataclasses.fields(spec)
    }
    return json.dumps(fields)


def spec_from_json(text: str) -> ChannelSpec:
    """Return the spec that `spec_to_json` wrote."""
    fields: dict[str, Any] = {
        k: np.asarray(v) if isinstance(v, list) else v for k, v in json.loads(text).items()
    }
    return ChannelSpec(**fields)


def block_fields(spec: ChannelSpec, block: ChannelBlockArray, number: int) -> dict[str, Any]:
    """Return the header of a block that is published as block `number`, for `Blocks.publish`."""
    times, cells, ues, layers, prbs = block.gains.shape
    return {
        "t_start_s": number * spec.block_duration_s,
        "sample_interval_s": block.sample_interval_s,
        "times": times,
        "cells": cells,
        "ues": ues,
        "layers": layers,
        "prbs": prbs,
        "interference": int(spec.any_cell_serves),
    }


def main() -> int:
    """Produce blocks until nobody wants any more."""
    from cosim.bridge import end_with_parent

    end_with_parent()
    request = json.loads(sys.stdin.read())
    cached = request.pop("cache")
    spec = spec_from_json(json.dumps(request))
    clock = Clock()
    try:
        with clock:
            producer = _producer(spec, cached=cached)
            producer.prepare()
        clock.start_s = clock.seconds
        _produce(producer, clock)
    except (ChannelSpecError, LlvmError, RayTracingError) as error:
        print(f"channel: {error}", file=sys.stderr)
        return 1
    return 0


def _producer(spec: ChannelSpec, *, cached: bool) -> ChannelProducer:
    """Return the producer; Sionna is imported now, or when a cached one first misses a block."""

    def import_it() -> None:
        if spec.model not in WITHOUT_SIONNA:
            from sionna_phy.lean_import import import_sionna

            import_sionna()

    if cached:
        return CachedProducer(spec, default_folder(), before=import_it)
    import_it()
    return make_producer(spec)


def _say(producer: ChannelProducer, clock: "Clock") -> None:
    """Write what has been done so far to standard output, as one line of JSON."""
    spec = producer.spec
    facts = {
        "computed_blocks": clock.blocks,
        "links_per_call": len(spec.cell_positions_m) * len(spec.ue_positions_m),
        "compute_s": round(clock.seconds, 3),
        "prepare_s": round(clock.start_s, 3),
        "cache_hits": producer.hits if isinstance(producer, CachedProducer) else 0,
        "moving_ues": int(np.any(spec.ue_velocities_m_s, axis=1).sum()),
    }
    print(json.dumps(facts), flush=True)


class Clock:
    """Sums the wall time of its `with` blocks.

    Attributes:
        seconds: in all.
        start_s: of it, until everything was ready for the first block.
        blocks: computed.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self.start_s = 0.0
        self.blocks = 0
        self._start = 0.0

    def __enter__(self) -> None:
        self._start = time.perf_counter()

    def __exit__(self, *error: object) -> None:
        self.seconds += time.perf_counter() - self._start


def _produce(producer: ChannelProducer, clock: Clock) -> None:
    """Publish blocks until nobody wants any more."""
    from cosim.bridge import Bridge, BridgeError

    needed = producer.spec.blocks_needed
    last = needed - 1 if needed and producer.spec.model == "replay" else None
    try:
        fd = int(os.environ["COSIM_BRIDGE_FD"])
        # The engine loads models meanwhile; if it gives up, this process ends with it.
        with Bridge.attach(fd, timeout_s=START_TIMEOUT_S) as bridge:
            blocks = bridge.blocks("channel")
            number = 0
            while True:
                # Blocks are made ahead, also beyond the end, where nobody reads them: a recording
                # that ends with the run then repeats its last.
                wanted = number if last is None else min(number, last)
                with clock:
                    block = producer.block(wanted)
                clock.blocks += 1
                _say(producer, clock)
                blocks.publish(number, block_fields(producer.spec, block, number), block.gains)
                number += 1
    except BridgeError:
        return  # ns-3 or the engine has ended; whoever noticed first reports it


if __name__ == "__main__":
    sys.exit(main())
