# SPDX-License-Identifier: MIT
"""The `cosim` command. Every error is one clear message on standard error and an exit code.

Exit codes: 0 all is well, 1 the run (or a check) failed, 2 bad input, 130 interrupted.
Nothing heavy is imported before a command needs it.
"""

import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import typer

from cosim import __version__, campaign_commands, phy_commands
from cosim.command_error import EXIT_BAD_INPUT, EXIT_FAILED, EXIT_INTERRUPTED, CommandError
from cosim.plugins import load_plugins

# Some releases of typer bring their own click: the class is the base of what typer itself exports.
_UsageError: Any = next(c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException")

app = typer.Typer(
    name="cosim",
    help="Co-simulation of semantic communication: ns-3 networks, Sionna channels, real models.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
assets_app = typer.Typer(help="Pretrained weights and data sets.", no_args_is_help=True)
app.add_typer(assets_app, name="assets")
campaign_commands.register(app)
phy_commands.register(app)

ScenarioArgument = Annotated[
    str, typer.Argument(metavar="SCENARIO", help="A TOML file, or the name of a shipped scenario.")
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="Override a value, e.g. traffic.0.rate_hz=3; repeatable."
    ),
]
PluginOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--plugin",
        metavar="FILE",
        help="Python file that registers agents, tasks, codecs or schedulers, or a shared library "
        "(.so) with ns-3 classes; loaded first; repeatable.",
    ),
]
SeedOption = Annotated[int | None, typer.Option("--seed", help="Override run.seed.")]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]
RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run.")]


def _print_json(value: Any) -> None:
    print(json.dumps(value, ensure_ascii=False, allow_nan=False))


def _version(value: bool) -> None:
    if value:
        print(f"cosim {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Show the version."),
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks of errors.")] = False,
) -> None:
    """Co-simulation of semantic communication: ns-3 networks, Sionna channels, real models."""
    del version, debug  # `main` looks for --debug itself


