# SPDX-License-Identifier: MIT
"""Measures a codec's rungs on validation samples, for the controller's choice.

python -m models.codecs.ladder --task sentiment --codec llm-token

Each rung's accuracy is measured with the first quarter, half, three quarters and all of a message's
units, the most important first. The curve never falls: a measured dip is levelled with what lies
before it, as a receiver is free not to use a unit. Test samples are never looked at. The weights'
fingerprint stands beside the rungs: with other weights the ladder is refused.
"""

import argparse
import itertools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from models.codecs.base import Codec, ReceivedMessage
from models.codecs.judging import judge
from models.fingerprint import SHIPPED, weights_fingerprint
from models.tasks import get_task

STEPS = 4
_BATCH = 64


def measure_rung(codec: Codec, task: str, rung: str, samples: int | None) -> dict[str, Any]:
    """Return bytes, units and the accuracy with the first units of a message.

    Args:
        codec: under test.
        task: name of the task.
        rung: operating point.
        samples: validation samples, the first by content hash; None: all.
    """
    chosen = get_task(task).validation[:samples]
    correct, size, units = [0] * (STEPS + 1), 0, 0
    for first in range(0, len(chosen), _BATCH):
        batch = chosen[first : first + _BATCH]
        messages = codec.encode(batch, task=task, rung=rung)
        size += sum(len(unit) for message in messages for unit in message.units)
        units += sum(len(message.units) for message in messages)
        for step in range(STEPS + 1):
            received = []
            for message in messages:
                kept = message.units[: round(step / STEPS * len(message.units))]
                received.append(ReceivedMessage(len(message.units), dict(enumerate(kept))))
            answers = judge(task, batch, codec.decode(received, task=task, rung=rung))
            correct[step] += sum(
                answer.decoded.prediction == sample.label
                for answer, sample in zip(answers, batch, strict=True)
            )
    count = len(chosen)
    return {
        "n": count,
        "bytes_mean": round(size / count, 2),
        "units_mean": round(units / count, 2),
        "curve": [round(c / count, 4) for c in itertools.accumulate(correct, max)],
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure all named rungs and enter them into the file of ladders."""
    from models.codecs.registry import codec_rungs, get_codec

    parser = argparse.ArgumentParser(description="Measure a codec's rungs on validation samples.")
    parser.add_argument("--task", required=True)
    parser.add_argument("--codec", default="llm-token")
    parser.add_argument("--samples", type=int, default=None)
    parser.add_argument("--out", type=Path, default=SHIPPED / "ladders.json")
    options = parser.parse_args(arguments)
    codec = get_codec(options.codec)
    rungs = {}
    for rung in codec_rungs(options.codec):
        if rung != "default":
            rungs[rung] = measure_rung(codec, options.task, rung, options.samples)
            print(options.task, options.codec, rung, rungs[rung], flush=True)
    known = json.loads(options.out.read_text()) if options.out.is_file() else {}
    entry = {
        "codec": codec.fingerprint,
        "weights": weights_fingerprint(options.codec, options.task),
        "rungs": rungs,
    }
    known.setdefault(options.task, {})[options.codec] = entry
    options.out.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
