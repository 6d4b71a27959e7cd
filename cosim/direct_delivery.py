# SPDX-License-Identifier: MIT
"""Delivery as bits or symbols: what an application gets is what the air made of it.

ns-3 carries the packets of such a flow in transport blocks whose contents nobody checks. It knows
sizes, times, and whether the headers were decoded; it hands a packet over as it was sent. Of each
block it says what lay where, and the SINR of every PRB; from that `sionna_phy.direct` finds out
what was received, bit by bit or value by value, and that replaces the contents here, before any
agent sees them.
"""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from cosim.agents.packetiser import WireError, parse
from cosim.agents.semantic_source import MESSAGE_NUMBER_BITS
from cosim.bridge import sim_dtypes
from cosim.plan import Plan
from cosim.scenario import SemanticTraffic

BITS, SYMBOLS = 1, 2
"""`cosim::sim::Delivery` in records."""


@dataclass
class _Block:
    """A block whose contents were, or will be, asked for."""

    number: int
    delivery: int
    contents: Any
    used: bool = False
    wrong: npt.NDArray[np.uint8] | None = None


@dataclass
class DirectTally:
    """What came of bits and symbols.

    Attributes:
        blocks: with contents that were received.
        bits: received as bits.
        wrong_bits: of these.
        values: received as symbols.
        squared_error: sum over them, in units of their variance.
    """

    blocks: int = 0
    bits: int = 0
    wrong_bits: int = 0
    values: int = 0
    squared_error: float = 0.0

    def facts(self) -> dict[str, Any]:
        """Return what the manifest keeps."""
        return {
            "blocks": self.blocks,
            "bits": self.bits,
            "bit_error_rate": self.wrong_bits / self.bits if self.bits else None,
            "values": self.values,
            "mean_squared_error": self.squared_error / self.values if self.values else None,
        }


@dataclass
class DirectDelivery:
    """Keeps what ns-3 said about blocks until their packets come.

    Args:
        plan: which flows are meant, and what random numbers follow from.
        is_open: whether anybody still waits for a message. What comes of it later is not kept: in a
            long run it would add up.

    Attributes:
        tally: what came of them.
    """

    plan: Plan
    is_open: Callable[[int], bool] = lambda message_id: True
    tally: DirectTally = field(default_factory=DirectTally)

    def __post_init__(self) -> None:
        self._flows = {
            flow.number
            for flow in self.plan.flows
            if isinstance(flow.traffic, SemanticTraffic) and flow.traffic.delivery != "packet"
        }
        self._count = 0
        self._pieces: dict[int, dict[int, list[tuple[_Block, int, int, int]]]] = defaultdict(dict)
        self._receiver: Any = None

    def note(self, record: np.void, payload: bytes) -> None:
        """Take what ns-3 says of a block.

        Args:
            record: its DirectBlock.
            payload: its pieces and SINRs.
        """
        from sionna_phy.direct import ContentBlock

        piece_type = sim_dtypes()["DirectPiece"]
        count = int(record["pieces"])
        pieces = np.frombuffer(payload, piece_type, count=count)
        sinr = np.frombuffer(payload, np.float32, offset=count * piece_type.itemsize)
        contents = ContentBlock(
            mcs=int(record["mcs"]),
            content_bytes=int(record["content_bytes"]),
            elements=int(record["elements"]),
            header_elements=int(record["header_elements"]),
            sinr=sinr.reshape(int(record["layers"]), int(record["prb_count"])),
        )
        block = _Block(self._count, int(record["delivery"]), contents)
        self._count += 1
        for piece in pieces:
            # Of a packet of headers alone there is nothing to find out.
            if piece["bytes"] == 0 or not self.is_open(int(piece["message_id"])):
                continue
            packets = self._pieces[int(piece["message_id"])]
            packets.setdefault(int(piece["packet"]), []).append(
                (block, int(piece["offset"]), int(piece["bytes"]), int(piece["at"]))
            )

    def received(self, flow: int, data: bytes) -> bytes:
        """Return a packet as it was received: itself on flows that deliver packets.

        Args:
            flow: that it came on.
            data: as it was sent.
        """
        if flow not in self._flows:
            return data
        try:
            contents = parse(data)
        except WireError:
            return data  # the receiver says so
        message_id = (flow << MESSAGE_NUMBER_BITS) | contents.message_number
        out = bytearray(data)
        pieces = self._pieces.get(message_id, {}).pop(contents.packet_number, ())
        for block, offset, count, at in pieces:
            first = len(data) - offset
            sent = data[first : first + count]
            out[first : first + count] = self._through(block, at, sent)
        return bytes(out)

    def forget(self, message_id: int) -> None:
        """Forget a message that has been decided: its lost packets will not come."""
        self._pieces.pop(message_id, None)

    def _through(self, block: _Block, at: int, sent: bytes) -> bytes:
        from sionna_phy.direct import DirectReceiver, from_bytes

        if self._receiver is None:
            self._receiver = DirectReceiver(self.plan.scenario.mac.mcs_table)
        seed = self.plan.seed("direct", block.number)
        self.tally.blocks += not block.used
        block.used = True
        if block.delivery == SYMBOLS:
            got: bytes = self._receiver.noisy(block.contents, at, sent, seed)
            self.tally.values += len(sent)
            self.tally.squared_error += float(np.sum((from_bytes(got) - from_bytes(sent)) ** 2))
            return got
        if block.wrong is None:
            block.wrong = self._receiver.bit_errors(block.contents, seed)
        wrong = block.wrong[at : at + len(sent)]
        self.tally.bits += 8 * len(sent)
        self.tally.wrong_bits += int(np.bitwise_count(wrong).sum())
        return (np.frombuffer(sent, np.uint8) ^ wrong).tobytes()
