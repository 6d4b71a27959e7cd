# SPDX-License-Identifier: MIT
"""Monte Carlo block error curves: `python -m sionna_phy.abstraction.generate --help`.

Where to look is found by halving an SNR interval until it brackets the waterfall; then points are
added where the curve fitted so far has chosen rates. A point ends when it has counted enough wrong
blocks, or enough blocks. Every point keeps its counts, and its random numbers follow from (seed,
MCS, size, SNR)
alone: a point gives the same counts whatever else is generated.
"""

import argparse
import json
import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np

from sionna_phy.abstraction.coded_link import CodedLink
from sionna_phy.abstraction.curve_fit import CurveFit, Point, fit_curve
from sionna_phy.abstraction.harq_link import HarqLink
from sionna_phy.abstraction.mcs import MCS_TABLE_1, MCS_TABLES
from sionna_phy.abstraction.mother_code import ITERATIONS

TARGET_RATES = (0.9, 0.7, 0.5, 0.3, 0.1, 0.03)
BRACKET_DB = 0.3
GRID_DB = 0.05
"""SNRs are multiples of it, so that points of different runs can meet."""


@dataclass(frozen=True)
class StoppingRule:
    """When a point has enough.

    Attributes:
        errors: wrong blocks that end a point.
        blocks: blocks that end a point in any case.
        search_blocks: blocks of a point while the waterfall is still being searched.
    """

    errors: int
    blocks: int
    search_blocks: int

    @classmethod
    def for_size(cls, cbs_bits: int, effort: float = 1.0) -> "StoppingRule":
        """Return a rule that spends about the same time on every code-block size."""
        blocks = int(np.clip(60_000 * effort / cbs_bits, 60, 1000))
        return cls(
            errors=max(20, int(60 * effort)), blocks=blocks, search_blocks=max(16, blocks // 8)
        )


@dataclass(frozen=True)
class Curve:
    """One generated curve: its place, its counts and its fit."""

    mcs: int
    cbs_bits: int
    coded_bits: int
    points: tuple[Point, ...]
    fit: CurveFit


def _snr(value: float) -> float:
    return round(round(value / GRID_DB) * GRID_DB, 6)


def measure_point(
    link: CodedLink | HarqLink,
    mcs: int,
    snr_db: float,
    seed: int,
    *,
    errors: int,
    blocks: int,
    mcs_table: int = 1,
) -> Point:
    """Return the counts at one SNR, after `errors` wrong blocks or `blocks` blocks.

    Args:
        link: for this MCS and code-block size.
        mcs: index, part of the random numbers' origin.
        snr_db: Es/N0 in dB.
        seed: of the run.
        errors: wrong blocks that end the point; whole batches count, which keeps the estimate fair
            enough (its bias is of the order of one in `errors`).
        blocks: upper limit.
        mcs_table: number of the MCS table, part of the random numbers' origin.
    """
    import torch

    origin = [seed, mcs, link.cbs_bits, round(snr_db * 1000) + 100_000]
    if mcs_table != 1:  # table 1 came first; its numbers must not change
        origin.append(mcs_table)
    if isinstance(link, HarqLink):
        origin += [1000 + version for version in link.versions]
    generator = torch.Generator().manual_seed(
        int(np.random.SeedSequence(origin).generate_state(1, np.uint64)[0] >> np.uint64(1))
    )
    batch = int(np.clip(20_000 // link.cbs_bits, 16, 250))
    done = wrong = 0
    while done < blocks and wrong < errors:
        size = min(batch, blocks - done)
        wrong += link.count_errors(snr_db, size, generator)
        done += size
    return Point(snr_db=snr_db, blocks=done, errors=wrong)


def generate_curve(
    mcs: int,
    cbs_bits: int,
    seed: int,
    rule: StoppingRule,
    mcs_table: int = 1,
    versions: Sequence[int] = (0,),
) -> Curve:
    """Return the block error curve of one MCS and code-block size.

    With several redundancy versions it is that of blocks after so many transmissions, over the SNR
    of each of them.
    """
    scheme = MCS_TABLES[mcs_table][mcs]
    link: CodedLink | HarqLink
    if tuple(versions) == (0,):
        link = CodedLink(scheme, cbs_bits)
    else:
        link = HarqLink(scheme, cbs_bits, versions)
    found: dict[float, Point] = {}

    def measure(snr_db: float, errors: int, blocks: int) -> Point:
        before = found.get(snr_db)
        if before is None or (before.errors < errors and before.blocks < blocks):
            found[snr_db] = measure_point(
                link, mcs, snr_db, seed, errors=errors, blocks=blocks, mcs_table=mcs_table
            )
        return found[snr_db]

    low, high = (
        10 * math.log10(2.0 ** (scheme.efficiency / count) - 1.0)  # Shannon
        for count in (len(versions), 1)
    )
    low, high = low - 3.0, high + 6.0
    while high - low > BRACKET_DB:
        middle = _snr(0.5 * (low + high))
        point = measure(middle, rule.search_blocks, rule.search_blocks)
        if point.errors > point.blocks / 2:
            low = middle
        else:
            high = middle
    # Halving stops beside the waterfall if that is narrow: step on until a point is inside it.
    if not any(0 < p.errors < p.blocks for p in found.values()):
        for snr in np.arange(low, high, GRID_DB):
            measure(_snr(float(snr)), rule.search_blocks, rule.search_blocks)
    for rate in TARGET_RATES:
        fit = fit_curve(list(found.values()))
        wanted = _snr(fit.snr_50_db + fit.width_db * NormalDist().inv_cdf(1 - rate))
        measure(wanted, rule.errors, rule.blocks)
    points = tuple(found[snr] for snr in sorted(found))
    return Curve(mcs, cbs_bits, link.coded_bits, points, fit_curve(points))


def to_json(curves: Sequence[Curve], *, command: str, seed: int) -> dict[str, Any]:
    """Return what a table file holds: the curves, and how to make them again."""
    return {
        "command": command,
        "seed": seed,
        "versions": {name: metadata.version(name) for name in ("sionna", "torch")},
        "mcs_table": 1,
        "snr": "Es/N0 of a data symbol in dB, AWGN",
        "decoder": f"belief propagation, {ITERATIONS} flooding iterations, boxplus-phi",
        "curves": [asdict(curve) for curve in curves],
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Generate curves and write them to a file."""
    parser = argparse.ArgumentParser(
        prog="python -m sionna_phy.abstraction.generate",
        description="Measure block error rates of the 5G LDPC code in AWGN.",
    )
    parser.add_argument("--mcs", type=int, nargs="+", required=True, help="indices of table 1")
    parser.add_argument(
        "--cbs", type=int, nargs="+", required=True, help="code-block sizes in bits"
    )
    parser.add_argument("--seed", type=int, default=1, help="of bits and noise (default 1)")
    parser.add_argument("--effort", type=float, default=1.0, help="scales the blocks of a point")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write")
    options = parser.parse_args(arguments)
    if any(not 0 <= mcs < len(MCS_TABLE_1) for mcs in options.mcs):
        parser.error(f"--mcs: indices go from 0 to {len(MCS_TABLE_1) - 1}")
    if any(not 24 <= size <= 8448 for size in options.cbs):
        parser.error("--cbs: code blocks have 24 to 8448 bits (TS 38.212 clause 5.2.2)")
    if not options.effort > 0:
        parser.error("--effort must be above 0")
    if not options.out.parent.is_dir():
        parser.error(f"--out: there is no folder {options.out.parent}")
    command = (
        f"python -m sionna_phy.abstraction.generate --mcs {' '.join(map(str, options.mcs))} "
        f"--cbs {' '.join(map(str, options.cbs))} --seed {options.seed} "
        f"--effort {options.effort:g} --out {options.out.name}"
    )
    curves = []
    for mcs in options.mcs:
        for size in options.cbs:
            start = time.process_time()
            rule = StoppingRule.for_size(size, options.effort)
            curve = generate_curve(mcs, size, options.seed, rule)
            curves.append(curve)
            print(
                f"MCS {mcs}, {size} bits: half of the blocks at {curve.fit.snr_50_db:.2f} dB, "
                f"{sum(p.blocks for p in curve.points)} blocks, "
                f"{time.process_time() - start:.0f} s CPU",
                flush=True,
            )
            # After every curve: an interrupted run keeps what it has.
            table = to_json(curves, command=command, seed=options.seed)
            options.out.write_text(json.dumps(table, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
