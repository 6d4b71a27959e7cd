# SPDX-License-Identifier: MIT
"""Each rung of the device's compression ladder, measured: accuracy, bytes, operations, CPU time.

python benchmarks/models/compression_rungs.py --samples 200 --out models/weights/compression.json
"""

import argparse
import json
import time
from pathlib import Path

import torch

from models.backbone import load_backbone
from models.codecs.evaluate import evaluate_offline
from models.codecs.llm_token import LlmTokenCodec
from models.compression.variants import block_influence, compress, linear_student, weight_bytes
from models.tasks import get_task

CUT = 4


def variants(backbone, texts):
    """Yield name, model, layers that the device holds, and those in 8 bits."""
    influence = block_influence(backbone, texts[:100])
    device = range(CUT)
    weakest = min(device, key=lambda n: influence[n])
    every = list(device)
    yield "fp32", compress(backbone), every, []
    yield "int8", compress(backbone, int8_layers=every), every, every
    yield (
        f"drop layer {weakest}",
        compress(backbone, drop=[weakest]),
        [n for n in every if n != weakest],
        [],
    )
    narrow = dict.fromkeys(device, 0.6)
    yield "width 0.6", compress(backbone, narrow=narrow), every, []
    student = linear_student(backbone, 2, CUT, texts)
    yield "student 2+1", compress(backbone, drop=[2, 3], maps={2: student}), [0, 1], []


def cpu_ms(codec, samples, batch):
    """Return milliseconds of CPU time a sample for encoding, results not kept."""
    codec.encode(samples[:batch], task="sentiment", rung="d8-int4")  # warm
    codec.forget()
    started = time.process_time()
    for first in range(0, len(samples), batch):
        codec.encode(samples[first : first + batch], task="sentiment", rung="d8-int4")
    spent = time.process_time() - started
    codec.forget()
    return 1e3 * spent / len(samples)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=200)
    parser.add_argument("--timed", type=int, default=32)
    parser.add_argument("--out", type=Path, default=Path("build/rungs.json"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    task = get_task("sentiment")
    backbone = load_backbone(precision="float32")
    rows = []
    for name, model, layers, eight in variants(backbone, [s.text for s in task.train[:300]]):
        codec = LlmTokenCodec(on_disk=False, model=model)
        got = evaluate_offline(codec, "sentiment", options.samples, rung="d8-int4")
        codec.forget()
        size = weight_bytes(model, layers, eight)
        if name.startswith("student"):
            size += 4 * model.geometry.hidden * (model.geometry.hidden + 1)
        rows.append(
            {
                "rung": name,
                "n": got.n,
                "accuracy": round(got.accuracy, 4),
                "low": round(got.low, 4),
                "high": round(got.high, 4),
                "device_weight_bytes": size,
                "cpu_ms_alone": round(cpu_ms(codec, task.test[: options.timed], 1), 2),
                "cpu_ms_batched": round(cpu_ms(codec, task.test[: options.timed], 32), 2),
            }
        )
        print(rows[-1], flush=True)
    options.out.write_text(
        json.dumps({"task": "sentiment", "codec": "llm-token", "rung": "d8-int4", "rows": rows},
                   indent=1) + "\n"
    )  # fmt: skip


if __name__ == "__main__":
    main()
