# SPDX-License-Identifier: MIT
"""What every codec must do, as a function that any codec can be put through.

    from models.codecs.conformance import check_codec
    check_codec(my_codec, task="sentiment")

It asserts no accuracy: that is measured, see `evaluate_offline`.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from models.codecs.base import Codec, CodecError, Decoded, EncodedMessage, ReceivedMessage
from models.tasks import Sample, get_task


class ConformanceError(AssertionError):
    """A codec breaks its contract; the text says which rule and with what."""


@dataclass(frozen=True)
class Report:
    """What was checked.

    Attributes:
        codec: name.
        task: name.
        rung: name.
        samples: how many samples went through.
        bytes_mean: bytes of a message's units, on average.
        units_mean: units of a message, on average.
    """

    codec: str
    task: str
    rung: str
    samples: int
    bytes_mean: float
    units_mean: float


def check_codec(
    codec: Codec, *, task: str, rung: str = "default", samples: int = 12, seed: int = 1
) -> Report:
    """Put a codec through all checks.

    Args:
        codec: made without results on disk, or the checks would only read them back.
        task: name of a task that it has weights for.
        rung: operating point.
        samples: test samples used.
        seed: of random masks, batches and garbage.

    Raises:
        ConformanceError: a rule is broken.
    """
    chosen = get_task(task).test[:samples]
    rng = random.Random(seed)
    messages = codec.encode(chosen, task=task, rung=rung)
    _check_messages(codec, chosen, messages, task, rung)
    _check_encode_batches(codec, chosen, messages, task, rung, rng)
    _check_budget(codec, chosen, task, rung)
    masked = [_some(message, rng.random(), rng) for message in messages]
    cases = [*map(complete, messages), *map(nothing, messages), *masked]
    answers = codec.decode(cases, task=task, rung=rung)
    _check_answers(answers, task)
    _check_prior(codec, answers[len(messages) : 2 * len(messages)], task)
    _check_decode_batches(codec, cases, answers, task, rung, rng)
    _check_order(codec, masked, answers[2 * len(messages) :], task, rung, rng)
    _check_garbage(codec, messages, task, rung, rng)
    _check_unknown(codec, chosen, task)
    units = [len(message.units) for message in messages]
    size = [sum(map(len, message.units)) for message in messages]
    return Report(
        codec.name, task, rung, len(chosen), sum(size) / len(size), sum(units) / len(units)
    )


def complete(message: EncodedMessage) -> ReceivedMessage:
    """Return a message of which every unit arrived."""
    return ReceivedMessage(len(message.units), dict(enumerate(message.units)))


def nothing(message: EncodedMessage) -> ReceivedMessage:
    """Return a message of which no unit arrived."""
    return ReceivedMessage(len(message.units), {})


def _some(message: EncodedMessage, share_lost: float, rng: random.Random) -> ReceivedMessage:
    kept = {n: unit for n, unit in enumerate(message.units) if rng.random() >= share_lost}
    return ReceivedMessage(len(message.units), kept)


def _require(holds: bool, rule: str) -> None:
    if not holds:
        raise ConformanceError(rule)


def _check_messages(
    codec: Codec,
    samples: Sequence[Sample],
    messages: Sequence[EncodedMessage],
    task: str,
    rung: str,
) -> None:
    _require(len(messages) == len(samples), "encode gives one message a sample")
    for sample, message in zip(samples, messages, strict=True):
        names = (message.sample_id, message.codec, message.task, message.rung)
        _require(
            names == (sample.id, codec.name, task, rung), f"a message names its origin: {names}"
        )
        _require(len(message.units) >= 1, "a message has at least one unit")
        _require(
            all(isinstance(unit, bytes) and 0 < len(unit) <= 0xFFFF for unit in message.units),
            "units are bytes, 1 to 65535 each",
        )
        _require(len(message.importance) == len(message.units), "there is one importance a unit")
        scores = message.importance
        _require(all(0.0 <= score <= 1.0 for score in scores), "importances are in [0, 1]")
        _require(list(scores) == sorted(scores, reverse=True), "importances descend")
        _require(message.operations > 0 and message.memory_bytes >= 0, "encoding costs something")
        operations, traffic = codec.decode_cost(message, task=task, rung=rung)
        _require(operations > 0 and traffic >= 0, "decoding costs something")


def _check_encode_batches(
    codec: Codec,
    samples: Sequence[Sample],
    messages: Sequence[EncodedMessage],
    task: str,
    rung: str,
    rng: random.Random,
) -> None:
    for group in _random_batches(len(samples), rng):
        again = fresh(codec).encode([samples[i] for i in group], task=task, rung=rung)
        for index, message in zip(group, again, strict=True):
            _require(
                message == messages[index],
                f"a message does not depend on its batch: sample {samples[index].id} in {group}",
            )


def _check_budget(codec: Codec, samples: Sequence[Sample], task: str, rung: str) -> None:
    full = codec.encode(samples, task=task, rung=rung)
    for budget in (1, 40, 150):
        cut = codec.encode(samples, task=task, rung=rung, budget_bytes=budget)
        for whole, part in zip(full, cut, strict=True):
            kept = len(part.units)
            _require(part.units == whole.units[:kept], "a budget keeps the first units")
            _require(
                kept == 1 or sum(map(len, part.units)) <= budget,
                f"a budget of {budget} bytes is kept, or one unit is left",
            )


def _check_answers(answers: Sequence[Decoded], task: str) -> None:
    labels = len(get_task(task).labels)
    for answer in answers:
        _require(0 <= answer.prediction < labels, "a prediction is a label")
        _require(0.0 <= answer.confidence <= 1.0, "a confidence is a probability")
        _require(answer.score >= 0.0, "a score is a margin over the runner-up")


def _check_prior(codec: Codec, answers: Sequence[Decoded], task: str) -> None:
    prior = get_task(task).prior_label
    for answer in answers:
        _require(
            answer.prediction == prior and not answer.accepted,
            "without any unit the answer is the prior's and not accepted",
        )


def _check_decode_batches(
    codec: Codec,
    cases: Sequence[ReceivedMessage],
    answers: Sequence[Decoded],
    task: str,
    rung: str,
    rng: random.Random,
) -> None:
    for group in _random_batches(len(cases), rng):
        again = fresh(codec).decode([cases[i] for i in group], task=task, rung=rung)
        for index, answer in zip(group, again, strict=True):
            _require(
                answer == answers[index],
                f"an answer does not depend on its batch: case {index} in {group}: "
                f"{answer} and {answers[index]}",
            )


def _check_order(
    codec: Codec,
    cases: Sequence[ReceivedMessage],
    answers: Sequence[Decoded],
    task: str,
    rung: str,
    rng: random.Random,
) -> None:
    shuffled = []
    for case in cases:
        items = list(case.units.items())
        rng.shuffle(items)
        shuffled.append(ReceivedMessage(case.unit_count, dict(items)))
    again = fresh(codec).decode(shuffled, task=task, rung=rung)
    _require(again == list(answers), "an answer does not depend on the order of arrival")


def _check_garbage(
    codec: Codec, messages: Sequence[EncodedMessage], task: str, rung: str, rng: random.Random
) -> None:
    cases = []
    for message in messages[:6]:
        units = dict(enumerate(message.units))
        number = rng.randrange(len(units))
        unit = units[number]
        for bad in (b"", unit[:-1], unit + b"\0", rng.randbytes(len(unit)), bytes(len(unit))):
            cases.append(ReceivedMessage(len(units), {**units, number: bad}))
        cases.append(ReceivedMessage(len(units), {n: rng.randbytes(9) for n in units}))
        # Delivery as bits: right lengths, wrong bits.
        for rate in (0.002, 0.01, 0.1):
            wrong = {n: _with_errors(data, rate, rng) for n, data in units.items()}
            cases.append(ReceivedMessage(len(units), wrong))
        cases.append(ReceivedMessage(len(units), {**units, len(units) + 3: unit}))
    cases.append(ReceivedMessage(0, {}))
    try:
        _check_answers(codec.decode(cases, task=task, rung=rung), task)
    except CodecError:
        return
    except ConformanceError:
        raise
    except Exception as error:
        raise ConformanceError(f"garbage is an erasure or a CodecError, not {error!r}") from error


def _with_errors(data: bytes, rate: float, rng: random.Random) -> bytes:
    flips = sum((rng.random() < rate) << bit for bit in range(8 * len(data)))
    return (int.from_bytes(data, "little") ^ flips).to_bytes(len(data), "little")


def _check_unknown(codec: Codec, samples: Sequence[Sample], task: str) -> None:
    for name, rung in (("no such task", "default"), (task, "no rung")):
        try:
            codec.encode(samples[:1], task=name, rung=rung)
        except CodecError:
            continue
        raise ConformanceError(f"unknown names are a CodecError: {name}, {rung}")


def _random_batches(count: int, rng: random.Random) -> list[list[int]]:
    """Return batches with every index once in a random order and size, and some indices alone."""
    order = list(range(count))
    rng.shuffle(order)
    batches: list[list[int]] = []
    while order:
        size = rng.randint(1, 9)
        batches.append(order[:size])
        order = order[size:]
    return [*batches, [0], [count - 1], [0] * 3]


def fresh(codec: Codec) -> Codec:
    """Make a codec forget kept results, so that a second call computes again."""
    codec.forget()
    return codec
