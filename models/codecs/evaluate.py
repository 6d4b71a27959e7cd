# SPDX-License-Identifier: MIT
"""Measured accuracy of a codec on test samples, without a network: whole or with units lost.

python -m models.codecs.evaluate --task sentiment
python -m models.codecs.evaluate --task sentiment --weights FOLDER --out FOLDER  # of one's own
"""

import argparse
import json
import math
import random
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from models.codecs.base import Codec, CodecError, EncodedMessage, ReceivedMessage
from models.codecs.judging import judge
from models.codecs.weights import SHIPPED
from models.tasks import get_task

LOST_SHARES = (0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0)
_BATCH = 64
_Z95 = 1.959964


@dataclass(frozen=True)
class Accuracy:
    """A measured share with its 95 % interval.

    Attributes:
        n: samples.
        correct: right predictions.
        accuracy: their share.
        low: lower end of the Wilson score interval.
        high: upper end.
        accepted: answers that the receiver would act on.
        accepted_correct: right ones of these.
        bytes_mean: bytes of a message's units as sent, on average.
        units_mean: units of a message as sent, on average.
    """

    n: int
    correct: int
    accuracy: float
    low: float
    high: float
    accepted: int
    accepted_correct: int
    bytes_mean: float
    units_mean: float


def wilson(correct: int, n: int) -> tuple[float, float]:
    """Return the 95 % interval of a share (E. B. Wilson, J. Am. Stat. Assoc. 22, 1927)."""
    share, z2 = correct / n, _Z95**2
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = _Z95 * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return max(0.0, centre - half), min(1.0, centre + half)


def evaluate_offline(
    codec: Codec,
    task: str,
    n: int | None = None,
    *,
    rung: str = "default",
    lost_share: float = 0.0,
    budget_bytes: int | None = None,
    seed: int = 1,
) -> Accuracy:
    """Encode test samples, lose units independently, decode, and count.

    Args:
        codec: under test.
        task: name of the task.
        n: test samples, the first by content hash; None: all.
        rung: operating point.
        lost_share: probability that a unit is lost.
        budget_bytes: passed to `encode`.
        seed: of the loss.
    """
    samples = get_task(task).test[:n]
    rng = random.Random(seed)
    correct = accepted = accepted_correct = size = units = 0
    for first in range(0, len(samples), _BATCH):
        batch = samples[first : first + _BATCH]
        messages = codec.encode(batch, task=task, rung=rung, budget_bytes=budget_bytes)
        received = [_lose(message, lost_share, rng) for message in messages]
        answers = codec.decode(received, task=task, rung=rung)
        for sample, message, judged in zip(
            batch, messages, judge(task, batch, answers), strict=True
        ):
            answer = judged.decoded
            right = answer.prediction == sample.label
            correct += right
            accepted += answer.accepted
            accepted_correct += answer.accepted and right
            size += sum(map(len, message.units))
            units += len(message.units)
    count = len(samples)
    return Accuracy(
        count,
        correct,
        correct / count,
        *wilson(correct, count),
        accepted,
        accepted_correct,
        size / count,
        units / count,
    )


def _lose(message: EncodedMessage, share: float, rng: random.Random) -> ReceivedMessage:
    kept = {n: unit for n, unit in enumerate(message.units) if rng.random() >= share}
    return ReceivedMessage(len(message.units), kept)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure all codecs that can do a task and write models/weights/TASK.json."""
    from models.codecs.registry import (
        codec_names,
        codec_rungs,
        codec_tasks,
        get_codec,
        own_weights,
    )

    parser = argparse.ArgumentParser(description="Measure accuracy over lost units.")
    parser.add_argument("--task", required=True)
    parser.add_argument("--samples", type=int, default=None)
    parser.add_argument("--rung-samples", type=int, default=None)
    parser.add_argument("--out", type=Path, default=SHIPPED)
    parser.add_argument(
        "--codec", action="append", help="measure only these; the file keeps what it has of others"
    )
    parser.add_argument(
        "--weights", type=Path, help="folder with weights of your own, for the codecs that have any"
    )
    parser.add_argument("--backbone", help="where their language model is now, if it has moved")
    options = parser.parse_args(arguments)
    own = options.weights
    if options.backbone and not own:
        parser.error("--backbone: only with --weights")
    if own and options.out.resolve() == SHIPPED:
        parser.error("--out: a folder of your own for figures of --weights")
    if own and not any(own_weights(name, own) for name in codec_names()):
        parser.error(f"--weights {own}: there is no CODEC-TASK.safetensors in it")
    task = get_task(options.task)
    out: dict[str, Any] = {
        "task": task.name,
        "data_hash": task.data_hash,
        "prior_label": task.labels[task.prior_label],
        "prior_accuracy_test": task.prior_accuracy,
        "interval": "95 % Wilson",
        "codecs": {},
    }
    known = options.out / f"{task.name}.json"
    if options.codec and known.is_file():
        out["codecs"] = json.loads(known.read_text())["codecs"]
    for name in options.codec or codec_names():
        able = own_weights(name, own) if own else codec_tasks(name)
        if able is not None and task.name not in able:
            continue
        codec = get_codec(name, folder=own, backbone=options.backbone)
        entry: dict[str, Any] = {"fingerprint": codec.fingerprint, "lost_share": {}, "rungs": {}}
        for share in LOST_SHARES:
            got = evaluate_offline(codec, task.name, options.samples, lost_share=share)
            entry["lost_share"][str(share)] = _rounded(got)
            print(f"{task.name} {name} lost {share}: {got.accuracy:.4f}", file=sys.stderr)
        for rung in codec_rungs(name):
            try:
                got = evaluate_offline(codec, task.name, options.rung_samples, rung=rung)
            except CodecError as error:
                if not own:
                    raise
                # a device model of another language model
                print(f"{task.name} {name} {rung}: left out: {error}", file=sys.stderr)
                continue
            entry["rungs"][rung] = _rounded(got)
            print(
                f"{task.name} {name} {rung}: {got.accuracy:.4f}, {got.bytes_mean:.0f} bytes",
                file=sys.stderr,
            )
        out["codecs"][name] = entry
    (options.out / f"{task.name}.json").write_text(json.dumps(out, indent=2) + "\n")


def _rounded(got: Accuracy) -> dict[str, float]:
    return {k: round(v, 4) for k, v in asdict(got).items()}


if __name__ == "__main__":
    main()
