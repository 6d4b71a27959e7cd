# SPDX-License-Identifier: MIT
"""The one definition of all trace tables: names, types, units, meaning."""

from dataclasses import dataclass, field
from functools import cached_property

import pyarrow as pa

DIRECTIONS = ("dl", "ul")
PACKET_EVENTS = ("enqueue", "dequeue", "deliver", "drop", "discard")
PACKET_REASONS = (
    "none",
    "queue_full",
    "harq_exhausted",
    "reassembly",
    "deadline",
    "simulation_end",
    "reordering",
    "rlc_retx",
    "handover",
    "discard_timer",
)
STORES = ("local", "global", "none")


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        type: the Arrow type of plain values.
        unit: empty for numbers without one and for names.
        optional: may be null; NaN is stored as null.
        categories: the values that a name can take, empty for any.
    """

    name: str
    type: pa.DataType
    text: str
    unit: str = ""
    optional: bool = False
    categories: tuple[str, ...] = ()

    @property
    def field(self) -> pa.Field:
        """Return the Arrow field; names are dictionary-encoded."""
        kind = (
            pa.dictionary(pa.int32(), pa.string()) if pa.types.is_string(self.type) else self.type
        )
        metadata = {"description": self.text} | ({"unit": self.unit} if self.unit else {})
        return pa.field(self.name, kind, nullable=self.optional, metadata=metadata)


@dataclass(frozen=True)
class TableSpec:
    """A table.

    Attributes:
        time: the column by which rows are put into part files.
        ordered: rows come in order of `time`, so a part is complete once simulated time has passed.
        always: the table exists in every run, even without rows.
    """

    name: str
    text: str
    time: str
    ordered: bool
    columns: tuple[Column, ...]
    always: bool = True
    by_name: dict[str, Column] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_name", {c.name: c for c in self.columns})

    @cached_property
    def schema(self) -> pa.Schema:
        """Return the Arrow schema."""
        return pa.schema(
            [column.field for column in self.columns],
            metadata={"table": self.name, "description": self.text},
        )


_F, _I, _L, _S, _B = pa.float64(), pa.int32(), pa.int64(), pa.string(), pa.bool_()
_T = Column("t_s", _F, "simulated time", "s")
_CELL = Column("cell", _I, "cell number from 0")
_UE = Column("ue", _I, "UE number from 0")
_DIRECTION = Column("direction", _S, "dl to the UE, ul from it", categories=DIRECTIONS)

MESSAGES = TableSpec(
    "messages",
    "one row a semantic message, written when it is decided",
    time="t_created_s",
    ordered=False,
    columns=(
        Column("message_id", _L, "flow number x 2^32 + message number in the flow"),
        Column("node", _I, "node that sent it (a UE's number)"),
        Column("flow", _I, "flow number", optional=True),
        Column("task", _S, "task that the receiver does"),
        Column("modality", _S, "text, image, …", optional=True),
        Column("codec", _S, 'codec; ":bits" or ":symbols" behind its name if units travel so'),
        Column("rung", _S, "operating point of the codec"),
        Column("sample_id", _S, "sample of the test split", optional=True),
        Column("t_created_s", _F, "arrival of the sample at the device", "s"),
        Column("t_encoded_s", _F, "the device had encoded it", "s", optional=True),
        Column("t_first_tx_s", _F, "first byte entered a transport block", "s", optional=True),
        Column("t_delivered_s", _F, "last unit arrived; null if any never did", "s", optional=True),
        Column("t_decoded_s", _F, "decision was there; null without any unit", "s", optional=True),
        Column("deadline_s", _F, "simulated time of the deadline", "s", optional=True),
        Column("units_sent", _I, "units of the message that were sent; 0: the battery was empty"),
        Column("units_received", _I, "units that arrived in time to be decoded"),
        Column("bytes_app", _L, "UDP payload bytes of all its packets", "bytes"),
        Column(
            "bytes_air",
            _L,
            "MAC, RLC and PDCP bytes spent on it, headers and retransmissions too, padding not",
            "bytes",
            optional=True,
        ),
        Column(
            "elements_air",
            _F,
            "share of its blocks' resource elements (12 x 14 a PRB and layer), retransmissions too",
            optional=True,
        ),
        Column("delivery", _S, "how units travel: packet, bits or symbols", optional=True),
        Column("received_mask", pa.binary(), "one byte a unit: 1 received in time, else 0"),
        Column("on_time", _B, "at least one unit came early enough to be decoded in time"),
        Column("complete", _B, "every unit did", optional=True),
        Column("accepted", _B, "the decoder did not abstain", optional=True),
        Column("prediction", _I, "class decided from what arrived in time", optional=True),
        Column("label", _I, "true class"),
        Column("correct", _B, "prediction is the label"),
        Column("offline_prediction", _I, "class decided from all units", optional=True),
        Column("offline_correct", _B, "offline_prediction is the label", optional=True),
        Column("score", _F, "task score of the answer", optional=True),
        Column("confidence", _F, "the decoder's confidence, 0 to 1", optional=True),
        Column("kb_version", _I, "version of the knowledge base used", optional=True),
        Column("energy_j", _F, "energy of the encoder at the device", "J", optional=True),
        Column("model_version", _I, "version of fine-tuned weights used", optional=True),
        Column("offline_score", _F, "task score of the answer from all units", optional=True),
        Column("psnr_db", _F, "peak signal-to-noise ratio of a picture", "dB", optional=True),
        Column("ms_ssim", _F, "multi-scale structural similarity of a picture", optional=True),
        Column("similarity", _F, "floor-corrected similarity of a sentence", optional=True),
    ),
)

SLOTS = TableSpec(
    "slots",
    "one row a transport block",
    time="t_s",
    ordered=True,
    columns=(
        _T,
        _CELL,
        _DIRECTION,
        _UE,
        Column("prb_first", _I, "first physical resource block"),
        Column("prb_count", _I, "physical resource blocks"),
        Column("layers", _I, "spatial layers"),
        Column("mcs", _I, "MCS index, TS 38.214 table 5.1.3.1-1"),
        Column("tbs_bits", _I, "transport block size, TS 38.214 clause 5.1.3.2", "bit"),
        Column("harq_process", _I, "HARQ process number"),
        Column("redundancy_version", _I, "redundancy version, 0 to 3"),
        Column("sinr_eff_db", pa.float32(), "effective SINR (EESM)", "dB", optional=True),
        Column("bler_predicted", pa.float32(), "block error probability of this transmission"),
        Column("ack", _B, "decoded"),
    ),
)

PACKETS = TableSpec(
    "packets",
    "one row an event of an IP packet at the radio link",
    time="t_s",
    ordered=True,
    columns=(
        _T,
        Column("flow", _I, "flow number"),
        _UE,
        Column("event", _S, "what happened", categories=PACKET_EVENTS),
        Column("bytes", _I, "IP packet", "bytes"),
        Column("reason", _S, "why it was dropped or discarded", categories=PACKET_REASONS),
        _CELL,
        _DIRECTION,
        Column("packet_id", _L, "packet number"),
        Column("message_id", _L, "message that it is a part of, 0 for none"),
        Column(
            "air_bytes",
            _I,
            "MAC, RLC and PDCP bytes spent on it, with deliver and drop",
            "bytes",
        ),
    ),
)

KPIS = TableSpec(
    "kpis",
    "one row a UE, direction and period",
    time="t_s",
    ordered=True,
    columns=(
        _T,
        _CELL,
        _UE,
        _DIRECTION,
        Column("throughput_bps", _F, "IP bytes delivered over the period", "bit/s"),
        Column("bler", _F, "share of transport blocks not decoded", optional=True),
        Column("mcs_mean", _F, "mean MCS index", optional=True),
        Column("sinr_db", _F, "mean effective SINR", "dB", optional=True),
        Column("prb_used", _L, "PRBs x slots used in the period"),
        Column("queue_bytes", _L, "RLC queue at the period's end", "bytes"),
        Column("delay_ms_mean", _F, "mean delay of delivered packets", "ms", optional=True),
        Column("delay_ms_p95", _F, "95th percentile of the delay", "ms", optional=True),
    ),
)

ROUNDS = TableSpec(
    "rounds",
    "one row a client and round of fine-tuning",
    time="t_end_s",
    ordered=False,
    always=False,
    columns=(
        Column("round", _I, "round number from 0"),
        Column("client", _I, "UE that trained"),
        Column("cut_layer", _I, "layers at the device"),
        Column("rank", _I, "LoRA rank"),
        Column("bytes_up", _L, "sent by the client", "bytes"),
        Column("bytes_down", _L, "sent to the client", "bytes"),
        Column("t_start_s", _F, "start of the round", "s"),
        Column("t_end_s", _F, "end of the client's part", "s"),
        Column("late", _B, "missed the round's deadline"),
        Column("loss", _F, "training loss", optional=True),
        Column("accuracy", _F, "test accuracy after the round", optional=True),
        Column("design", _S, "who trains what", optional=True),
        Column("version", _I, "version of the global values after the round", optional=True),
        Column(
            "payload_up",
            _L,
            "bytes_up without the transport's headers, acknowledgements and repetitions",
            "bytes",
            optional=True,
        ),
        Column("payload_down", _L, "the same of bytes_down", "bytes", optional=True),
        Column("used", _B, "the client's result went into the global values", optional=True),
    ),
)

RETRIEVALS = TableSpec(
    "retrievals",
    "one row a query to a knowledge base",
    time="t_s",
    ordered=False,
    always=False,
    columns=(
        _T,
        Column("node", _I, "node that asked"),
        Column("query_id", _L, "query number"),
        Column("store", _S, "where the answer came from", categories=STORES),
        Column("hit", _B, "found"),
        Column("staleness_s", _F, "age of the answer", "s", optional=True),
        Column("bytes", _L, "carried over the network", "bytes"),
        Column("score", _F, "similarity or task score", optional=True),
        Column("kind", _S, "question, report or sync", optional=True),
        Column("t_end_s", _F, "the answer was there, or the exchange over", "s", optional=True),
        Column("right_entry", _B, "what was found is the fact asked for, as it is", optional=True),
        Column("correct", _B, "the language model's answer names the true value", optional=True),
        Column("entries", _I, "entries carried", optional=True),
        Column("refused", _I, "entries refused, or references not resolved", optional=True),
    ),
)

TRUTH = TableSpec(
    "truth",
    "one row a transmission of a transport block that was sent again through the real code",
    time="t_s",
    ordered=False,
    always=False,
    columns=(
        _T,
        _CELL,
        _DIRECTION,
        _UE,
        Column("mcs", _I, "MCS index"),
        Column("layers", _I, "spatial layers"),
        Column("tbs_bits", _I, "transport block size", "bit"),
        Column("prb_count", _I, "physical resource blocks"),
        Column("transmission", _I, "which of the block's transmissions, from 1"),
        Column("sinr_eff_db", pa.float32(), "effective SINR (EESM)", "dB", optional=True),
        Column("sinr_min_db", pa.float32(), "least SINR of a PRB and layer", "dB"),
        Column("sinr_max_db", pa.float32(), "greatest SINR of a PRB and layer", "dB"),
        Column("bler_predicted", pa.float32(), "block error probability of the abstraction"),
        Column("sent", _I, "times that it was sent, with its earlier transmissions"),
        Column("errors_before", _I, "times that it was not decoded before this transmission"),
        Column("errors", _I, "times that it was not decoded after it"),
    ),
)

TABLES: dict[str, TableSpec] = {
    spec.name: spec for spec in (MESSAGES, SLOTS, PACKETS, KPIS, ROUNDS, RETRIEVALS, TRUTH)
}
"""Table name → its definition."""
