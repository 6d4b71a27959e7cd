# SPDX-License-Identifier: MIT
"""Print what each [[traffic]] entry of a run got, as a Markdown table.

python scripts/campus_table.py RUN
"""

import json
import sys
from pathlib import Path

import pandas as pd

from analysis.metrics import wilson_interval
from cosim.plan import make_plan
from cosim.scenario.loader import load_scenario
from cosim.traces import read_trace


def share(values: pd.Series) -> str:
    """Return a share with Wilson's 95 % interval and the count."""
    low, high = wilson_interval(int(values.sum()), len(values))
    return f"{values.mean():.2f} [{low:.2f}, {high:.2f}] of {len(values)}"


def semantic(run: Path, traffic: object) -> str:
    """Return what became of the messages of an entry."""
    messages = read_trace(run, "messages")
    mine = messages[(messages["task"] == traffic.task) & (messages["codec"] == traffic.codec)]
    seconds = (mine["t_decoded_s"] - mine["t_created_s"]).dropna()
    text = (
        f"right {share(mine['correct'])}; without a network {mine['offline_correct'].mean():.2f}; "
    )
    text += f"whole and in time {mine['complete'].mean():.2f}; "
    text += (
        f"{1e3 * seconds.median():.0f} ms in the median, {1e3 * seconds.quantile(0.95):.0f} at 95 %"
    )
    if mine["model_version"].notna().any():
        half = int(mine["model_version"].max()) // 2
        first = mine["model_version"] <= half
        for name, part in ((f"to {half}", mine[first]), (f"after {half}", mine[~first])):
            if len(part):
                text += f"; versions {name} right {share(part['correct'])}"
    return text


def finetuning(run: Path) -> str:
    """Return how the rounds went."""
    rounds = read_trace(run, "rounds")
    spans = rounds.groupby("round").agg(start=("t_start_s", "min"), end=("t_end_s", "max"))
    seconds = spans["end"] - spans["start"]
    accuracy = rounds.groupby("round")["accuracy"].max().dropna()
    return (
        f"{len(spans)} rounds, {seconds.mean():.2f} s each; late {share(rounds['late'])}; "
        f"{rounds['bytes_up'].sum() / 1e6:.2f} MB up, {rounds['bytes_down'].sum() / 1e6:.2f} down; "
        f"test accuracy {', '.join(f'{a:.2f} after round {n + 1}' for n, a in accuracy.items())}"
    )


def retrieval(run: Path) -> str:
    """Return how questions were answered."""
    rows = read_trace(run, "retrievals")
    asked = rows[rows["kind"] == "question"]
    others = rows[rows["kind"] != "question"]
    text = f"right entry {share(asked['right_entry'].astype(bool))}; "
    if asked["correct"].notna().any():
        text += f"answer right {share(asked['correct'].fillna(False).astype(bool))}; "
    text += f"{asked['bytes'].sum() / 1e3:.1f} kB of questions"
    for kind, part in others.groupby("kind"):
        text += f", {len(part)} of kind {kind} with {part['bytes'].sum() / 1e3:.1f} kB"
    return text


def background(packets: pd.DataFrame, flows: set[int], duration_s: float) -> str:
    """Return offered and carried rate, and delay, of flows."""
    mine = packets[packets["flow"].isin(flows)]
    sent = mine[mine["event"] == "enqueue"]
    got = mine[mine["event"] == "deliver"]
    both = sent.set_index("packet_id")["t_s"]
    delay_s = got.set_index("packet_id")["t_s"] - both
    rate = 8e-6 / duration_s
    return (
        f"{rate * sent['bytes'].sum():.2f} Mbit/s offered, "
        f"{rate * got['bytes'].sum():.2f} carried; "
        f"{1e3 * delay_s.median():.0f} ms in the median, {1e3 * delay_s.quantile(0.95):.0f} at 95 %"
    )


def main() -> None:
    """Print the table."""
    run = Path(sys.argv[1])
    plan = make_plan(load_scenario(str(run / "scenario.toml")))
    packets = read_trace(run, "packets")
    manifest = json.loads((run / "run.json").read_text())
    print("| entry | what it got |\n|---|---|")
    for number, traffic in enumerate(plan.scenario.traffic):
        flows = {flow.number for flow in plan.flows if flow.entry == number}
        name = f"{traffic.kind}, {getattr(traffic, 'task', traffic.direction)}"
        if traffic.kind == "semantic":
            text = semantic(run, traffic)
        elif traffic.kind == "finetuning":
            text = finetuning(run)
        elif traffic.kind == "retrieval":
            text = retrieval(run)
        else:
            text = background(packets, flows, plan.duration_s)
        print(f"| {name} | {text} |")
    print(f"\n{manifest['wall']}")


if __name__ == "__main__":
    main()
