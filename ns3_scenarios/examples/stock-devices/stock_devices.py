# SPDX-License-Identifier: MIT
"""What both examples share: publish blocks to an ns-3 program and read what it measured."""

import argparse
import dataclasses
import os
import subprocess
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cosim.bridge import Bridge, PeerDied
from cosim.channel_process import block_fields
from sionna_phy.channel import ChannelSpec, make_producer

SLOTS = 2
BUILT = Path(__file__).parents[3] / "build" / "editable" / "test-bin"
THERMAL_DBM_HZ = -174.0


@dataclasses.dataclass(frozen=True)
class Measured:
    """What ns-3 says of a UE: mean SINR, received UDP payload."""

    ue: int
    sinr_db: float
    throughput_bps: float


def parser(words: str) -> argparse.ArgumentParser:
    """Return a parser with the options of every such script."""
    options = argparse.ArgumentParser(description=words)
    options.add_argument("--model", help="channel model, such as umi, inh or replay")
    options.add_argument("--file", help="recorded channel, with --model replay")
    options.add_argument("--seed", type=int, default=1, help="of the channel")
    options.add_argument("--program", type=Path, help="the ns-3 program")
    return options


def program(name: str) -> Path:
    """Return where CMake with COSIM_BUILD_TESTS puts a program."""
    return Path(os.environ.get("COSIM_TEST_BIN", BUILT)) / name


def static_spec(
    model: str, cells_m: list[list[float]], ues_m: list[list[float]], **fields: object
) -> ChannelSpec:
    """Return the description of all links between cells and UEs; `fields` are ChannelSpec's."""
    ues = len(ues_m)
    common: dict[str, object] = {
        "ue_velocities_m_s": np.zeros((ues, 3)),
        "serving_cell": np.zeros(ues, dtype=np.int64),
        "subcarrier_spacing_hz": 15e3,
    }
    return ChannelSpec(
        model=model,
        cell_positions_m=np.array(cells_m),
        ue_positions_m=np.array(ues_m),
        **{**common, **fields},  # type: ignore[arg-type]
    )


def run(
    executable: Path, options: list[str], spec: ChannelSpec
) -> tuple[list[Measured], npt.NDArray[np.float64]]:
    """Run an ns-3 program on a channel.

    Args:
        executable: the program.
        options: its own options; those of the channel are added.
        spec: of the channel, with `blocks_needed`.

    Returns:
        What it measured, and the gains that it had, shape [samples, cells, ues, prbs].

    Raises:
        PeerDied: the program failed; the message has its words.
    """
    producer = make_producer(spec)
    producer.prepare()
    cells, ues = len(spec.cell_positions_m), len(spec.ue_positions_m)
    assert spec.blocks_needed is not None
    block_bytes = 4 * spec.samples_per_block * cells * ues * spec.planes * spec.prbs
    command = [
        str(executable),
        f"--cells={cells}",
        f"--ues={ues}",
        f"--prbs={spec.prbs}",
        f"--channel-slots={SLOTS}",
        f"--channel-block-bytes={block_bytes}",
        *options,
    ]
    published = []
    with Bridge.create() as bridge:
        process = bridge.spawn(command, stdout=subprocess.PIPE)
        bridge.wait_ready()
        blocks = bridge.blocks("channel")
        for number in range(spec.blocks_needed):
            block = producer.block(number)
            published.append(block.gains[:, :, :, 0, :])
            try:
                blocks.publish(number, block_fields(spec, block, number), block.gains)
            except PeerDied:
                break  # at its end, or the wait below says why
        while not bridge.finished:
            bridge.wait(1.0)
        bridge.wait(0.0)  # says if it ended with an error
        assert process.stdout is not None
        lines = process.stdout.read().decode().split("\n")
    pairs = [dict(word.split("=") for word in line.split()) for line in lines if line]
    measured = [
        Measured(int(p["ue"]), float(p["sinr_db"]), float(p["throughput_bps"])) for p in pairs
    ]
    return measured, np.concatenate(published).astype(np.float64)


def mean_db(linear: npt.NDArray[np.float64]) -> float:
    """Return the mean of linear values in dB."""
    return float(10.0 * np.log10(linear.mean()))


def show(
    measured: list[Measured], expected_db: list[float], capacity_bps: list[float], words: str
) -> None:
    """Print a row a UE: SINR expected and measured, throughput, and its share of the capacity."""
    print(f"{'ue':>3} {'expected_db':>12} {words:>12} {'throughput_mbps':>16} {'of_shannon':>11}")
    for m, expected, capacity in zip(measured, expected_db, capacity_bps, strict=True):
        share = m.throughput_bps / capacity
        print(
            f"{m.ue:>3} {expected:>12.2f} {m.sinr_db:>12.2f} {m.throughput_bps / 1e6:>16.2f} "
            f"{share:>11.2f}"
        )
