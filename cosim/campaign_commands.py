# SPDX-License-Identifier: MIT
"""The commands of studies: `cosim campaign` and `cosim report`. Each returns its exit code."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from cosim.command_error import EXIT_FAILED, EXIT_INTERRUPTED
from cosim.plugins import load_plugins

FAILURES_SHOWN = 20


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command()(campaign)
    app.command()(report)


def campaign(
    source: Annotated[
        str,
        typer.Argument(
            metavar="FILE",
            help="A campaign file, a campaign's folder, or a scenario for --grid and --seeds.",
        ),
    ] = "demo",
    grid: Annotated[
        list[str] | None,
        typer.Option(
            "--grid", metavar="FIELD=A,B", help="Values of a field; repeatable: all combinations."
        ),
    ] = None,
    seeds: Annotated[
        str | None, typer.Option("--seeds", metavar="N|LIST", help="10 seeds, or 1,2,5.")
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="A value for all runs; repeatable."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="The campaign's folder. Default: campaigns/NAME."),
    ] = None,
    plugins: Annotated[
        list[Path] | None,
        typer.Option(
            "--plugin", metavar="FILE", exists=True, dir_okay=False, help="As of `cosim run`."
        ),
    ] = None,
    name: Annotated[str | None, typer.Option("--name", help="The campaign's name.")] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="Runs at a time; default: one a core.")
    ] = None,
    memory_mb: Annotated[
        float | None,
        typer.Option("--memory-mb", min=1, help="Memory of a run; by default it is measured."),
    ] = None,
    cluster: Annotated[
        str | None,
        typer.Option(
            "--cluster", metavar="ADDRESS", help="A Dask scheduler, e.g. tcp://host:8786."
        ),
    ] = None,
    retry: Annotated[bool, typer.Option("--retry", help="Try failed runs again.")] = False,
    retries: Annotated[
        int, typer.Option("--retries", min=0, help="Further attempts at runs that were killed.")
    ] = 1,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="List the runs and which are done; run nothing.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object on standard output.")
    ] = False,
) -> int:
    """Run a scenario with many settings and seeds; what is done already is not run again."""
    from cosim.campaign import CampaignFolder, load_design, run_campaign
    from cosim.campaign.fields import parse_grid, parse_seeds
    from cosim.campaign.progress import NoProgress, TextProgress

    load_plugins(plugins)
    design = load_design(
        source,
        grid=[parse_grid(text) for text in grid or ()],
        seeds=None if seeds is None else parse_seeds(seeds),
        overrides=overrides or (),
        name=name,
        plugins=plugins or (),
    )
    resumed = Path(source) if (Path(source) / "campaign.json").is_file() else None
    folder = out or resumed or Path("campaigns") / design.name
    if dry_run:
        known = CampaignFolder(folder)
        rows: list[dict[str, Any]] = []
        for point in design.points:
            done = (known.run_dir(point.key) / "run.json").is_file()
            reason = known.failure(point.key)
            state = "finished" if done else "failed" if reason else "to do"
            rows.append({"run": point.key[:16], "state": state, "seed": point.scenario.run.seed}
                        | {"fields": dict(point.fields)})  # fmt: skip
        if as_json:
            print(json.dumps({"campaign_dir": str(folder), "runs": rows}, default=str))
        else:
            for row in rows:
                fields = ", ".join(f"{k}={v}" for k, v in row["fields"].items())
                print(f"{row['run']}  {row['state']:<8}  seed {row['seed']}  {fields}".rstrip())
        return 0
    result = run_campaign(
        design,
        folder,
        workers=workers,
        memory_mb=memory_mb,
        cluster=cluster,
        retries=retries,
        retry_failed=retry,
        progress=NoProgress() if quiet or as_json else TextProgress(),
    )
    if as_json:
        print(
            json.dumps(
                {
                    "campaign_dir": str(result.folder),
                    "runs": result.total,
                    "finished": result.finished,
                    "started": result.started,
                    "failed": result.failed,
                    "interrupted": result.interrupted,
                    "results": str(result.table),
                }
            )
        )
    else:
        print(result.table)
    if result.interrupted:
        print(f"cosim: interrupted; go on with: cosim campaign {folder}", file=sys.stderr)
        return EXIT_INTERRUPTED
    if result.failed:
        for key, reason in list(result.failed.items())[:FAILURES_SHOWN]:
            print(f"cosim: {key} failed: {' '.join(reason.split())}", file=sys.stderr)
        print(
            f"cosim: {len(result.failed)} of {result.total} runs failed; their folders are in "
            f"{folder}/failed; try them again with: cosim campaign {folder} --retry",
            file=sys.stderr,
        )
        return EXIT_FAILED
    return 0


def report(
    sources: Annotated[
        list[Path], typer.Argument(metavar="RUN|CAMPAIGN...", help="Folders; runs are compared.")
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", help="The file. Default: report.html in the folder, or here."),
    ] = None,
    show: Annotated[bool, typer.Option("--open", help="Open it in the web browser.")] = False,
) -> int:
    """Write one self-contained HTML file about runs and campaigns."""
    from analysis.report import write_report

    path = write_report(sources, out)
    print(path)
    if show:
        import webbrowser

        if not webbrowser.open(path.resolve().as_uri()):
            print(f"cosim: no web browser was found; open {path} in one", file=sys.stderr)
    return 0
