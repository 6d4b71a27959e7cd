# SPDX-License-Identifier: MIT
"""Prints the tables of docs/semantics.md on reconstruction: fidelity over bytes and lost units.

python scripts/reconstruction_figures.py --samples 200
python scripts/reconstruction_figures.py --only photos
"""

import argparse
import random
import statistics
from collections.abc import Callable, Mapping

from models.codecs import Codec, EncodedMessage, ReceivedMessage, get_codec
from models.codecs.judging import judge
from models.tasks import get_task

Choice = Callable[[EncodedMessage, random.Random], dict[int, bytes]]


def measure(
    codec: Codec, task: str, rung: str, samples: int, choice: Choice
) -> Mapping[str, float]:
    """Return bytes, units, the share of good answers and mean fidelity over test samples."""
    chosen, rng = get_task(task).test[:samples], random.Random(1)
    messages = codec.encode(chosen, task=task, rung=rung)
    received = [ReceivedMessage(len(m.units), choice(m, rng)) for m in messages]
    judged = judge(task, chosen, codec.decode(received, task=task, rung=rung))
    good = [j.decoded.prediction == s.label for j, s in zip(judged, chosen, strict=True)]
    means = {name: statistics.mean(j.measures[name] for j in judged) for name in judged[0].measures}
    return {
        "bytes": statistics.mean(sum(map(len, m.units)) for m in messages),
        "units": statistics.mean(len(m.units) for m in messages),
        "good": statistics.mean(good),
        **means,
    }


def lost(share: float) -> Choice:
    """Return a choice that loses each unit with a probability."""
    return lambda m, rng: {n: u for n, u in enumerate(m.units) if rng.random() >= share}


def first(share: float) -> Choice:
    """Return a choice that keeps the first units."""
    return lambda m, rng: dict(enumerate(m.units[: round(share * len(m.units))]))


def row(*cells: object) -> None:
    """Print a row of a Markdown table."""
    print("| " + " | ".join(f"{c:.3f}" if isinstance(c, float) else str(c) for c in cells) + " |")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=200)
    parser.add_argument("--only", choices=("pictures", "photos", "texts"))
    options = parser.parse_args()
    n = options.samples
    for what, task, quality in (
        ("pictures", "picture-reconstruction", "q50"),
        ("photos", "image-reconstruction", "q10"),
    ):
        if options.only not in (None, what):
            continue
        for name in ("picture-units", "webp-file", "jpeg-file", "avif-file"):
            codec = get_codec(name)
            for rung in codec.rungs[1:]:
                got = measure(codec, task, rung, n, lost(0.0))
                row(name, rung, got["bytes"], got["psnr_db"], got["ms_ssim"], got["good"])
        for name, rung in (
            ("picture-units", "u16"),
            ("webp-file", quality),
            ("jpeg-file", quality),
        ):
            for share in (0.0, 0.1, 0.3, 0.5, 0.7, 1.0):
                got = measure(get_codec(name), task, rung, n, lost(share))
                row(name, rung, f"lost {share}", got["psnr_db"], got["ms_ssim"], got["units"])
    if options.only in (None, "texts"):
        task = "text-reconstruction"
        for name, rung in (
            ("word-units", "w1"), ("word-units", "w2"), ("word-units", "w4"), ("word-units", "w8"),
            ("word-units", "w2-fixed"), ("zstd-file", "default"),
        ):  # fmt: skip
            got = measure(get_codec(name), task, rung, n, lost(0.0))
            row(name, rung, got["bytes"], got["units"], got["similarity"])
        for name, rung in (("word-units", "w2"), ("word-units", "w2-flat")):
            for share in (0.0, 0.125, 0.25, 0.5, 0.75, 1.0):
                got = measure(get_codec(name), task, rung, n, first(share))
                row(name, rung, f"first {share}", got["similarity"], got["good"])
        for name, rung in (("word-units", "w2"), ("zstd-file", "default")):
            for share in (0.1, 0.3, 0.5, 0.7):
                got = measure(get_codec(name), task, rung, n, lost(share))
                row(name, rung, f"lost {share}", got["similarity"], got["good"])


if __name__ == "__main__":
    main()
