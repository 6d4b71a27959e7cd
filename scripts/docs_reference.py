# SPDX-License-Identifier: MIT
"""Writes docs/reference/*.md from what the code says about itself."""

import ast
import re
import subprocess
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "docs" / "reference"
MODULES = (
    "cosim.scenario.loader", "cosim.traces.reader", "cosim.engine", "cosim.agents.api",
    "cosim.agents.registry", "cosim.campaign.design", "cosim.campaign.runner",
    "cosim.learning.gym_env", "cosim.learning.aec_env", "cosim.learning.options", "analysis.tidy",
    "analysis.intervals", "analysis.metrics", "analysis.figure", "analysis.campaign_figure",
    "analysis.report.page", "sionna_phy.channel.base", "models.codecs.base", "models.tasks.base",
)  # fmt: skip
TYPES = ("ns3::NrRan", "ns3::NrCarrier", "ns3::NrPfScheduler", "ns3::NrRrScheduler",
         "ns3::NrLinkAdaptation", "ns3::NrPhyAbstraction")  # fmt: skip


def cell(text: object) -> str:
    """Return text that stands in one cell of a table."""
    return " ".join(str(text).split()).replace("|", "\\|").replace("<", "&lt;")


def scenario() -> str:
    """Return all fields of scenario files."""
    from cosim.scenario import json_schema

    schema: dict[str, Any] = json_schema()
    parts = ["# Scenario files\n\nGenerated from the schema (`cosim schema`)."]
    tables = {"Scenario": schema, **schema["$defs"]}
    for name, table in tables.items():
        if "properties" not in table:
            continue
        parts.append(f"## {name}\n\n{cell(table.get('description', '').split(chr(10))[0])}\n")
        parts.append("| key | meaning | unit | default | source |\n|---|---|---|---|---|")
        required = set(table.get("required", ()))
        rows = []
        for key, field in table["properties"].items():
            default = "required" if key in required else field.get("default", "")
            shown = default if isinstance(default, str | int | float) else ""
            rows.append(
                f"| `{key}` | {cell(field.get('description', ''))} | {cell(field.get('unit', ''))} "
                f"| {cell(shown)} | {cell(field.get('source', ''))} |"
            )
        parts[-1] += "\n" + "\n".join(rows)
    return "\n\n".join(parts) + "\n"


def traces() -> str:
    """Return all trace tables."""
    from cosim.traces import TABLES

    parts = [
        "# Traces\n\nGenerated from `cosim.traces.TABLES`. Each table is a folder of Parquet parts."
    ]
    for spec in TABLES.values():
        rows = [
            f"| `{c.name}` | {c.type} | {cell(c.text)} | {c.unit} | {'yes' if c.optional else ''} |"
            for c in spec.columns
        ]
        head = "| column | type | meaning | unit | may be null |\n|---|---|---|---|---|\n"
        parts.append(f"## {spec.name}\n\n{cell(spec.text)}\n\n{head}" + "\n".join(rows))
    return "\n\n".join(parts) + "\n"


def commands() -> str:
    """Return the help of all commands."""
    import click
    import typer.main

    from cosim.cli import app

    root = typer.main.get_command(app)
    parts = ["# Commands\n\nGenerated from the command line's own help."]

    def add(command: Any, path: str) -> None:
        if hasattr(command, "commands"):
            for name, inner in sorted(command.commands.items()):
                add(inner, f"{path} {name}")
            return
        context = (typer.main.click if hasattr(typer.main, "click") else click).Context(
            command, info_name=path, max_content_width=90, terminal_width=90
        )
        parts.append(f"## {path}\n\n```text\n{command.get_help(context).strip()}\n```")

    add(root, "cosim")
    return "\n\n".join(parts) + "\n"


def _docstring(text: str) -> str:
    """Return a docstring as Markdown: sections in bold, their entries as a list."""
    lines = []
    for line in text.splitlines():
        bare = line.strip()
        if re.fullmatch(r"(Args|Returns|Raises|Attributes|Yields):", bare):
            lines += ["", f"**{bare[:-1]}**", ""]
        elif line.startswith("    ") and re.match(r"\**[\w.`]+( \(.*?\))?: ", bare):
            lines.append(f"- {bare}")
        else:
            lines.append(line.strip() if not line.startswith("        ") else "  " + bare)
    return "\n".join(lines).replace("<", "&lt;")


def python() -> str:
    """Return public classes and functions with their docstrings."""
    parts = ["# Python\n\nGenerated from docstrings."]
    for module in MODULES:
        path = ROOT / (module.replace(".", "/") + ".py")
        tree = ast.parse(path.read_text(encoding="utf-8"))
        parts.append(f"## {module}\n\n{_docstring(ast.get_docstring(tree) or '')}")
        for item in tree.body:
            kinds = ast.FunctionDef | ast.ClassDef
            if not isinstance(item, kinds) or item.name.startswith("_"):
                continue
            if isinstance(item, ast.ClassDef):
                signature = f"class {item.name}"
            else:
                signature = f"{item.name}({ast.unparse(item.args)})"
            parts.append(
                f"### {module.rsplit('.', 1)[1]}.{item.name}\n\n```text\n{signature}\n```\n\n"
                f"{_docstring(ast.get_docstring(item) or '')}"
            )
            if isinstance(item, ast.ClassDef):
                for method in item.body:
                    text = isinstance(method, ast.FunctionDef) and ast.get_docstring(method)
                    if isinstance(method, ast.FunctionDef) and text and method.name[0] != "_":
                        parts.append(
                            f"`{method.name}({ast.unparse(method.args)})`\n\n{_docstring(text)}"
                        )
    return "\n\n".join(parts) + "\n"


def attributes() -> str:
    """Return the attributes of our ns-3 types as the simulator prints them."""
    from cosim.ns3_setup import find_executable

    parts = ["# ns-3 attributes\n\nGenerated by `cosim-ns3 --PrintAttributes=TYPE`."]
    for name in TYPES:
        result = subprocess.run(
            [str(find_executable()), f"--PrintAttributes={name}"],
            capture_output=True, text=True, check=False, timeout=60, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        text = result.stdout.strip()
        if text and result.returncode == 0:
            parts.append(f"## {name}\n\n```text\n{text}\n```")
    return "\n\n".join(parts) + "\n"


def main() -> None:
    """Write the pages."""
    OUT.mkdir(parents=True, exist_ok=True)
    for make in (scenario, traces, commands, python, attributes):
        (OUT / f"{make.__name__}.md").write_text(make(), encoding="utf-8")


if __name__ == "__main__":
    main()
