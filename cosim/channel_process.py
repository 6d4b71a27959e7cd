# SPDX-License-Identifier: MIT
"""The channel producer's process: Sionna computes blocks ahead while ns-3 consumes them.

Run as `python -m cosim.channel_process` with COSIM_BRIDGE_FD set, a JSON description of the channel
on standard input, and the bridge's blocks channel as its only output. It ends when
ns-3 needs no more blocks or when its parent does.
"""

import dataclasses
import json
import os
import sys
from typing import Any

import numpy as np

from cosim.plan import Plan
from sionna_phy.channel import ChannelSpec, make_producer


def channel_spec(plan: Plan, *, prbs: int) -> ChannelSpec:
    """Return the description of all links of a plan."""
    scenario = plan.scenario
    channel, gnb, ues = scenario.channel, scenario.gnb, scenario.ues
    return ChannelSpec(
        model=channel.model,
        carrier_frequency_hz=scenario.carrier.frequency_hz,
        prbs=prbs,
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
        shadowing=channel.shadowing,
        gain_db=channel.gain_db,
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


def main() -> int:
    """Produce blocks until nobody wants any more."""
    from cosim.bridge import Bridge, BridgeError, end_with_parent

    end_with_parent()
    spec = spec_from_json(sys.stdin.read())
    producer = make_producer(spec)
    producer.prepare()
    try:
        with Bridge.attach(int(os.environ["COSIM_BRIDGE_FD"])) as bridge:
            blocks = bridge.blocks("channel")
            number = 0
            while True:
                block = producer.block(number)
                times, cells, ues, layers, prbs = block.gains.shape
                header = {
                    "t_start_s": block.t_start_s,
                    "sample_interval_s": block.sample_interval_s,
                    "times": times,
                    "cells": cells,
                    "ues": ues,
                    "layers": layers,
                    "prbs": prbs,
                    "interference": int(spec.any_cell_serves),
                }
                blocks.publish(number, header, block.gains)
                number += 1
    except BridgeError:
        return 0  # ns-3 or the engine has ended; whoever noticed first reports it


if __name__ == "__main__":
    sys.exit(main())
