# SPDX-License-Identifier: MIT
"""The commands of the physical layer: `cosim phy bler`."""

import json
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

EXIT_BAD_INPUT = 2

app = typer.Typer(help="The physical layer: tables of block error rates.", no_args_is_help=True)


def register(parent: typer.Typer) -> None:
    """Add `phy` and its commands to the command line."""
    parent.add_typer(app, name="phy")


@app.callback()
def _phy() -> None:
    """Group the commands: without it a single one would lose its name."""


@app.command()
def bler(
    mcs_table: Annotated[
        int, typer.Option("--mcs-table", help="1, 2 or 3: TS 38.214 tables 5.1.3.1-1 to -3.")
    ] = 1,
    mcs: Annotated[str, typer.Option("--mcs", help="Indices, such as 0-9,28; default: all.")] = "",
    cbs: Annotated[
        str, typer.Option("--cbs", help="Code-block sizes in bits; the first comes first.")
    ] = "24,100,500,1000,2000,3840,8448",
    seed: Annotated[int, typer.Option("--seed", help="Of bits and noise.")] = 1,
    effort: Annotated[float, typer.Option("--effort", help="Scales the blocks of a point.")] = 1.0,
    rv: Annotated[
        str,
        typer.Option(
            "--rv",
            help="Redundancy versions of a block's transmissions, such as 0,2: the curve is that "
            "after all of them.",
        ),
    ] = "0",
    out: Annotated[
        Path | None,
        typer.Option("--out", help="JSON file, made or completed. Default: bler_tableN.json."),
    ] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="Processes; default: one a core.")
    ] = None,
    cluster: Annotated[
        str | None,
        typer.Option(
            "--cluster", metavar="ADDRESS", help="A Dask scheduler, e.g. tcp://host:8786."
        ),
    ] = None,
    minutes: Annotated[
        float | None, typer.Option("--minutes", help="Begin no curve after so much wall time.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object on standard output.")
    ] = False,
) -> int:
    """Measure block error rates by Monte Carlo; a file that is there already is completed."""
    from sionna_phy.abstraction.campaign import (
        Campaign,
        parse_indices,
        run_campaign,
        summary,
    )
    from sionna_phy.abstraction.mcs import MCS_TABLES
    from sionna_phy.abstraction.pool import CampaignError

    try:
        count = len(MCS_TABLES.get(mcs_table, ()))
        campaign = Campaign(
            mcs_table,
            parse_indices(mcs or f"0-{max(count - 1, 0)}", "--mcs"),
            parse_indices(cbs, "--cbs"),
            seed,
            effort,
            _versions(rv),
        )
        path = out or Path(f"bler_table{mcs_table}.json")
        table = run_campaign(
            campaign,
            path,
            workers=workers or len(os.sched_getaffinity(0)),
            cluster=cluster,
            minutes=minutes,
            report=(lambda _: None)
            if quiet or as_json
            else (lambda line: print(line, file=sys.stderr, flush=True)),
        )
    except CampaignError as error:
        print(f"cosim: {error}", file=sys.stderr)
        return EXIT_BAD_INPUT
    have = {(c["mcs"], c["cbs_bits"]) for c in table["curves"]}
    missing = sum(place not in have for place in campaign.places())
    if as_json:
        print(json.dumps({"file": str(path), "curves": len(have), "missing": missing}))
        return 0
    for line in summary(table):
        print(line)
    if missing:
        print(f"{missing} curves are missing; the same command goes on with them")
    print(path)
    return 0


def _versions(text: str) -> tuple[int, ...]:
    """Return redundancy versions; unlike indices, the same may come again."""
    from sionna_phy.abstraction.pool import CampaignError

    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() for part in parts):
        raise CampaignError(f"--rv: {text!r} is no list of redundancy versions; example: 0,2")
    return tuple(int(part) for part in parts)


@app.command()
def eesm(
    mcs: Annotated[str, typer.Option("--mcs", help="Indices, such as 0-9,28.")] = "0-28",
    cbs: Annotated[int, typer.Option("--cbs", help="Code-block size in bits.")] = 1000,
    channels: Annotated[
        int, typer.Option("--channels", min=2, help="Realisations of the channel.")
    ] = 12,
    blocks: Annotated[int, typer.Option("--blocks", min=10, help="Blocks of a point.")] = 40,
    seed: Annotated[int, typer.Option("--seed", help="Of channels, bits and noise.")] = 1,
    out: Annotated[Path, typer.Option("--out", help="JSON file.")] = Path("eesm_table1.json"),
) -> int:
    """Fit EESM betas on frequency-selective channels, and say how well the mapping predicts."""
    from sionna_phy.abstraction.campaign import parse_indices
    from sionna_phy.abstraction.eesm_fit import calibrate, write_fits
    from sionna_phy.abstraction.pool import CampaignError

    command = (
        f"cosim phy eesm --mcs {mcs} --cbs {cbs} --channels {channels} --blocks {blocks} "
        f"--seed {seed}"
    )
    try:
        indices = parse_indices(mcs, "--mcs")
    except CampaignError as error:
        print(f"cosim: {error}", file=sys.stderr)
        return EXIT_BAD_INPUT
    fits = []
    for index in indices:
        fits += calibrate(
            [index],
            cbs_bits=cbs,
            channels=channels,
            blocks=blocks,
            seed=seed,
            report=lambda line: print(line, file=sys.stderr, flush=True),
        )
        # After every MCS: an interrupted run keeps what it has.
        write_fits(out, fits, command=command, mcs_table=1)
    print(out)
    return 0
