# SPDX-License-Identifier: MIT
"""The [[traffic]] tables: semantic messages, background load, and agents of one's own."""

from typing import Annotated, Any, Literal

from pydantic import Field

from cosim.scenario.base import quantity
from cosim.scenario.bearer import BearerSection
from cosim.scenario.run import MAX_DURATION_S
from cosim.scenario.sources import (
    FtpTraffic,
    FullBufferTraffic,
    TcpTraffic,
    TokenTraffic,
    VideoTraffic,
    XrTraffic,
)
from cosim.scenario.ue_selection import UeSelection

FIVEQI_PRIORITY = {
    1: 20, 2: 40, 3: 30, 4: 50, 65: 7, 66: 20, 67: 15,
    5: 10, 6: 60, 7: 70, 8: 80, 9: 90, 69: 5, 70: 55, 79: 65, 80: 68,
    82: 19, 83: 22, 84: 24, 85: 21,
}  # fmt: skip
"""Default priority level of standardised 5QI values (TS 23.501 table 5.7.4-1); 1 comes first."""


def _max_harq_tx() -> Any:
    """Return the field for a flow's transmissions."""
    return quantity(
        None,
        "transmissions of the flow's transport blocks at most; by default mac.max_harq_tx",
        ge=1,
        le=16,
    )


def _important_from() -> Any:
    """Return the field for the importance that deserves all transmissions."""
    return quantity(
        0.0,
        "packets whose PDU-set importance is less have less_harq_tx transmissions and no "
        "mcs_backoff",
        source="TS 23.501 clause 5.37",
        ge=0.0,
        le=1.0,
    )


def _less_harq_tx() -> Any:
    """Return the field for the transmissions of what matters less."""
    return quantity(
        None,
        "transmissions of blocks that hold only packets below important_from; by default as many "
        "as the others",
        ge=1,
        le=16,
    )


def _mcs_backoff() -> Any:
    """Return the field for the MCS of what matters more."""
    return quantity(
        0,
        "MCS indices below the chosen one for blocks that begin with a packet of important_from or "
        "more: more robust, and longer on air",
        ge=0,
        le=28,
    )


def _priority(data: dict[str, Any]) -> int:
    """Return the standard's priority level of the 5QI, 90 (best effort) for any other."""
    return FIVEQI_PRIORITY.get(data["fiveqi"], 90)


class SemanticTraffic(BearerSection):
    """UEs that send samples of a task through a codec to the edge server, which decides."""

    kind: Literal["semantic"] = quantity(..., "semantic: messages that a model decodes")
    task: str = quantity(..., "the task that the receiver does", min_length=1, max_length=64)
    codec: str = quantity(
        "llm-token", "how a sample becomes units of bytes", min_length=1, max_length=64
    )
    rung: str = quantity(
        "default",
        'operating point of the codec on its ladder; "auto": each UE chooses one for every message',
        min_length=1,
        max_length=64,
    )
    rate_hz: float = quantity(
        1.0, "messages a second of each UE, on average", unit="1/s", gt=0.0, le=1e5
    )
    arrival: Literal["poisson", "periodic"] = quantity(
        "poisson", "Poisson process, or a fixed period with a random phase"
    )
    deadline_s: float = quantity(
        0.1,
        "time from the sample's arrival at the device to the decision; units that come too late "
        "for it are not used",
        unit="s",
        gt=0.0,
        le=3600.0,
    )
    direction: Literal["ul"] = quantity("ul", "from the UE to the edge server")
    ues: UeSelection = quantity("all", 'which UEs: "all" or a list of numbers from 0')
    fiveqi: int = quantity(
        80,
        "5QI of the flow; 80 is the low-latency eMBB class",
        source="TS 23.501 table 5.7.4-1",
        ge=1,
        le=254,
    )
    priority: int = quantity(
        text="priority level, 1 comes first; by default the standard's for the 5QI",
        source="TS 23.501 table 5.7.4-1",
        ge=1,
        le=127,
        default_factory=_priority,
    )
    max_harq_tx: int | None = _max_harq_tx()
    important_from: float = _important_from()
    less_harq_tx: int | None = _less_harq_tx()
    mcs_backoff: int = _mcs_backoff()
    budget_bytes: int | None = quantity(
        None,
        "bytes that a message's units may take at most; by default the rung's own",
        unit="bytes",
        ge=1,
        le=2**31 - 1,
    )
    max_packet_bytes: int = quantity(
        1200,
        "UDP payload of a packet at most; whole units are put into packets",
        unit="bytes",
        ge=24,
        le=65_507,
    )
    packing: Literal["in-order", "interleaved", "look-ahead"] = quantity(
        "in-order",
        "which units share a packet: the most important together, dealt out in turn, or so that "
        "every packet matters about as much",
    )
    delivery: Literal["packet", "bits", "symbols"] = quantity(
        "packet",
        "packet: whole or not at all; bits: coded without a CRC, a packet comes with the bits that "
        "the decoder got wrong; symbols: the codec's values as analog symbols, with noise. With "
        "the last two, headers are a protected part of their own",
    )
    feedback: Literal["none", "confidence"] = quantity(
        "none",
        "confidence: the first units travel alone, and while the edge is not confident enough to "
        "accept its answer it asks for the next ones over the downlink (semantic HARQ)",
    )
    first_units: int = quantity(
        8, "with feedback: units sent at first, the most important ones", ge=1, le=65_535
    )
    more_units: int = quantity(8, "with feedback: units sent on request", ge=1, le=65_535)
    patience_s: float = quantity(
        0.02,
        "with feedback: how long the edge waits for the rest of what it expects before it asks",
        unit="s",
        gt=0.0,
        le=3600.0,
    )
    adapt_first: bool = quantity(
        False,
        "with feedback: a request raises the UE's next first_units by half of more_units, an "
        "answer without one lowers it by one (never below 1)",
    )


