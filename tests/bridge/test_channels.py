# SPDX-License-Identifier: MIT
"""The three kinds of channel between Python and a C++ program."""

import threading
import time

import numpy as np
import pytest

from cosim.bridge import Bridge, BridgeError, Timeout, dtype_of, sim_dtypes, sim_schema
from tests.bridge.conftest import checked_items, peer_path, serve_echo

LETTERS = b"abcdefghijklmnopqrstuvwxyz"


def expected_value(dtype: np.dtype, number: int):
    """What the C++ peer puts into the element with this number (see bridge_records.cpp)."""
    if dtype.kind == "b":
        return True
    if dtype.kind == "f":
        return number + 0.5
    return -number if dtype.kind == "i" else number


def expected_record(dtype: np.dtype) -> np.ndarray:
    record, number = np.zeros(1, dtype), 0
    for name in dtype.names:
        field = dtype[name]
        if field.kind == "S":
            text = bytes(LETTERS[(number + 1 + k) % 26] for k in range(field.itemsize))
            record[name] = text
            number += field.itemsize
        elif field.subdtype is not None:
            base, (count,) = field.subdtype
            record[name] = [expected_value(base, number + 1 + k) for k in range(count)]
            number += count
        else:
            number += 1
            record[name] = expected_value(field, number)
    return record


def test_every_record_means_the_same_in_python_and_in_cpp(started):
    bridge = started(peer="bridge_records")
    seen = {}
    while not bridge.finished:
        for name in bridge.wait(5.0):
            exchange = bridge.exchange(name)
            batch = exchange.poll()
            dtype = batch.records.dtype
            expected = expected_record(dtype)
            for field in dtype.names:
                np.testing.assert_array_equal(batch.records[field], expected[field], err_msg=field)
            exchange.reply(1)[:] = expected
            exchange.send()  # the peer compares field by field and fails otherwise
            seen[name] = dtype
    assert bridge.process.wait(5) == 0
    assert set(seen) == {*sim_dtypes(), "AllTypes"}
    for name, dtype in sim_dtypes().items():
        assert seen[name] == dtype


def test_a_description_gives_the_dtype_of_the_cpp_struct():
    # By hand, for a C++ struct { uint8_t a; double b; char c[3]; } under the x86-64 and AArch64
    # ABIs: b is aligned to 8, c follows at 16, and the size is padded from 19 to 24.
    dtype = dtype_of("T\na |u1 0 0\nb <f8 0 8\nc S 3 16\n24\n")
    assert dtype.itemsize == 24
    assert {n: dtype.fields[n][1] for n in dtype.names} == {"a": 0, "b": 8, "c": 16}
    assert [dtype[n].str for n in dtype.names] == ["|u1", "<f8", "|S3"]


@pytest.mark.parametrize("text", ["", "T", "T\nx\n8\n", "T\na <f8 0 4\n8\n", "T\na <q9 0 0\n8\n"])
def test_a_damaged_description_is_an_error(text):
    with pytest.raises(BridgeError, match="schema is damaged"):
        dtype_of(text)


@pytest.mark.parametrize(("rounds", "batch"), [(2000, 1), (200, 64), (1, 1000)])
def test_an_exchange_answers_batches(started, rounds, batch):
    bridge = started("echo", rounds, batch)
    assert serve_echo(bridge) == rounds
    assert bridge.finished
    assert bridge.process.wait(5) == 0


def test_payloads_of_any_length_travel_both_ways(started):
    bridge = started("payload", 300)
    exchange = bridge.exchange("echo")
    for length, request in enumerate(exchange):
        data = exchange.payload(request[0])
        assert len(data) == length
        assert not data.flags.writeable
        exchange.reply(1)
        exchange.attach(0, data.tobytes()[::-1])
        exchange.send()
    assert bridge.process.wait(5) == 0


def drain(bridge: Bridge, pause_s: float = 0.0, piece: int | None = None) -> int:
    stream, count = bridge.stream("items"), 0
    while True:
        ended = bridge.finished
        while len(records := stream.read()):
            used = len(records) if piece is None else min(piece, len(records))
            count = checked_items(records[:used], count)
            stream.release(used)
            time.sleep(pause_s)
        if ended:
            return count
        bridge.wait(5.0)


def test_a_stream_arrives_whole_and_in_order(started):
    bridge = started("stream", 200_000, 1024)
    assert drain(bridge) == 200_000
    assert bridge.process.wait(5) == 0


@pytest.mark.parametrize("capacity", [2, 3, 7, 64])
def test_a_slow_reader_loses_nothing(started, capacity):
    bridge = started("stream", 300, capacity)
    assert drain(bridge, pause_s=0.002, piece=1 if capacity < 7 else 5) == 300


@pytest.mark.parametrize(("capacity", "ring"), [(2, 64), (16, 1000), (64, 4096)])
def test_payloads_of_a_stream_wrap_around_whole(started, capacity, ring):
    bridge = started("stream-payload", 3000, capacity, ring)
    stream, number = bridge.stream("items"), 0
    while True:
        ended = bridge.finished
        while len(records := stream.read()):
            for record in records:
                assert record["number"] == number
                payload = stream.payload(record)
                assert len(set(payload.tobytes())) <= 1  # each payload is a run of one byte
                number += 1
            stream.release()
        if ended:
            break
        bridge.wait(5.0)
    assert number == 3000


