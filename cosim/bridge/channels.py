# SPDX-License-Identifier: MIT
"""The Python ends of the three kinds of channel. Records are views into the segment, not copies."""

import mmap
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cosim.bridge._bridge import BridgeError, NativeSide
from cosim.bridge.schema import dtype_of

Records = npt.NDArray[np.void]
Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Direction:
    """One direction of a channel: its records' type, their place, and the payloads'."""

    dtype: np.dtype[np.void]
    schema_hash: int
    records: Records
    payload: Bytes


class Channel:
    """What the three kinds share: their place in the segment.

    Attributes:
        name: as declared in C++.
        number: position in the segment's directory.
    """

    def __init__(
        self, native: NativeSide, memory: mmap.mmap, number: int, entry: Mapping[str, Any]
    ) -> None:
        self._native = native
        self.name: str = entry["name"]
        self.number = number
        self.directions = [self._direction(memory, entry, side) for side in entry["sides"]]

    def _direction(
        self, memory: mmap.mmap, entry: Mapping[str, Any], side: Mapping[str, Any]
    ) -> Direction:
        dtype = dtype_of(side["schema"]) if side["schema"] else np.dtype([])
        blocks = bool(entry["slot_bytes"])
        count = 0 if blocks else side["capacity"]
        return Direction(
            dtype=dtype,
            schema_hash=side["hash"],
            records=np.frombuffer(memory, dtype, count, side["records_offset"])
            if count and dtype.itemsize
            else np.zeros(0, dtype),
            payload=np.frombuffer(
                memory, np.uint8, 0 if blocks else side["payload_bytes"], side["payload_offset"]
            )
            if side["payload_bytes"] and not blocks
            else np.zeros(0, np.uint8),
        )

    def _payload(self, direction: Direction, record: np.void) -> Bytes:
        first, size = int(record["payload_offset"]), int(record["payload_bytes"])
        if first + size > len(direction.payload):
            raise BridgeError(f"{self.name}: a record's payload lies outside its arena")
        view = direction.payload[first : first + size]
        view.flags.writeable = False
        return view


@dataclass(frozen=True)
class Batch:
    """A pending request. Views are valid until `Exchange.send`.

    Attributes:
        records: shape [records], read-only.
    """

    exchange: "Exchange"
    records: Records

    def __len__(self) -> int:
        return len(self.records)

    def payload(self, index: int) -> Bytes:
        """Return the bytes that record `index` carries, read-only."""
        return self.exchange._payload(self.exchange.directions[0], self.records[index])


class Exchange(Channel):
    """Answers batches of requests: `poll`, then `reply`, fill, `attach`, `send`."""

    _reply_records: Records
    _used = 0

    def poll(self) -> Batch | None:
        """Return the pending batch, or None."""
        pending, count, _ = self._native.request(self.number)
        if not pending:
            return None
        records = self.directions[0].records[:count]
        records.flags.writeable = False
        return Batch(self, records)

    def reply(self, count: int) -> Records:
        """Return zeroed records to fill in, shape [count].

        Raises:
            BridgeError: more than the channel was declared for.
        """
        room = self.directions[1].records
        if count > len(room):
            raise BridgeError(
                f"exchange {self.name!r}: {count} records in a reply, "
                f"it was declared for {len(room)}"
            )
        self._reply_records = room[:count]
        self._reply_records.view(np.uint8)[:] = 0
        self._used = 0
        return self._reply_records

    def attach(self, index: int, data: bytes | bytearray | memoryview) -> None:
        """Copy `data` into the reply's arena and name it in record `index`.

        Raises:
            BridgeError: the arena is full.
        """
        arena, size = self.directions[1].payload, len(data)
        if size > len(arena) - self._used:
            raise BridgeError(
                f"exchange {self.name!r}: payloads of {self._used + size} bytes in a reply, it was "
                f"declared for {len(arena)}"
            )
        arena[self._used : self._used + size] = np.frombuffer(data, np.uint8)
        record = self._reply_records[index]
        record["payload_offset"] = self._used
        record["payload_bytes"] = size
        self._used += size

    def send(self) -> None:
        """Send the reply; the simulator goes on."""
        self._native.answer(self.number, len(self._reply_records), self._used)
        self._reply_records = self.directions[1].records[:0]