@app.command()
def run(
    scenario: ScenarioArgument,
    seed: SeedOption = None,
    overrides: SetOption = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="The run's folder; empty or new. Default: runs/NAME-SEED-HASH."),
    ] = None,
    plugins: PluginOption = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no table.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Simulate a scenario, evaluate it, and write its run folder."""
    from cosim.progress import make_progress
    from cosim.scenario import load_scenario
    from cosim.traces import Manifest, create_run_folder

    load_plugins(plugins)
    loaded = load_scenario(scenario, overrides or (), seed)
    folder = create_run_folder(loaded, out)
    # A polite kill ends a run as Ctrl-C does: with its traces and manifest in order.
    previous = signal.signal(signal.SIGTERM, _interrupt)
    progress = make_progress(quiet=quiet or as_json)
    try:
        from cosim.engine import run_scenario

        run_scenario(loaded, folder, progress=progress)
    except BaseException as error:
        _note_end(folder, error)
        raise
    finally:
        progress.finish()
        signal.signal(signal.SIGTERM, previous)
    manifest = Manifest.read(folder)
    status, reason = manifest.data["status"], manifest.data.get("reason") or ""
    summary = _summarise(folder, figure=status == "finished") if status != "failed" else None
    if as_json:
        _print_json(
            {"run_dir": str(folder), "status": status, "reason": reason, "summary": summary}
        )
    elif summary is not None and not quiet:
        _show_summary(summary)
    if not as_json:
        print(folder)
    if status == "interrupted":
        raise CommandError(f"{reason}; what was simulated is in {folder}", EXIT_INTERRUPTED)
    if status != "finished":
        raise CommandError(f"the run failed: {reason or status}\nits folder: {folder}")


def _interrupt(signum: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _note_end(folder: Path, error: BaseException) -> None:
    """Write into a manifest that still says "running" how the run ended."""
    from cosim.traces import Manifest, TraceError

    try:
        manifest = Manifest.read(folder)
        if manifest.data["status"] == "running":
            stopped = isinstance(error, KeyboardInterrupt)
            manifest.finish(
                "interrupted" if stopped else "failed",
                "interrupted by the user" if stopped else str(error) or type(error).__name__,
            )
    except TraceError:
        # No manifest was written: an empty folder tells nothing, so it is not left behind.
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


def _summarise(folder: Path, *, figure: bool) -> dict[str, Any]:
    from analysis.summary import summarise_run, write_summary

    summary = summarise_run(folder)
    write_summary(folder, summary)
    if figure:
        from analysis.figure import plot_run

        plot_run(folder)
    return summary


def _show_summary(summary: dict[str, Any]) -> None:
    from rich.console import Console

    from analysis.summary import TEXT_WIDTH, render

    # A pipe or a file has no width of its own, and the usual 80 columns would cut the tables.
    console = Console(width=None if sys.stdout.isatty() else TEXT_WIDTH)
    console.print(*render(summary), sep="\n")


@app.command()
def scenarios(as_json: JsonOption = False) -> None:
    """List the shipped scenarios."""
    from cosim.scenario import load_scenario, shipped_scenarios

    rows = []
    for name, path in shipped_scenarios().items():
        loaded = load_scenario(path)
        rows.append(
            {
                "name": name,
                "ues": loaded.ues.count,
                "cells": len(loaded.cells),
                "duration_s": loaded.run.duration_s,
                "description": " ".join(loaded.description.split()),
                "file": str(path),
            }
        )
    if as_json:
        _print_json({"scenarios": rows})
        return
    if not rows:
        raise CommandError("no shipped scenarios were found: install the package again")
    width = max(len(str(row["name"])) for row in rows)
    for row in rows:
        size = f"{row['ues']} UEs, {row['duration_s']:g} s"
        print(f"{row['name']:<{width}}  {size}. {row['description']}")


@app.command()
def show(
    scenario: ScenarioArgument,
    seed: SeedOption = None,
    overrides: SetOption = None,
    plugins: PluginOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show a scenario with every default, its units and sources."""
    from cosim.scenario import load_scenario

    load_plugins(plugins)
    loaded = load_scenario(scenario, overrides or (), seed)
    if as_json:
        _print_json({"hash": loaded.content_hash(), "scenario": loaded.resolved()})
    else:
        print(loaded.resolved_toml(), end="")


@app.command()
def schema(
    out: Annotated[Path | None, typer.Option("--out", help="Write to this file instead.")] = None,
) -> None:
    """Export the JSON schema of scenario files."""
    from cosim.scenario import json_schema

    text = json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"
    if out is None:
        print(text, end="")
        return
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise CommandError(
            f"cannot write {out}: {error.strerror or error}", EXIT_BAD_INPUT
        ) from None


@app.command()
def doctor(as_json: JsonOption = False) -> None:
    """Check what this machine has for a run, and say what to do about the rest."""
    from cosim.doctor import examine

    checks = examine()
    lacks = [check for check in checks if check.required and not check.ok]
    if as_json:
        _print_json({"ok": not lacks, "checks": [check.as_dict() for check in checks]})
    else:
        for check in checks:
            mark = "ok  " if check.ok else ("LACK" if check.required else "-   ")
            print(f"{mark} {check.name}: {check.detail}")
            if check.remedy and not check.ok:
                print(f"     {check.remedy}")
    if lacks:
        names = ", ".join(check.name for check in lacks)
        raise CommandError(f"a run is not possible yet: {names}")


@app.command()
def summary(run_dir: RunArgument, as_json: JsonOption = False) -> None:
    """Summarise a run's traces: accuracy, delay, bytes, links."""
    result = _summarise(run_dir, figure=False)
    if as_json:
        _print_json(result)
    else:
        _show_summary(result)


