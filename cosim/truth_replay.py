# SPDX-License-Identifier: MIT
"""Truth replay of a run: sampled transport blocks are sent again through the real code.

ns-3 chooses the blocks by their number (`ns3::NrRan::TruthFraction`) and tells, at each of their
transmissions, the SINRs of their PRBs in all of them so far; after the simulation
`sionna_phy.truth` sends each of them, several times. What comes out goes into the table `truth` and
the manifest, and nothing of it back into the simulation.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from cosim.plan import Plan
from cosim.progress import ProgressSink
from cosim.traces import TraceSet
from cosim.traces.schema import DIRECTIONS

if TYPE_CHECKING:
    from sionna_phy.truth import Outcome

REDUNDANCY_VERSIONS = {"incremental": (0, 2, 3, 1), "chase": (0, 0, 0, 0)}
"""`mac.harq_combining` → versions of transmissions, which begin again after four (TS 38.214 clause
5.1.2.1)."""


@dataclass(frozen=True)
class SampledBlock:
    """A transmission of a block that ns-3 has chosen.

    Attributes:
        record: its TruthRecord as a dictionary.
        sinr: linear, of all transmissions so far, shape [transmissions, layers, prbs].
    """

    record: dict[str, Any]
    sinr: npt.NDArray[np.float32]

    @classmethod
    def from_bridge(cls, record: np.void, payload: bytes) -> "SampledBlock":
        """Return a copy of what lies in shared memory."""
        fields = {name: record[name].item() for name in record.dtype.names or ()}
        shape = (fields["transmission"], fields["layers"], fields["prb_count"])
        return cls(fields, np.frombuffer(payload, dtype=np.float32).reshape(shape).copy())


def replay(
    plan: Plan, blocks: list[SampledBlock], traces: TraceSet, progress: ProgressSink
) -> dict[str, Any] | None:
    """Send the blocks, write the table `truth`, and return what the manifest keeps.

    Returns:
        `fraction`, `repeats`, and of first transmissions `blocks`, `refused` (their code rate is
        too high to be sent), `errors`, `expected_errors`, `deviation_errors` (standard deviation of
        the errors if the prediction is right), `bler_actual`, `bler_predicted`; under
        `retransmissions` the same of the others, with `errors_before`: how many of the repeats were
        lost before, and `expected_again`: how many of these are lost again by ns-3's rule (one draw
        for all transmissions of a block). None if truth replay is off.
    """
    section = plan.scenario.truth
    if section.fraction == 0:
        return None
    from sionna_phy.truth import SentBlock, TruthReplay

    progress.phase("replaying blocks through the real code")
    mac = plan.scenario.mac
    order = REDUNDANCY_VERSIONS[mac.harq_combining]
    sender = TruthReplay(mac.mcs_table, section.repeats)
    outcomes = []
    for number, block in enumerate(blocks):
        r = block.record
        versions = tuple(order[n % len(order)] for n in range(r["transmission"]))
        sent = SentBlock(r["mcs"], r["tbs_bits"], r["elements"], block.sinr, versions)
        outcomes.append(sender.outcome(sent, plan.seed("truth", number)))
    if blocks:
        traces.append("truth", _columns(blocks, outcomes, section.repeats))
    first = [(b, o) for b, o in zip(blocks, outcomes, strict=True) if b.record["transmission"] == 1]
    again = [(b, o) for b, o in zip(blocks, outcomes, strict=True) if b.record["transmission"] > 1]
    before = sum(outcome.before for _, outcome in again if outcome is not None)
    expected = sum(
        outcome.before * share
        for share, (_, outcome) in zip(_lost_again(blocks), again, strict=True)
        if outcome is not None
    )
    return {
        "fraction": section.fraction,
        "repeats": section.repeats,
        **_verdict(first, section.repeats),
        "retransmissions": {
            **_verdict(again, section.repeats),
            "errors_before": before,
            "expected_again": float(expected),
        },
    }


def _lost_again(blocks: list[SampledBlock]) -> list[float]:
    """Return, of each retransmission, which share of the blocks lost before it is lost again."""

    def key(block: SampledBlock, transmissions: int) -> tuple[Any, ...]:
        r = block.record
        return r["cell"], r["ue"], r["direction"], block.sinr[:transmissions].tobytes()

    # What was sent before is the beginning of what has been sent now.
    rates: dict[tuple[Any, ...], float] = {}
    shares = []
    for block in blocks:
        count, rate = block.record["transmission"], block.record["bler_predicted"]
        if count > 1:
            earlier = rates.get(key(block, count - 1), 1.0)
            shares.append(min(1.0, rate / earlier) if earlier > 0.0 else 1.0)
            rate = min(rate, earlier)
        rates[key(block, count)] = rate
    return shares


def _verdict(found: "list[tuple[SampledBlock, Outcome | None]]", repeats: int) -> dict[str, Any]:
    """Return predicted and actual errors of some transmissions."""
    from sionna_phy.truth import judge

    verdict = judge(
        [block.record["bler_predicted"] for block, _ in found],
        [None if outcome is None else outcome.after for _, outcome in found],
        repeats,
    )
    return {
        "blocks": verdict.blocks,
        "refused": verdict.refused,
        "errors": verdict.errors,
        "expected_errors": verdict.expected,
        "deviation_errors": verdict.deviation,
        "bler_actual": verdict.actual,
        "bler_predicted": verdict.predicted,
    }


def _columns(
    blocks: list[SampledBlock], outcomes: "list[Outcome | None]", repeats: int
) -> dict[str, Any]:
    """Return the rows of the table `truth`, column by column."""
    records = [block.record for block in blocks]
    same = ("t_s", "cell", "ue", "mcs", "layers", "tbs_bits", "prb_count", "sinr_eff_db",
            "transmission", "bler_predicted")  # fmt: skip
    decibel = [10 * np.log10(np.maximum(block.sinr[-1], 1e-20)) for block in blocks]
    return {
        **{name: [record[name] for record in records] for name in same},
        "direction": [DIRECTIONS[record["direction"]] for record in records],
        "sinr_min_db": [float(db.min()) for db in decibel],
        "sinr_max_db": [float(db.max()) for db in decibel],
        "sent": [0 if outcome is None else repeats for outcome in outcomes],
        "errors_before": [0 if outcome is None else outcome.before for outcome in outcomes],
        "errors": [0 if outcome is None else outcome.after for outcome in outcomes],
    }
