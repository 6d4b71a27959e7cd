# SPDX-License-Identifier: MIT
"""Block error tables by Monte Carlo: many curves, several processes, resumable.

The file is written after every curve. Started again with the same file, a campaign keeps the curves
that are there and measures those that are missing; a curve is the same whichever process measures
it and whatever was measured before, because its random numbers follow from its own place alone.
"""

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from sionna_phy.abstraction.generate import Curve, StoppingRule, generate_curve
from sionna_phy.abstraction.intervals import wilson
from sionna_phy.abstraction.mcs import MCS_TABLES
from sionna_phy.abstraction.mother_code import ITERATIONS
from sionna_phy.abstraction.pool import CampaignError, open_pool
from sionna_phy.abstraction.tables import FORMAT

BG2_MOST_BITS = 3840


@dataclass(frozen=True)
class Campaign:
    """What is to be measured.

    Attributes:
        mcs_table: 1, 2 or 3 (TS 38.214 clause 5.1.3.1).
        mcs: indices.
        cbs_bits: code-block sizes in bits, 24 to 8448 (TS 38.212 clause 5.2.2); the first comes
            first.
        seed: of bits and noise.
        effort: scales the blocks of a point.
        versions: redundancy version of each transmission of a block; the SNR is that of each.
    """

    mcs_table: int
    mcs: tuple[int, ...]
    cbs_bits: tuple[int, ...]
    seed: int = 1
    effort: float = 1.0
    versions: tuple[int, ...] = (0,)

    def __post_init__(self) -> None:
        if self.mcs_table not in MCS_TABLES:
            raise CampaignError(f"mcs table {self.mcs_table}: there are 1, 2 and 3")
        last = len(MCS_TABLES[self.mcs_table]) - 1
        if not self.mcs or any(not 0 <= mcs <= last for mcs in self.mcs):
            raise CampaignError(f"mcs: table {self.mcs_table} has 0 to {last}")
        if not self.cbs_bits or any(not 24 <= size <= 8448 for size in self.cbs_bits):
            raise CampaignError("cbs: code blocks have 24 to 8448 bits (TS 38.212 clause 5.2.2)")
        if not self.versions or any(version not in (0, 1, 2, 3) for version in self.versions):
            raise CampaignError("rv: redundancy versions are 0 to 3")
        if not self.effort > 0:
            raise CampaignError(f"effort: {self.effort:g} is not above 0")

    @property
    def command(self) -> str:
        """Return the command that makes the table again."""
        return (
            f"cosim phy bler --mcs-table {self.mcs_table} --mcs {','.join(map(str, self.mcs))} "
            f"--cbs {','.join(map(str, self.cbs_bits))} --seed {self.seed} "
            f"--effort {self.effort:g}"
            + ("" if self.versions == (0,) else f" --rv {','.join(map(str, self.versions))}")
        )

    def places(self) -> Iterator[tuple[int, int]]:
        """Return (mcs, size) of every curve, in the order in which they are measured.

        Code rates up to 1/4 use base graph 2, whose code blocks have 3840 bits at most (TS 38.212
        clauses 5.2.2 and 7.2.2): larger sizes do not exist for these MCS and are left out.
        """
        for size in self.cbs_bits:
            for mcs in self.mcs:
                if size <= BG2_MOST_BITS or MCS_TABLES[self.mcs_table][mcs].code_rate > 0.25:
                    yield mcs, size


