# SPDX-License-Identifier: MIT
"""One run: scenario → plan → simulate → evaluate, with everything written as it becomes known."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cosim.channel_run import ChannelRun
from cosim.plan import Plan, make_plan
from cosim.progress import NullProgress, ProgressSink
from cosim.scenario import Scenario
from cosim.session import Session
from cosim.traces import Manifest, Status, TraceError, TraceSet
from cosim.truth_replay import replay
from cosim.workload import Workload, build_workload

log = logging.getLogger(__name__)


class RunError(RuntimeError):
    """A run that ended early; the message says why and what was kept."""


@dataclass(frozen=True)
class RunResult:
    """What a run left behind.

    Attributes:
        run_dir: the run folder.
        status: "finished", "interrupted" or "failed".
        reason: why, when it did not finish.
    """

    run_dir: Path
    status: str
    reason: str = ""


def run_scenario(
    scenario: Scenario, out_dir: Path, *, progress: ProgressSink | None = None
) -> RunResult:
    """Simulate and evaluate a scenario into an existing, empty folder.

    Never raises for what happens in the run: a failure is written to the manifest and returned,
    with every trace row up to that point on disk.

    Args:
        scenario: a validated scenario.
        out_dir: the run folder.
        progress: where to report; nowhere by default.
    """
    sink = progress or NullProgress()
    manifest = Manifest.start(out_dir, scenario)
    status: Status = "failed"
    reason = ""
    facts: dict[str, Any] = {}
    try:
        plan = make_plan(scenario)
        # The channel's process starts while models are loaded here.
        with ChannelRun(plan) as channel:
            workload = build_workload(plan, progress=sink)
            traces = TraceSet(
                out_dir,
                csv=scenario.traces.csv,
                flush_interval_s=scenario.traces.flush_interval_s,
            )
            try:
                facts = simulate(plan, workload, traces, sink, channel)
                for agent in workload.agents:
                    agent.save(out_dir)
                status = "finished"
            finally:
                traces.close()
    except KeyboardInterrupt:
        status, reason = "interrupted", "interrupted by the user (Ctrl-C)"
    except Exception as error:  # a run's failure is a result, not a crash
        log.debug("run failed", exc_info=True)
        reason = f"{error}" or type(error).__name__
    finally:
        sink.finish()
    try:
        manifest.finish(status, reason or None, **facts)
    except TraceError as error:
        status, reason = "failed", f"{reason}; {error}" if reason else str(error)
    return RunResult(out_dir, status, reason)


def simulate(
    plan: Plan,
    workload: Workload,
    traces: TraceSet,
    progress: ProgressSink,
    channel: ChannelRun | None = None,
) -> dict[str, Any]:
    """Run ns-3 and the channel producer with the workload's agents; return the manifest's facts.

    Args:
        plan: of the run.
        workload: its agents.
        traces: where rows go.
        progress: where to report.
        channel: of the plan, if it was started before.
    """
    with Session(plan, workload, traces, progress, channel) as session:
        session.run()
        facts, sampled = session.facts(), session.sampled_blocks()
    return facts | {"truth_replay": replay(plan, sampled, traces, progress)}
