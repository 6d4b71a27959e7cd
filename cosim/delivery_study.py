# SPDX-License-Identifier: MIT
"""Accuracy over SNR of the three delivery modes, at link level, from real models.

python -m cosim.delivery_study --task sentiment --out modes.json
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from cosim.delivery import LinkConfig, Mode, at_snr, send_packet, send_values
from cosim.seeding import generator
from models.codecs import Codec, Decoded, ReceivedMessage, Sample, get_codec
from models.tasks import get_task

MODES: tuple[Mode, ...] = ("packet", "bits", "symbols")
PACKET_BYTES = 112
"""Units of a code block at most: a packet of 128 bytes without its header."""


@dataclass(frozen=True)
class ModePoint:
    """A measured point.

    Attributes:
        codec: name.
        mode: how units travelled.
        snr_db: of the link.
        n: messages.
        correct: right answers.
        accepted: answers that the receiver would act on.
        accepted_correct: right ones of these.
        units: units of a message, on average.
        symbols: complex symbols of a message, on average.
    """

    codec: str
    mode: Mode
    snr_db: float
    n: int
    correct: int
    accepted: int
    accepted_correct: int
    units: float
    symbols: float


def measure_mode(
    codec: Codec,
    samples: Sequence[Sample],
    *,
    task: str,
    rung: str,
    mode: Mode,
    link: LinkConfig,
    seed: int = 1,
) -> ModePoint:
    """Send samples over a link and count what the decoder makes of them.

    Raises:
        ValueError: the codec has no values that could be sent as symbols.
    """
    rng = generator(seed, "delivery", codec.name, mode, f"{link.snr_db:g}")
    answers: list[Decoded]
    symbols = units = 0
    if mode == "symbols":
        if not hasattr(codec, "values"):
            raise ValueError(f"codec {codec.name} sends no values: use mode packet or bits")
        received = []
        for values in codec.values(samples, task=task, rung=rung):
            got = send_values(values, link, rng)
            assert got.values is not None
            received.append(got.values)
            symbols += got.symbols
            units += len(values)
        answers = codec.decode_values(received, task=task)  # type: ignore[attr-defined]
    else:
        messages = []
        for message in codec.encode(samples, task=task, rung=rung):
            there: dict[int, bytes] = {}
            for group in _groups(message.units):
                got = send_packet(
                    [message.units[n] for n in group], link, rng, crc=mode == "packet"
                )
                symbols += got.symbols
                there |= {
                    n: unit for n, unit in zip(group, got.payloads, strict=True) if unit is not None
                }
            units += len(message.units)
            messages.append(ReceivedMessage(len(message.units), there))
        answers = codec.decode(messages, task=task, rung=rung)
    right = [a.prediction == s.label for a, s in zip(answers, samples, strict=True)]
    count = len(samples)
    return ModePoint(
        codec=codec.name,
        mode=mode,
        snr_db=link.snr_db,
        n=count,
        correct=sum(right),
        accepted=sum(a.accepted for a in answers),
        accepted_correct=sum(a.accepted and r for a, r in zip(answers, right, strict=True)),
        units=units / count,
        symbols=symbols / count,
    )


def _groups(units: Sequence[bytes]) -> list[list[int]]:
    """Return which units share a code block."""
    groups: list[list[int]] = []
    used = PACKET_BYTES
    for number, unit in enumerate(units):
        if used + len(unit) > PACKET_BYTES:
            groups.append([])
            used = 0
        groups[-1].append(number)
        used += len(unit)
    return groups


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and write a JSON list of points."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--task", default="sentiment")
    parser.add_argument("--codec", default="llm-multi")
    parser.add_argument("--rung", default="d16-int4")
    parser.add_argument("--mode", choices=MODES, action="append")
    parser.add_argument("--samples", type=int, default=100)
    parser.add_argument("--mcs", type=int, default=4)
    parser.add_argument("--fading", action="store_true")
    parser.add_argument("--snr", type=float, nargs="+", default=list(np.arange(-6.0, 13.0, 3.0)))
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(arguments)
    codec = get_codec(options.codec)
    samples = get_task(options.task).test[: options.samples]
    link = LinkConfig(snr_db=0.0, mcs=options.mcs, fading=options.fading)
    points = [
        measure_mode(
            codec, samples, task=options.task, rung=options.rung, mode=mode,
            link=at_snr(link, float(snr)),
        )
        for mode in options.mode or MODES
        for snr in options.snr
    ]  # fmt: skip
    options.out.write_text(json.dumps([asdict(p) for p in points], indent=1) + "\n")


if __name__ == "__main__":
    main()
