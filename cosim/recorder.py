# SPDX-License-Identifier: MIT
"""From the bridge's record streams to the traces, and from closed messages to verdicts."""

import contextlib
import math
from dataclasses import replace
from typing import Any

import numpy as np

from cosim.agents.api import ReceivedPacket
from cosim.bridge import Bridge, Stream
from cosim.direct_delivery import DirectDelivery
from cosim.evaluation import Verdict
from cosim.ledger import Message
from cosim.plan import Plan
from cosim.traces import TraceSet, counters_from_records
from cosim.truth_replay import SampledBlock
from cosim.workload import Workload
from models.tasks import get_task

STREAMS = ("slots", "packets", "kpis", "deliveries", "counters", "truth", "direct")
_DEQUEUE = 2
_FATES = (3, 4, 5)  # deliver, drop, discard

DECIDE_BATCH = 64
"""Messages decoded together; a fixed number, so that batches do not depend on timing."""


class Recorder:
    """Drains streams into buffers at any time, and acts on them only at known simulated times.

    Attributes:
        counters: byte counters, one dictionary a (cell, UE, direction), filled at the end.
        sampled: transport blocks for truth replay, in the order of simulated time.
        direct: what the air makes of bits and symbols.
        delivered_bytes: UDP payload bytes that reached their application.
    """

    def __init__(self, plan: Plan, workload: Workload, traces: TraceSet) -> None:
        self._plan = plan
        self._workload = workload
        self._traces = traces
        self._deliveries: list[ReceivedPacket] = []
        self._closed: list[Message] = []
        self.counters: list[dict[str, int | str]] = []
        self.sampled: list[SampledBlock] = []
        self.delivered_bytes = 0
        ledger = workload.ledger
        self.direct = DirectDelivery(plan, lambda message_id: ledger.find(message_id) is not None)

    def drain(self, bridge: Bridge) -> None:
        """Take everything that the streams hold now."""
        for name in STREAMS:
            stream = bridge.stream(name)
            while len(records := stream.read()):
                if name == "deliveries":
                    self._take_packets(stream, records)
                elif name == "truth":
                    self.sampled += [
                        SampledBlock.from_bridge(r, bytes(stream.payload(r))) for r in records
                    ]
                elif name == "direct":
                    for record in records:
                        self.direct.note(record, bytes(stream.payload(record)))
                elif name == "counters":
                    self.counters += counters_from_records(records)
                else:
                    if name == "packets":
                        self._note_air(records)
                    self._traces.append_records(name, records)
                stream.release()

    def take_deliveries(self) -> list[ReceivedPacket]:
        """Return and forget the packets drained so far, in the order of simulated time.

        Their contents are as they were received: blocks are drained before.
        """
        packets, self._deliveries = self._deliveries, []
        return [replace(p, data=self.direct.received(p.flow, p.data)) for p in packets]

    def advance(self, t_s: float) -> None:
        """Let the traces flush whole intervals before `t_s`, and the agents know the time."""
        self._traces.advance(t_s)
        for agent in self._workload.agents:
            agent.advance(t_s)
        for table, columns in self._workload.book.take():
            self._traces.append(table, columns)

    def close_messages(self, t_s: float) -> None:
        """Decide the messages whose time is over at `t_s`, in fixed batches."""
        self._closed += self._workload.ledger.close_until(t_s, keep_s=self._workload.late_s)
        while len(self._closed) >= DECIDE_BATCH:
            self._decide(DECIDE_BATCH)

    def finish(self, t_s: float) -> None:
        """Decide what is left, after the last record was drained and delivered."""
        self._workload.book.close()
        self.advance(t_s)
        self._closed += self._workload.ledger.close_until(float("inf"))
        while self._closed:
            self._decide(DECIDE_BATCH)

    def salvage(self, bridge: Bridge) -> None:
        """After a failure, write what is already known; never raises."""
        with contextlib.suppress(Exception):
            self.drain(bridge)
        with contextlib.suppress(Exception):
            while self._closed:
                self._decide(DECIDE_BATCH)

    def _take_packets(self, stream: Stream, records: np.ndarray) -> None:
        for record in records:
            data = bytes(stream.payload(record))
            self.delivered_bytes += len(data)
            self._deliveries.append(
                ReceivedPacket(
                    t_s=float(record["t_s"]),
                    node=int(record["node"]),
                    source_node=int(record["source_node"]),
                    flow=int(record["flow"]),
                    data=data,
                )
            )

    def _note_air(self, records: np.ndarray) -> None:
        fate = np.isin(records["event"], _FATES)
        self._workload.ledger.on_air(
            records["message_id"],
            records["t_s"],
            records["event"] == _DEQUEUE,
            np.where(fate, records["air_bytes"], 0),
            np.where(fate, records["air_elements"], 0.0),
        )

    def _decide(self, count: int) -> None:
        batch, self._closed = self._closed[:count], self._closed[count:]
        evaluator = self._workload.evaluator
        verdicts = evaluator.decide(batch)
        evaluator.tally(verdicts, self._workload.priors)
        self._traces.append("messages", message_columns(verdicts))
        for message in batch:
            self.direct.forget(message.message_id)


def message_columns(verdicts: list[Verdict]) -> dict[str, list[Any]]:
    """Return the `messages` rows of verdicts, column by column."""
    rows = [message_row(verdict) for verdict in verdicts]
    return {name: [row[name] for row in rows] for name in rows[0]} if rows else {}


def message_row(verdict: Verdict) -> dict[str, Any]:
    """Return one row of the `messages` trace."""
    message = verdict.message
    return {
        "message_id": message.message_id,
        "node": message.node,
        "flow": message.flow,
        "task": message.task,
        "modality": get_task(message.task).modality,
        "codec": message.codec_label,
        "rung": message.rung,
        "sample_id": message.sample.id,
        "t_created_s": message.created_s,
        "t_encoded_s": message.encoded_s,
        "t_first_tx_s": message.first_tx_s,
        "t_delivered_s": verdict.delivered_s,
        "t_decoded_s": verdict.decoded_s,
        "deadline_s": message.deadline_s,
        "units_sent": message.units_sent,
        "units_received": sum(verdict.mask),
        "bytes_app": message.bytes_app,
        "bytes_air": message.bytes_air,
        "elements_air": message.elements_air,
        "delivery": message.delivery,
        "received_mask": verdict.mask,
        "on_time": verdict.on_time,
        "complete": verdict.complete,
        "accepted": verdict.decoded.accepted,
        "prediction": verdict.decoded.prediction,
        "label": message.sample.label,
        "correct": verdict.correct,
        "score": verdict.decoded.score,
        "confidence": verdict.decoded.confidence,
        "offline_prediction": verdict.offline.prediction,
        "offline_correct": verdict.offline_correct,
        "offline_score": verdict.offline.score,
        "psnr_db": verdict.measures.get("psnr_db", math.nan),
        "ms_ssim": verdict.measures.get("ms_ssim", math.nan),
        "similarity": verdict.measures.get("similarity", math.nan),
        "kb_version": 0,
        "energy_j": message.energy_j,
        "model_version": message.codec.version_of(message.encoded),
    }
