# SPDX-License-Identifier: MIT
"""Truth replay of a run: sampled transport blocks are sent again through the real code.

ns-3 chooses the blocks by their number (`ns3::NrRan::TruthFraction`) and tells the SINRs of their
PRBs; after the simulation `sionna_phy.truth` sends each of them, several times. What comes out goes
into the table `truth` and the manifest, and nothing of it back into the simulation.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cosim.plan import Plan
from cosim.progress import ProgressSink
from cosim.traces import TraceSet
from cosim.traces.schema import DIRECTIONS


@dataclass(frozen=True)
class SampledBlock:
    """A block that ns-3 has chosen.

    Attributes:
        record: its TruthRecord as a dictionary.
        sinr: linear, shape [layers, prbs].
    """

    record: dict[str, Any]
    sinr: npt.NDArray[np.float32]

    @classmethod
    def from_bridge(cls, record: np.void, payload: bytes) -> "SampledBlock":
        """Return a copy of what lies in shared memory."""
        fields = {name: record[name].item() for name in record.dtype.names or ()}
        sinr = np.frombuffer(payload, dtype=np.float32).reshape(-1, fields["prb_count"])
        return cls(fields, sinr.copy())


def replay(
    plan: Plan, blocks: list[SampledBlock], traces: TraceSet, progress: ProgressSink
) -> dict[str, Any] | None:
    """Send the blocks, write the table `truth`, and return what the manifest keeps.

    Returns:
        `fraction`, `blocks`, `refused` (their code rate is too high to be sent), `repeats`,
        `errors`, `expected_errors`, `deviation_errors` (standard deviation of the errors if the
        prediction is right), `bler_actual`, `bler_predicted`, or None if truth replay is off.
    """
    section = plan.scenario.truth
    if section.fraction == 0:
        return None
    from sionna_phy.truth import SentBlock, TruthReplay, judge

    progress.phase("replaying blocks through the real code")
    sender = TruthReplay(plan.scenario.mac.mcs_table, section.repeats)
    errors = []
    for number, block in enumerate(blocks):
        r = block.record
        sent = SentBlock(r["mcs"], r["tbs_bits"], r["elements"], block.sinr)
        errors.append(sender.errors(sent, plan.seed("truth", number)))
    if blocks:
        traces.append("truth", _columns(blocks, errors, section.repeats))
    verdict = judge([b.record["bler_predicted"] for b in blocks], errors, section.repeats)
    return {
        "fraction": section.fraction,
        "blocks": verdict.blocks,
        "refused": verdict.refused,
        "repeats": section.repeats,
        "errors": verdict.errors,
        "expected_errors": verdict.expected,
        "deviation_errors": verdict.deviation,
        "bler_actual": verdict.actual,
        "bler_predicted": verdict.predicted,
    }


def _columns(blocks: list[SampledBlock], errors: list[int | None], repeats: int) -> dict[str, Any]:
    """Return the rows of the table `truth`, column by column."""
    records = [block.record for block in blocks]
    same = ("t_s", "cell", "ue", "mcs", "layers", "tbs_bits", "prb_count", "sinr_eff_db",
            "bler_predicted")  # fmt: skip
    decibel = [10 * np.log10(np.maximum(block.sinr, 1e-20)) for block in blocks]
    return {
        **{name: [record[name] for record in records] for name in same},
        "direction": [DIRECTIONS[record["direction"]] for record in records],
        "sinr_min_db": [float(db.min()) for db in decibel],
        "sinr_max_db": [float(db.max()) for db in decibel],
        "sent": [0 if count is None else repeats for count in errors],
        "errors": [count or 0 for count in errors],
    }