@app.command()
def plot(
    run_dir: Annotated[
        Path, typer.Argument(metavar="RUN|CAMPAIGN", help="The folder of a run or a campaign.")
    ],
    formats: Annotated[
        list[str] | None, typer.Option("--format", help="png, svg or pdf; repeatable.")
    ] = None,
    y: Annotated[str, typer.Option("--y", help="Of a campaign: the metric.")] = "accuracy",
    x: Annotated[str | None, typer.Option("--x", help="Of a campaign: the field.")] = None,
) -> None:
    """Draw a run over time, or a campaign's metric over a field with intervals over seeds."""
    if (run_dir / "campaign.json").is_file():
        from analysis.campaign_figure import plot_campaign

        paths = plot_campaign(run_dir, y, x, formats or ("pdf", "svg"))
    else:
        from analysis.figure import plot_run

        paths = plot_run(run_dir, formats or ("png", "svg"))
    for path in paths:
        print(path)


@assets_app.command("list")
def assets_list(as_json: JsonOption = False) -> None:
    """List the assets with their licence, size and whether they are in the cache."""
    from cosim import asset_commands

    rows = asset_commands.listing()
    if as_json:
        _print_json({"assets": rows})
        return
    for row in rows:
        size = f"{row['size_bytes'] / 1e6:.1f} MB" if row["size_bytes"] else "size unknown"
        state = "in the cache" if row["cached"] else f"fetched with {row['client']}"
        print(f"{row['name']} {row['version']}: {row['purpose']}")
        print(f"    {size}, {state}; groups {', '.join(row['groups'])}; licence {row['licence']}")


@assets_app.command("fetch")
def assets_fetch(
    names: Annotated[
        list[str] | None, typer.Argument(help="Names; see `cosim assets list`.")
    ] = None,
    group: Annotated[str | None, typer.Option("--group", help="All of a group, e.g. demo.")] = None,
) -> None:
    """Fetch assets into the cache and verify them."""
    from cosim import asset_commands
    from models.assets import AssetError

    if not names and not group:
        raise CommandError("name assets or a --group; see `cosim assets list`", EXIT_BAD_INPUT)
    try:
        wanted = asset_commands.resolve(names or [], group)
    except AssetError as error:
        raise CommandError(str(error), EXIT_BAD_INPUT) from None
    for name in wanted:
        print(f"{name} …", file=sys.stderr, flush=True)
        try:
            print(asset_commands.fetch(name))
        except AssetError as error:
            raise CommandError(str(error)) from None


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Args:
        argv: arguments without the program's name; those of the process by default.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in arguments
    if debug:
        # It may stand anywhere: who looks for an error adds it at the end of the line.
        arguments = ["--debug", *(a for a in arguments if a != "--debug")]
    try:
        result = app(args=arguments, prog_name="cosim", standalone_mode=False)
        sys.stdout.flush()
        code = result if isinstance(result, int) else 0
        if code == EXIT_INTERRUPTED:  # typer turns Ctrl-C into this code without a word
            print("cosim: interrupted", file=sys.stderr)
        return code
    except BrokenPipeError:
        # The reader of a pipe has seen enough; Python must not complain about it at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (KeyboardInterrupt, typer.Abort):
        print("cosim: interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
    except Exception as error:
        if debug:
            raise
        return _report(error)


def _report(error: Exception) -> int:
    """Say what is wrong on standard error; return the exit code."""
    from cosim.scenario import ScenarioError
    from cosim.traces import TraceError

    if isinstance(error, CommandError):
        message, code = str(error), error.code
    elif isinstance(error, typer.Exit):
        return error.exit_code
    elif isinstance(error, _UsageError):
        if type(error).__name__ == "NoArgsIsHelpError":
            print(error.format_message())
            return EXIT_BAD_INPUT
        message, code = f"{error.format_message()} (see `cosim --help`)", EXIT_BAD_INPUT
    elif isinstance(error, ScenarioError | TraceError):
        message, code = str(error), EXIT_BAD_INPUT
    else:
        text = str(error) or "no message"
        message = f"{type(error).__name__}: {text} (--debug shows where)"
        code = EXIT_FAILED
    print(f"cosim: {message}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