def run_campaign(
    campaign: Campaign,
    out: Path,
    *,
    workers: int = 1,
    cluster: str | None = None,
    minutes: float | None = None,
    report: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Measure what the file at `out` lacks, and return its contents.

    Args:
        campaign: what to measure.
        out: JSON file, made or completed; written after every curve.
        workers: processes.
        cluster: address of a Dask scheduler, whose workers measure instead of this machine.
        minutes: wall time after which no curve is begun.
        report: is told of every finished curve.

    Raises:
        CampaignError: the file belongs to another seed, effort, table or version of Sionna; or
            the cluster cannot be used.
    """
    table = _open(campaign, out)
    have = {(c["mcs"], c["cbs_bits"]) for c in table["curves"]}
    todo = [place for place in campaign.places() if place not in have]
    end = float("inf") if minutes is None else time.monotonic() + 60.0 * minutes
    if not todo:
        return table

    def keep(curve: Curve, seconds: float) -> None:
        table["curves"].append(_curve_json(curve))
        table["curves"].sort(key=lambda c: (c["mcs"], c["cbs_bits"]))
        table["cpu_s"] = round(table["cpu_s"] + seconds, 1)
        _write(out, table)
        report(
            f"MCS {curve.mcs}, {curve.cbs_bits} bits: half of the blocks at "
            f"{curve.fit.snr_50_db:.2f} dB, {sum(p.blocks for p in curve.points)} blocks, "
            f"{seconds:.0f} s CPU"
        )

    if workers == 1 and cluster is None:
        for place in todo:
            if time.monotonic() > end:
                break
            keep(*_measure(campaign, *place))
        return table
    with open_pool(workers, cluster) as (pool, slots):
        versions = table["versions"]
        running: set[Future[tuple[Curve, float]]] = set()
        queue = iter(todo)
        while True:
            while len(running) < slots and time.monotonic() < end:
                following = next(queue, None)
                if following is None:
                    break
                running.add(pool.submit(_measure_there, versions, campaign, *following))
            if not running:
                return table
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                keep(*future.result())


def _measure_there(
    versions: dict[str, str], campaign: Campaign, mcs: int, size: int
) -> tuple[Curve, float]:
    """Return what `_measure` does, in another process, which must have the same software."""
    here = _versions()
    if here != versions:
        raise CampaignError(
            f"the worker {os.uname().nodename} has {here}, the table {versions}: "
            "install the same versions there"
        )
    return _measure(campaign, mcs, size)


def _measure(campaign: Campaign, mcs: int, size: int) -> tuple[Curve, float]:
    """Return a curve and the CPU seconds that it took."""
    start = time.process_time()
    rule = StoppingRule.for_size(size, campaign.effort)
    curve = generate_curve(mcs, size, campaign.seed, rule, campaign.mcs_table, campaign.versions)
    return curve, time.process_time() - start


def _curve_json(curve: Curve) -> dict[str, Any]:
    entry = asdict(curve)
    for point in entry["points"]:
        point["ci95"] = [round(v, 6) for v in wilson(point["errors"], point["blocks"])]
    return entry


def _versions() -> dict[str, str]:
    return {name: metadata.version(name) for name in ("sionna", "torch")}


def _identity(campaign: Campaign) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "mcs_table": campaign.mcs_table,
        "seed": campaign.seed,
        "effort": campaign.effort,
        "versions": _versions(),
        "snr": "Es/N0 of a data symbol in dB, AWGN",
        "decoder": f"belief propagation, {ITERATIONS} flooding iterations, boxplus-phi",
        "redundancy_versions": list(campaign.versions),
    }


def _open(campaign: Campaign, out: Path) -> dict[str, Any]:
    identity = _identity(campaign)
    if not out.exists():
        if not out.parent.is_dir():
            raise CampaignError(f"out: there is no folder {out.parent}")
        return {**identity, "command": campaign.command, "cpu_s": 0.0, "curves": []}
    try:
        table: dict[str, Any] = json.loads(out.read_text())
    except (OSError, ValueError) as error:
        raise CampaignError(f"out: cannot read {out}: {error}") from None
    table.setdefault("redundancy_versions", [0])  # older files do not say so
    for key, value in identity.items():
        if table.get(key) != value:
            raise CampaignError(
                f"out: {out} was made with {key} = {table.get(key)!r}, this campaign has "
                f"{value!r}: choose another file"
            )
    table["command"] = campaign.command
    return table


def _write(out: Path, table: dict[str, Any]) -> None:
    part = out.with_name(out.name + ".part")
    try:
        part.write_text(json.dumps(table, indent=1) + "\n")
        os.replace(part, out)
    finally:
        with contextlib.suppress(FileNotFoundError):
            part.unlink()


def parse_indices(text: str, what: str) -> tuple[int, ...]:
    """Return the numbers of a list such as "0-3,7", in its order, none twice.

    Raises:
        CampaignError: it is no such list; the text names `what`.
    """
    numbers: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise CampaignError(f"{what}: {part.strip()!r} is no number or range; example: 0-3,7")
        numbers += range(int(first), int(last if dash else first) + 1)
    return tuple(dict.fromkeys(numbers))


def summary(table: dict[str, Any]) -> Sequence[str]:
    """Return lines that say what a table file holds."""
    blocks = sum(p["blocks"] for c in table["curves"] for p in c["points"])
    errors_db = [c["fit"]["std_error_10_db"] for c in table["curves"]]
    worst = f", SNR at 10 % to {max(errors_db):.2f} dB (standard error)" if errors_db else ""
    return [f"{len(table['curves'])} curves, {blocks} blocks, {table['cpu_s']:.0f} s CPU{worst}"]