def test_a_flush_wakes_the_reader_at_once(started):
    # Three of 1024 records are far below the half at which a reader is told; the peer then sleeps
    # for 0.5 s before it makes any other news.
    bridge = started("flush")
    start = time.monotonic()
    assert bridge.wait(5.0) == {"items"}
    assert time.monotonic() - start < 0.4
    assert checked_items(bridge.stream("items").read(), 0) == 3
    bridge.stream("items").release()
    serve_echo(bridge)


def test_a_stream_and_an_exchange_share_a_segment(started):
    bridge = started("both", 150)
    stream, exchange, count = bridge.stream("items"), bridge.exchange("echo"), 0
    while not bridge.finished:
        bridge.wait(5.0)
        while len(records := stream.read()):
            count = checked_items(records, count)
            stream.release()
        if (batch := exchange.poll()) is not None:
            # What was pushed before the request can be read when the request can.
            while len(records := stream.read()):
                count = checked_items(records, count)
                stream.release()
            assert batch.records["number"][0] == count
            exchange.reply(1)["number"] = count + 1
            exchange.send()
    assert count == sum(r % 70 for r in range(150))


def test_serving_an_exchange_alone_says_so_when_a_stream_fills_up(started):
    bridge = started("both", 150)
    exchange = bridge.exchange("echo")
    with pytest.raises(BridgeError, match=r"'items' is full.*read the streams too"):
        for request in exchange:
            exchange.reply(1)["number"] = request["number"] + 1
            exchange.send()


