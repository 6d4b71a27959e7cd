# SPDX-License-Identifier: MIT
"""The Python ends of the three kinds of channel. Records are views into the segment, not copies."""

import mmap
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from cosim.bridge._bridge import BridgeError, NativeExchange, NativeSide, PeerDied
from cosim.bridge.schema import dtype_of

Records = npt.NDArray[np.void]
Bytes = npt.NDArray[np.uint8]
_FAILED = 3


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
        obituary: says how the simulator ended; the bridge sets it.
    """

    obituary: Callable[[], str] = staticmethod(lambda: "the simulator's process has ended")

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


class Timeout(BridgeError, TimeoutError):  # noqa: N818 - it says what happened
    """Nothing happened in the time allowed."""


class Exchange(Channel, NativeExchange):
    """Answers batches of requests: `receive` (or `poll`), `reply`, fill, `attach`, `send`.

    It is iterable, which is the shortest way to serve a simulation that has no streams:

        for observations in bridge.exchange("agents"):
            decisions = exchange.reply(len(observations))
            decisions["power"] = policy(observations["sinr"])
            exchange.send()

    `receive`, `reply` and `send` are native (`help(Exchange.receive)`). Arrays of the same number
    of records are the same object, so views of their fields may be kept between batches.
    """

    def __init__(
        self, native: NativeSide, memory: mmap.mmap, number: int, entry: Mapping[str, Any]
    ) -> None:
        Channel.__init__(self, native, memory, number, entry)
        NativeExchange.__init__(self, native, number)

    def poll(self) -> Batch | None:
        """Return the pending batch, or None."""
        count = self._poll()
        return None if count < 0 else Batch(self, self._view(0, count))

    def payload(self, record: np.void) -> Bytes:
        """Return the bytes that a record of the request carries, read-only, valid until `send`."""
        return self._payload(self.directions[0], record)

    def attach(self, index: int, data: bytes | bytearray | memoryview) -> None:
        """Copy `data` into the reply's arena and name it in record `index`.

        Raises:
            BridgeError: the arena is full, or `reply` was not called.
        """
        count, used = self._pending()
        if count < 0:
            raise BridgeError(f"exchange {self.name!r}: call reply() before attach()")
        arena, size = self.directions[1].payload, len(data)
        if size > len(arena) - used:
            raise BridgeError(
                f"exchange {self.name!r}: payloads of {used + size} bytes in a reply, it was "
                f"declared for {len(arena)}"
            )
        arena[used : used + size] = np.frombuffer(data, np.uint8)
        record = self.directions[1].records[:count][index]
        record["payload_offset"] = used
        record["payload_bytes"] = size
        self._attached(size)

    def _view(self, direction: int, count: int) -> Records:
        """Return the first records of a direction; `reply` and `receive` keep what they got."""
        room = self.directions[direction].records
        if not 0 <= count <= len(room):
            raise BridgeError(
                f"exchange {self.name!r}: {count} records in a reply, "
                f"it was declared for {len(room)}"
            )
        records = room[:count]
        records.flags.writeable = direction == 1
        return records

    def _over(self, how: str, timeout_s: float) -> None:
        """Say why `receive` has no records: return for an orderly end, raise for all else."""
        if how == "timeout":
            raise Timeout(f"exchange {self.name!r}: no request came in {timeout_s:g} s")
        state, reason = self._native.state(0)
        if state == _FAILED:
            raise PeerDied(reason)
        if how == "died":
            raise PeerDied(self.obituary())


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
        self._claimed: int | None = None
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

    @property
    def first_stall_s(self) -> float:
        """Return how long of it the simulator waited for block 0."""
        return self._native.blocks(self.number)[4] * 1e-9

    def free_slots(self) -> int:
        """Return how many blocks can be published at once."""
        published, released = self._native.blocks(self.number)[:2]
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
        data = np.asarray(data, np.float32)
        block = self.claim(number, data.nbytes, timeout_s=timeout_s)
        if block is None:
            return False
        header, view = block
        unknown = set(fields) - set(header.dtype.names or ())
        if unknown:
            raise BridgeError(f"blocks {self.name!r}: the header has no field {unknown}")
        for name, value in fields.items():
            header[name] = value
        view[:] = data.reshape(-1)
        self.commit()
        return True

    def claim(
        self, number: int, nbytes: int, *, timeout_s: float = float("inf")
    ) -> tuple[Records, npt.NDArray[np.float32]] | None:
        """Wait for a free slot and return it, to be filled in place and then `commit`ted.

        Args:
            number: the next number; blocks are published in order from 0.
            nbytes: size of the data, a multiple of 4.
            timeout_s: how long to wait for a slot.

        Returns:
            The header record, shape [1], with its `number` filled in, and the data, shape
            [nbytes / 4]; both lie in the segment. None if no slot became free in time.

        Raises:
            BridgeError: not the next number, or a block that does not fit.
            PeerDied: the simulation is over.
        """
        if number != self.published:
            raise BridgeError(
                f"blocks {self.name!r}: {number} is not the next, {self.published} is"
            )
        if nbytes > self.max_bytes or nbytes % 4:
            raise BridgeError(
                f"blocks {self.name!r}: a block of {nbytes} bytes, "
                f"declared for {self.max_bytes}, in whole floats of 4"
            )
        if not self._native.wait_free_slot(self.number, min(timeout_s, 1e9)):
            return None
        slot = number % self.slots
        header = self._headers[slot]
        header["number"] = number
        self._claimed = nbytes
        return header, self._data[slot][: nbytes // 4]

    def commit(self) -> None:
        """Publish the block that `claim` returned.

        Raises:
            BridgeError: none was claimed.
        """
        if self._claimed is None:
            raise BridgeError(f"blocks {self.name!r}: commit() without claim()")
        self._native.publish(self.number, self.published, self._claimed)
        self._claimed = None
