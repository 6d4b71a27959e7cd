# SPDX-License-Identifier: MIT
"""Each version of the device's layers, measured: accuracy, bytes, operations, traffic, CPU time.

python benchmarks/models/compression_rungs.py --samples 400 --out models/weights/compression.json

Rungs d8-int4 and d16-int4 of sentiment and topic, in 32-bit floats where not in 8 bits. What needs
packages of the extra `device` (torchao, LiteRT and a file of it) is left out without them, and that
is said. Operations and traffic are means over the samples. Times are of one thread, sentence by
sentence in turns, medians; compare them within a run.
"""

import argparse
import dataclasses
import json
import statistics
import time
from pathlib import Path

import torch

from models.backbone import load_backbone
from models.codecs import CodecError
from models.codecs.evaluate import evaluate_offline
from models.codecs.llm_token import LlmTokenCodec
from models.codecs.weights import load_weights
from models.compression.device_models import device_model
from models.compression.variants import compress, weight_bytes
from models.tasks import get_task

CUT = 4
RUNGS = ("d8-int4", "d16-int4")
TASKS = ("sentiment", "topic")
WIDTH = 0.6
VERSIONS = {"fp32": "", "int8, torchao": "w8", "one layer less": "drop", "student": "student",
            "student, LiteRT int8": "litert"}  # fmt: skip


def rung_of(rung, version):
    return f"{rung}-{version}" if version else rung


def narrow(backbone):
    """Return the model with narrow layers at the device, its geometry said so."""
    small = compress(backbone, narrow=dict.fromkeys(range(CUT), WIDTH))
    held = weight_bytes(small, range(CUT), [])
    per_layer = held // CUT // backbone.geometry.bytes_per_weight
    small.geometry = dataclasses.replace(backbone.geometry, parameters_per_layer=per_layer)
    return small


def device_bytes(backbone, version, weights):
    """Return the bytes of matrices that the device holds, bottleneck and importance with them."""
    ends = 4 * (weights.tensors["encoder"].numel() + backbone.geometry.hidden)
    made = device_model(backbone, version, CUT, task="sentiment", weights=weights.fingerprint)
    if made.file:
        return made.file.size
    own = made.layers * backbone.geometry.parameters_per_layer * backbone.geometry.bytes_per_weight
    return (made.weight_bytes or own) + 4 * made.matrix + ends


def cpu_ms(codec, rung, samples):
    """Return milliseconds of CPU time that each sample takes alone, results not kept."""
    spent = []
    for sample in samples:
        codec.forget()
        started = time.process_time()
        codec.encode([sample], task="sentiment", rung=rung)
        spent.append(1e3 * (time.process_time() - started))
    codec.forget()
    return spent


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=400)
    parser.add_argument("--timed", type=int, default=16, help="sentences of a turn")
    parser.add_argument("--turns", type=int, default=3, help="0: no times")
    parser.add_argument(
        "--only", action="append", help="measure the accuracy of this; again for more"
    )
    parser.add_argument("--out", type=Path, default=Path("build/rungs.json"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    backbone = load_backbone(precision="float32")
    plain = LlmTokenCodec(on_disk=False, model=backbone)
    slim = LlmTokenCodec(on_disk=False, model=narrow(backbone))
    ways = {name: (plain, version) for name, version in VERSIONS.items()}
    ways[f"width {WIDTH:g}"] = (slim, "")
    weights = load_weights("llm-token", "sentiment")
    timed = get_task("sentiment").test[: options.timed]
    rows, times = {}, {}
    for name, (codec, version) in ways.items():
        try:
            codec.encode(timed, task="sentiment", rung=rung_of(RUNGS[0], version))  # warm
        except CodecError as error:
            print(f"{name} left out: {error}", flush=True)
            continue
        times[name] = []
        rows[name] = {"device_bytes": device_bytes(codec._model, version, weights)}
    for _ in range(options.turns):
        for name, spent in times.items():
            codec, version = ways[name]
            spent += cpu_ms(codec, rung_of(RUNGS[0], version), timed)
    for name, row in rows.items():
        codec, version = ways[name]
        if times[name]:
            row["cpu_ms"] = round(statistics.median(times[name]), 2)
            row["cpu_ratio"] = round(row["cpu_ms"] / statistics.median(times["fp32"]), 3)
        if options.only and name not in options.only:
            print(name, row, flush=True)
            continue
        for task in TASKS:
            samples = get_task(task).test[: options.samples]
            messages = codec.encode(samples, task=task, rung=rung_of(RUNGS[0], version))
            row[task] = {
                "operations": round(statistics.fmean(m.operations for m in messages)),
                "memory_bytes": round(statistics.fmean(m.memory_bytes for m in messages)),
            }
            for rung in RUNGS:
                got = evaluate_offline(codec, task, options.samples, rung=rung_of(rung, version))
                row[task][rung] = {
                    "n": got.n,
                    "accuracy": round(got.accuracy, 4),
                    "low": round(got.low, 4),
                    "high": round(got.high, 4),
                }
            codec.forget()
        print(name, row, flush=True)
    options.out.write_text(json.dumps({"codec": "llm-token", "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