def publish(fd: int, blocks: int, size: int) -> None:
    with Bridge.attach(fd) as producer:
        channel = producer.blocks("blocks")
        for number in range(blocks):
            data = (number * 0.5 + np.arange(size // 4)).astype(np.float32)
            assert channel.publish(number, {"scale": number * 0.5}, data)


@pytest.mark.parametrize(("slots", "size"), [(1, 64), (2, 4096), (4, 1 << 20)])
def test_blocks_arrive_in_order_and_whole(started, slots, size):
    bridge = started("blocks", 60, slots, size)
    producer = threading.Thread(target=publish, args=(bridge.fileno(), 60, size))
    producer.start()
    while not bridge.finished:
        bridge.wait(5.0)
    producer.join()
    assert bridge.process.wait(5) == 0
    assert bridge.blocks("blocks").published == 60


def test_waiting_for_the_first_block_is_told_apart(started):
    bridge = started("blocks", 3, 2, 64)
    with Bridge.attach(bridge.fileno()) as producer:
        channel, began = producer.blocks("blocks"), time.monotonic()
        for number, pause_s in enumerate((0.3, 0.0, 0.2)):
            time.sleep(pause_s)
            data = (number * 0.5 + np.arange(16)).astype(np.float32)
            assert channel.publish(number, {"scale": number * 0.5}, data)
        while not bridge.finished:
            bridge.wait(5.0)
        took_s = time.monotonic() - began
    blocks = bridge.blocks("blocks")
    # The program starts before or while the first pause goes on, and waits out the second; the
    # clock of a busy machine can only add to it.
    assert 0.0 < blocks.first_stall_s <= blocks.stall_s <= took_s + 1.0
    assert blocks.stall_s - blocks.first_stall_s >= 0.1
    assert blocks.stalls >= 2


def test_a_host_that_publishes_itself_is_woken_when_a_slot_becomes_free(started):
    bridge = started("blocks", 30, 1, 64, 2000)  # each slot is kept 2 ms: every claim sleeps
    blocks, waits = bridge.blocks("blocks"), []
    for number in range(30):
        start = time.monotonic()
        assert blocks.publish(number, {"scale": 0.0}, np.arange(16, dtype=np.float32))
        waits.append(time.monotonic() - start)
    while not bridge.finished:
        bridge.wait(5.0)
    # A sleeper that nobody rings looks around every 0.1 s by itself.
    assert np.median(waits) < 0.05


def test_a_block_that_does_not_fit_and_a_wrong_number_are_errors(started):
    bridge = started("blocks", 1, 2, 4096)
    with Bridge.attach(bridge.fileno()) as producer:
        channel = producer.blocks("blocks")
        with pytest.raises(BridgeError, match="a block of 4100 bytes"):
            channel.publish(0, {}, np.zeros(1025, np.float32))
        with pytest.raises(BridgeError, match="1 is not the next, 0 is"):
            channel.publish(1, {}, np.zeros(1, np.float32))
        with pytest.raises(BridgeError, match="the header has no field"):
            channel.publish(0, {"colour": 1}, np.zeros(1, np.float32))
        channel.publish(0, {"scale": 0.0}, np.arange(1024, dtype=np.float32))
        with pytest.raises(BridgeError, match=r"commit\(\) without claim"):
            channel.commit()
    while not bridge.finished:
        bridge.wait(5.0)


def test_a_block_is_filled_in_place(started):
    bridge = started("blocks", 3, 2, 4096)
    with Bridge.attach(bridge.fileno()) as producer:
        channel = producer.blocks("blocks")
        for number in range(3):
            header, data = channel.claim(number, 4096)
            header["scale"] = 7.0
            data[:] = 7.0 + np.arange(1024)
            channel.commit()
        assert channel.free_slots() >= 0
    while not bridge.finished:
        bridge.wait(5.0)
    assert bridge.process.wait(5) == 0


def test_data_of_another_type_is_converted(started):
    bridge = started("blocks", 1, 1, 4096)
    with Bridge.attach(bridge.fileno()) as producer:
        assert producer.blocks("blocks").publish(0, {"scale": 1.0}, 1.0 + np.arange(1024.0))
    while not bridge.finished:
        bridge.wait(5.0)
    assert bridge.process.wait(5) == 0


def test_limits_are_errors_that_say_what_to_do(started, tmp_path):
    with (tmp_path / "out").open("wb") as out:
        bridge = started("too-large", stdout=out)
        while not bridge.finished:
            bridge.wait(5.0)
        assert bridge.process.wait(5) == 0
    said = dict(line.split(": ", 1) for line in (tmp_path / "out").read_text().splitlines())
    for what, words in {
        "early append": "before Bridge::Start",
        "early push": "before Bridge::Start",
        "early flush": "before Bridge::Start",
        "early block": "before Bridge::Start",
        "same name": "two channels are named 'items'",
        "long name": "1 to 47 characters",
        "no capacity": "a capacity of 2 records or more",
        "too many": "are too many",
        "too big": "are too many",
        "late": "declared after Bridge::Start",
        "twice": "called twice",
        "payload": "more than 100 bytes: declare more in AddExchange",
        "records": "more than 2 records: declare more in AddExchange",
        "stream payload": "a payload of 501 bytes; at most half of the ring's 1000",
        "block order": "asked for block 1, the next one is 0",
        "await": "no batch to wait for",
    }.items():
        assert words in said[what], what


def test_a_reply_that_does_not_fit_is_an_error(started):
    bridge = started("echo", 1, 2)
    exchange = bridge.exchange("echo")
    exchange.receive(5.0)
    with pytest.raises(BridgeError, match="3 records in a reply, it was declared for 2"):
        exchange.reply(3)
    with pytest.raises(BridgeError, match="call reply\\(\\) before attach"):
        exchange.attach(0, b"x")
    exchange.reply(2)
    with pytest.raises(BridgeError, match="payloads of 1 bytes in a reply, it was declared for 0"):
        exchange.attach(0, b"x")
    bridge.abort("enough")


def test_an_answer_without_a_request_is_an_error(started):
    bridge = started("hang")
    with pytest.raises(BridgeError, match="no request to answer"):
        bridge.exchange("echo").send()


def test_views_of_requests_cannot_be_written(started):
    bridge = started("echo", 1, 1)
    request = bridge.exchange("echo").receive(5.0)
    with pytest.raises(ValueError, match="read-only"):
        request["number"] = 1
    serve_echo(bridge)


def test_receive_times_out(started):
    bridge = started("hang")
    start = time.monotonic()
    with pytest.raises(Timeout, match=r"no request came in 0.2 s"):
        bridge.exchange("echo").receive(0.2)
    assert 0.2 <= time.monotonic() - start < 0.5


def test_a_missing_channel_is_named(started):
    bridge = started("hang")
    with pytest.raises(BridgeError, match="no stream channel 'x'; there are: none"):
        bridge.stream("x")
    with pytest.raises(BridgeError, match="no exchange channel 'x'; there are: echo"):
        bridge.exchange("x")


def test_two_bridges_serve_two_programs_in_one_process():
    with Bridge.create() as one, Bridge.create() as two:
        for bridge in (one, two):
            bridge.spawn([peer_path("bridge_peer"), "echo", "500", "1"])
        for bridge in (one, two):
            bridge.wait_ready(20.0)
        open_ones, rounds = [one, two], 0
        while open_ones:
            for bridge in list(open_ones):
                exchange = bridge.exchange("echo")
                request = exchange.receive(5.0)
                if request is None:
                    open_ones.remove(bridge)
                    continue
                reply = exchange.reply(1)
                reply["number"] = request["number"]
                reply["values"] = 2 * request["values"]
                exchange.send()
                rounds += 1
    assert rounds == 1000


def test_a_second_episode_in_one_process():
    for _ in range(5):
        with Bridge.create() as bridge:
            process = bridge.spawn([peer_path("bridge_peer"), "echo", "50", "2"])
            bridge.wait_ready(20.0)
            assert serve_echo(bridge) == 50
        assert process.returncode == 0


def test_the_schema_of_another_build_is_refused(started):
    bridge = started("echo", 1, 1, ready=False)
    with pytest.raises(BridgeError, match=r"another record layout.*make setup"):
        bridge.wait_ready(20.0, expect={"echo": [sim_schema()["NodeEvent"]]})


def test_hashes_tell_the_records_apart():
    assert len(set(sim_schema().values())) == len(sim_schema())
