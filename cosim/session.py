# SPDX-License-Identifier: MIT
"""The simulation loop: three processes, one segment, and what each side says to the other.

ns-3 and the channel producer are children. This process answers ns-3's setup request, gives node
events to the agents, and drains the record streams into the traces. Whatever depends on how far the
run has come (when rows are flushed, which messages are decoded together) is decided at node events,
at which everything that ns-3 did before is known; between them only buffers fill. That is why the
traces do not depend on the timing of the processes.
"""

import subprocess
from types import TracebackType
from typing import Any, Self

from cosim import ns3_setup
from cosim.agent_host import AgentHost
from cosim.bridge import Batch, Exchange, PeerDied, sim_schema
from cosim.channel_run import ChannelRun, end_process
from cosim.plan import Plan
from cosim.plugins import ns3_libraries
from cosim.progress import ProgressSink
from cosim.recorder import Recorder
from cosim.schedulers.host import SchedulerHost
from cosim.traces import TraceSet
from cosim.truth_replay import SampledBlock
from cosim.workload import Workload, knowledge, refusals
from sionna_phy.abstraction import beta_of, load_bler_table

WAIT_S = 0.25
START_TIMEOUT_S = 60.0


class SimulationError(RuntimeError):
    """ns-3 or the channel producer ended early."""


def _expected_schema() -> dict[str, list[int]]:
    """Return which records each channel must carry, so that a stale executable is refused."""
    hashes = sim_schema()
    records = {
        "setup": ("SetupRequest", "SetupPart"),
        "agents": ("NodeEvent", "NodeAction"),
        "scheduler": ("SchedulerCandidate", "SchedulerDecision"),
        "slots": ("SlotRecord",),
        "packets": ("PacketRecord",),
        "kpis": ("KpiRecord",),
        "deliveries": ("DeliveryRecord",),
        "counters": ("CounterRecord",),
        "truth": ("TruthRecord",),
        "direct": ("DirectBlock",),
        "channel": ("ChannelBlock",),
    }
    return {channel: [hashes[name] for name in names] for channel, names in records.items()}


