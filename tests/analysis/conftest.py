# SPDX-License-Identifier: MIT
"""A run made by hand, small enough to work every number out on paper."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cosim.scenario import load_scenario
from cosim.traces import Manifest, TraceSet


def message(number: int, **changes: Any) -> dict[str, Any]:
    row = {
        "message_id": number, "node": 0, "task": "sentiment", "codec": "llm-token",
        "rung": "default", "sample_id": f"s{number}", "t_created_s": 0.0, "t_decoded_s": 0.0,
        "units_sent": 4, "units_received": 4, "bytes_app": 100, "bytes_air": 150,
        "received_mask": b"\1\1\1\1", "on_time": True, "label": 1, "prediction": 1,
        "correct": True, "offline_prediction": 1, "offline_correct": True, "energy_j": 0.5,
    }  # fmt: skip
    return row | changes


MESSAGES = [
    # sentiment, llm-token: five messages, three right, one partly received, one lost
    message(1, t_created_s=0.1, t_decoded_s=0.11),
    message(2, t_created_s=0.2, t_decoded_s=0.22, node=1),
    message(3, t_created_s=0.3, t_decoded_s=0.33, units_received=2, received_mask=b"\1\0\1\0",
            bytes_air=250),
    message(4, t_created_s=0.4, t_decoded_s=0.44, correct=False, prediction=0,
            offline_correct=False, offline_prediction=0),
    message(5, t_created_s=0.5, t_decoded_s=np.nan, node=1, units_received=0,
            received_mask=b"\0\0\0\0", on_time=False, correct=False, prediction=0, bytes_air=50),
    # topic, raw-text: one message, right although late
    message(6, t_created_s=1.0, t_decoded_s=1.1, node=1, task="topic", codec="raw-text",
            on_time=False, bytes_app=60, bytes_air=80, energy_j=0.0),
]  # fmt: skip


def packets(rows: list[tuple[float, int, str, str, int, str, int]]) -> dict[str, Any]:
    t, ue, direction, event, size, reason, message_id = zip(*rows, strict=True)
    n = len(rows)
    return {
        "t_s": t, "flow": [1] * n, "ue": ue, "event": event, "bytes": size, "reason": reason,
        "cell": [0] * n, "direction": direction, "packet_id": range(n), "message_id": message_id,
        "air_bytes": [0] * n,
    }  # fmt: skip


PACKETS = [
    (0.1, 0, "ul", "enqueue", 500, "none", 1),
    (0.2, 0, "ul", "deliver", 500, "none", 1),
    (0.3, 1, "ul", "deliver", 250, "none", 2),
    (0.4, 1, "ul", "discard", 250, "deadline", 5),
    (0.5, 0, "dl", "deliver", 1000, "none", 0),
    (1.5, 0, "dl", "deliver", 1500, "none", 0),
    (1.6, 1, "dl", "drop", 1500, "harq_exhausted", 0),
    (1.7, 1, "dl", "drop", 1500, "harq_exhausted", 0),
]


def slots(rows: list[tuple[int, str, int, int, float, bool]]) -> dict[str, Any]:
    ue, direction, mcs, rv, sinr, ack = zip(*rows, strict=True)
    n = len(rows)
    return {
        "t_s": np.arange(n) * 5e-4, "cell": [0] * n, "direction": direction, "ue": ue,
        "prb_first": [0] * n, "prb_count": [10] * n, "layers": [1] * n, "mcs": mcs,
        "tbs_bits": [1000] * n, "harq_process": [0] * n, "redundancy_version": rv,
        "sinr_eff_db": sinr, "bler_predicted": [0.1] * n, "ack": ack,
    }  # fmt: skip


SLOTS = [
    (0, "dl", 10, 0, 12.0, True),
    (0, "dl", 14, 0, 10.0, False),
    (0, "dl", 14, 2, 11.0, True),
    (0, "dl", 14, 0, 9.0, True),
    (1, "ul", 3, 0, -1.0, False),
]

KPI = {
    "t_s": [0.1, 0.1, 0.2], "cell": [0] * 3, "ue": [0, 1, 0], "direction": ["dl", "ul", "dl"],
    "throughput_bps": [1.0, 2.0, 3.0], "bler": [0.1, np.nan, 0.3], "mcs_mean": [10.0, np.nan, 12.0],
    "sinr_db": [5.0, np.nan, 7.0], "prb_used": [1, 2, 3], "queue_bytes": [0, 0, 0],
}  # fmt: skip


def write_run(
    folder: Path,
    *,
    with_slots=True,
    finish=True,
    with_rows=True,
    messages=MESSAGES,
    slot_table=None,
    settings=(),
) -> Path:
    """Write the run; two seconds of messages and no drain."""
    scenario = load_scenario("hello", ["run.duration_s=2.0", "run.drain_s=0.1", *settings])
    manifest = Manifest.start(folder, scenario)
    tables = None if with_slots else ("messages", "packets", "kpis")
    with TraceSet(folder, tables=tables) as traces:
        if with_rows:
            columns = {key: [row[key] for row in messages] for key in messages[0]}
            traces.append("messages", columns)
            traces.append("packets", packets(PACKETS))
            traces.append("slots", slot_table or slots(SLOTS))
            traces.append("kpis", KPI)
    if finish:
        offline = {
            "sentiment/llm-token/default": {"n": 5, "accuracy": 0.8, "prior_accuracy": 0.6},
            "topic/raw-text/default": {"n": 1, "accuracy": 1.0, "prior_accuracy": 0.0},
        }
        manifest.finish("finished", facts={"offline": offline})
    return folder


@pytest.fixture
def handmade(tmp_path):
    return write_run(tmp_path)


@pytest.fixture
def make_run(tmp_path_factory):
    return lambda **kwargs: write_run(tmp_path_factory.mktemp("run"), **kwargs)