class Stream(Channel):
    """Reads records that the simulator pushes: `read`, use, `release`."""

    _read = 0
    _given = 0

    def read(self) -> Records:
        """Return what can be read in one piece, shape [records], maybe empty.

        The view stays valid until `release`. A second call before it returns the same records, and
        maybe more.
        """
        at, count = self._native.readable(self.number, self._read)
        self._given = count
        records = self.directions[0].records[at : at + count]
        records.flags.writeable = False
        return records

    def payload(self, record: np.void) -> Bytes:
        """Return the bytes that a record carries, valid until `release`."""
        return self._payload(self.directions[0], record)

    def release(self, count: int | None = None) -> None:
        """Give back the first `count` records of the last `read`, by default all."""
        count = self._given if count is None else count
        if not 0 <= count <= self._given:
            raise BridgeError(f"stream {self.name!r}: {count} released of {self._given} read")
        if count:
            self._read += count
            self._given -= count
            self._native.release_records(self.number, self._read)


class Blocks(Channel):
    """Publishes numbered blocks of float32 for the simulator."""

    def __init__(
        self, native: NativeSide, memory: mmap.mmap, number: int, entry: Mapping[str, Any]
    ) -> None:
        super().__init__(native, memory, number, entry)
        side = entry["sides"][0]
        self.slots: int = side["capacity"]
        self.max_bytes: int = side["payload_bytes"]
        dtype = self.directions[0].dtype
        header = -(-dtype.itemsize // 64) * 64
        starts = [side["records_offset"] + s * entry["slot_bytes"] for s in range(self.slots)]
        self._headers = [np.frombuffer(memory, dtype, 1, start) for start in starts]
        self._data = [
            np.frombuffer(memory, np.float32, self.max_bytes // 4, start + header)
            for start in starts
        ]

    @property
    def published(self) -> int:
        """Return how many blocks were published."""
        return self._native.blocks(self.number)[0]

    @property
    def stalls(self) -> int:
        """Return how often the simulator had to wait for a block."""
        return self._native.blocks(self.number)[2]

    @property
    def stall_s(self) -> float:
        """Return how long it waited in all, in wall-clock seconds."""
        return self._native.blocks(self.number)[3] * 1e-9

    def free_slots(self) -> int:
        """Return how many blocks can be published at once."""
        published, released, _, _ = self._native.blocks(self.number)
        return self.slots - (published - released)

    def publish(
        self,
        number: int,
        fields: Mapping[str, Any],
        data: npt.NDArray[np.float32],
        *,
        timeout_s: float = float("inf"),
    ) -> bool:
        """Publish block `number`, waiting for a free slot.

        Args:
            number: the next number; blocks are published in order from 0.
            fields: values of the header record; `number` is filled in.
            data: float32, any shape, copied in C order.
            timeout_s: how long to wait for a slot.

        Returns:
            False if no slot became free in time.

        Raises:
            BridgeError: not the next number, or a block that does not fit.
            PeerDied: the simulation is over.
        """
        if number != self.published:
            raise BridgeError(
                f"blocks {self.name!r}: {number} is not the next, {self.published} is"
            )
        if data.nbytes > self.max_bytes:
            raise BridgeError(
                f"blocks {self.name!r}: a block of {data.nbytes} bytes, "
                f"declared for {self.max_bytes}"
            )
        if not self._native.wait_free_slot(self.number, min(timeout_s, 1e9)):
            return False
        slot = number % self.slots
        header = self._headers[slot]
        header["number"] = number
        for name, value in fields.items():
            header[name] = value
        self._data[slot][: data.size] = data.reshape(-1)
        self._native.publish(self.number, number, data.nbytes)
        return True