class Session:
    """One simulation, used as a context manager that leaves no process behind."""

    def __init__(
        self,
        plan: Plan,
        workload: Workload,
        traces: TraceSet,
        progress: ProgressSink,
        channel: ChannelRun | None = None,
    ) -> None:
        self._plan = plan
        self._workload = workload
        self._progress = progress
        self._recorder = Recorder(plan, workload, traces)
        self._host = AgentHost(workload.agents)
        by_weight = plan.scenario.mac.python_action == "weights"
        self._scheduling = (
            SchedulerHost(workload.scheduler, by_weight=by_weight) if workload.scheduler else None
        )
        self._begun = channel
        self._ns3: subprocess.Popen[bytes] | None = None
        mac = plan.scenario.mac
        self._table = load_bler_table(mac.bler_table, mac.mcs_table)
        self._facts: dict[str, Any] = {}
        self._now_s = 0.0

    def __enter__(self) -> Self:
        executable = ns3_setup.find_executable()
        channel = self._plan.scenario.channel
        block_bytes = 4 * (
            channel.samples_per_block
            * len(self._plan.cell_positions_m)
            * len(self._plan.ue_positions_m)
            * max(self._plan.scenario.mac.max_layers, self._plan.scenario.mac.ul_max_layers)
            * sum(self._plan.scenario.prb_counts)
            * (1 + self._plan.any_cell_serves)
        )
        # The channel first: it imports Sionna while ns-3 starts.
        self._channel = self._begun or ChannelRun(self._plan)
        self._bridge = self._channel.bridge
        try:
            self._ns3 = self._bridge.spawn(
                [
                    str(executable),
                    f"--channel-slots={channel.look_ahead_blocks}",
                    f"--channel-block-bytes={block_bytes}",
                    *(f"--load={library}" for library in ns3_libraries()),
                ],
                stderr=self._channel.stderr,
            )
            self._bridge.wait_ready(START_TIMEOUT_S, expect=_expected_schema())
        except BaseException:
            self._end_processes()
            raise
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if exc is not None:
            reason = "interrupted" if exc_type is KeyboardInterrupt else f"engine failed: {exc}"
            self._bridge.abort(reason)
            self._recorder.salvage(self._bridge)
        self._end_processes()

    def run(self) -> None:
        """Simulate to the end.

        Raises:
            SimulationError: a child ended early; the message has its own words.
        """
        self._progress.phase("simulating")
        self._progress.start(self._plan.duration_s)
        bridge = self._bridge
        setup = bridge.exchange("setup")
        events = bridge.exchange("agents")
        slots = bridge.exchange("scheduler")
        try:
            while not bridge.finished:
                bridge.wait(WAIT_S)
                self._check_producer()
                self._recorder.drain(bridge)
                if setup.poll() is not None:
                    self._answer_setup(setup)
                if self._scheduling is not None and (batch := slots.poll()) is not None:
                    self._scheduling.answer(slots, batch.records)
                if (batch := events.poll()) is not None:
                    self._recorder.drain(bridge)
                    self._answer_events(events, batch)
        except PeerDied as error:
            words = self._channel.last_words()
            raise SimulationError(f"ns-3: {error}" + (f"\n{words}" if words else "")) from error
        self._recorder.drain(bridge)
        self._deliver()
        self._recorder.finish(self._plan.duration_s)
        self._collect_facts()
        self._report()

    def facts(self) -> dict[str, Any]:
        """Return what the manifest keeps of the simulation: counters, stalls, tallies."""
        return self._facts

    def sampled_blocks(self) -> list[SampledBlock]:
        """Return the transport blocks that ns-3 chose for truth replay."""
        return self._recorder.sampled

    def _answer_setup(self, setup: Exchange) -> None:
        text = ns3_setup.setup_text(self._plan, self._workload.utilities).encode()
        shape, bler = ns3_setup.table_payload(self._table)
        mac = self._plan.scenario.mac
        beta = beta_of(mac.mcs_table, mac.eesm_betas)
        parts = [
            (ns3_setup.PART_TEXT, (0, 0, 0), text),
            (ns3_setup.PART_BLER, shape, bler),
            (ns3_setup.PART_BETA, (len(beta), 0, 0), beta.tobytes()),
        ]
        reply = setup.reply(len(parts))
        for index, (kind, dimensions, payload) in enumerate(parts):
            reply[index]["kind"] = kind
            reply[index]["dims"] = dimensions
            setup.attach(index, payload)
        setup.send()

    def _answer_events(self, exchange: Exchange, batch: Batch) -> None:
        self._now_s = float(batch.records["t_s"].max()) if len(batch.records) else self._now_s
        self._recorder.advance(self._now_s)
        self._deliver()
        self._recorder.close_messages(self._now_s)
        self._host.answer(exchange, batch)
        self._report()

    def _deliver(self) -> None:
        for packet in self._recorder.take_deliveries():
            self._host.receive(packet)

    def _report(self) -> None:
        evaluator = self._workload.evaluator
        self._progress.update(
            min(self._now_s, self._plan.duration_s),
            self._workload.ledger.sent_count,
            evaluator.correct,
            evaluator.messages,
            self._recorder.delivered_bytes,
        )

    def _check_producer(self) -> None:
        code = self._channel.failure()
        if code is not None:
            words = self._channel.last_words()
            raise SimulationError(f"the channel producer ended with status {code}: {words}")

    def _collect_facts(self) -> None:
        evaluator, blocks = self._workload.evaluator, self._bridge.blocks("channel")
        self._facts = {
            "offline": {
                key: {
                    "n": tally.n,
                    "accuracy": tally.correct / tally.n,
                    "prior_accuracy": tally.prior_correct / tally.n,
                }
                for key, tally in sorted(evaluator.offline.items())
            },
            "counters": self._recorder.counters,
            "refused": refusals(self._workload.agents),
            "knowledge": knowledge(self._workload.agents),
            "bler_table": {"name": self._table.name, "provenance": self._table.provenance},
            "eesm_betas": self._plan.scenario.mac.eesm_betas,
            "channel": {
                "blocks": blocks.published,
                "stalls": blocks.stalls,
                "stall_s": blocks.stall_s,
                "start_stall_s": blocks.first_stall_s,
                **self._channel.facts(),
            },
            "scheduler": {
                "questions": self._scheduling.questions if self._scheduling else 0,
                "utilities": {
                    str(flow): list(curve.accuracy)
                    for flow, curve in sorted(self._workload.utilities.items())
                },
            },
            "agents": {"packets_unknown": self._workload.ledger.unknown},
            "direct": self._recorder.direct.tally.facts(),
            "layout": {
                "cells_m": self._plan.cell_positions_m.tolist(),
                "ues_m": self._plan.ue_positions_m.tolist(),
                "serving_cell": self._plan.serving_cell.tolist(),
            },
        }

    def _end_processes(self) -> None:
        if self._ns3 is not None:
            end_process(self._ns3)
        self._channel.end()