class CbrTraffic(BearerSection):
    """Background load: packets of one size at a constant rate between the edge server and UEs."""

    kind: Literal["cbr"] = quantity(..., "cbr: constant bit rate")
    direction: Literal["dl", "ul"] = quantity(..., "to or from the UE")
    rate_bps: float = quantity(
        ..., "rate of each UE's flow, UDP payload", unit="bit/s", gt=0.0, le=1e11
    )
    packet_bytes: int = quantity(1200, "UDP payload of a packet", unit="bytes", ge=1, le=65_507)
    ues: UeSelection = quantity("all", 'which UEs: "all" or a list of numbers from 0')
    start_s: float = quantity(
        0.0, "simulated time of the first packet", unit="s", ge=0.0, le=MAX_DURATION_S
    )
    stop_s: float = quantity(
        MAX_DURATION_S,
        "no packet at or after this simulated time; never later than duration_s",
        unit="s",
        gt=0.0,
        le=MAX_DURATION_S,
    )
    fiveqi: int = quantity(
        9,
        "5QI of the flow; 9 is the default bearer's",
        source="TS 23.501 table 5.7.4-1",
        ge=1,
        le=254,
    )
    priority: int = quantity(
        text="priority level, 1 comes first; by default the standard's for the 5QI",
        source="TS 23.501 table 5.7.4-1",
        ge=1,
        le=127,
        default_factory=_priority,
    )
    max_harq_tx: int | None = _max_harq_tx()


class AgentTraffic(BearerSection):
    """Flows between UEs and the edge server that agents of your own speak on."""

    kind: Literal["agent"] = quantity(..., "agent: what registered agents send to each other")
    agent: str = quantity(
        ..., "name given to cosim.agents.register_agents", min_length=1, max_length=64
    )
    options: dict[str, str | int | float | bool] = quantity(
        text="handed to the agents' factory as they are", default_factory=dict
    )
    direction: Literal["dl", "ul", "both"] = quantity(
        "both", "a flow to each UE, from each UE, or one each way"
    )
    notify: bool = quantity(
        True, "ns-3 waits at every delivered packet until the receiving agent has answered"
    )
    ues: UeSelection = quantity("all", 'which UEs: "all" or a list of numbers from 0')
    fiveqi: int = quantity(
        80,
        "5QI of the flows; 80 is the low-latency eMBB class",
        source="TS 23.501 table 5.7.4-1",
        ge=1,
        le=254,
    )
    priority: int = quantity(
        text="priority level, 1 comes first; by default the standard's for the 5QI",
        source="TS 23.501 table 5.7.4-1",
        ge=1,
        le=127,
        default_factory=_priority,
    )
    max_harq_tx: int | None = _max_harq_tx()
    important_from: float = _important_from()
    less_harq_tx: int | None = _less_harq_tx()
    mcs_backoff: int = _mcs_backoff()


# At the end, because these build on what stands above.
from cosim.scenario.finetuning import FinetuningTraffic  # noqa: E402
from cosim.scenario.retrieval import RetrievalTraffic  # noqa: E402

Traffic = Annotated[
    SemanticTraffic
    | CbrTraffic
    | AgentTraffic
    | FinetuningTraffic
    | RetrievalTraffic
    | FtpTraffic
    | VideoTraffic
    | XrTraffic
    | TokenTraffic
    | FullBufferTraffic
    | TcpTraffic,
    Field(discriminator="kind"),
]
