# SPDX-License-Identifier: MIT
"""Accuracy, weight bytes and CPU time of smaller versions of the language model.

    python benchmarks/models/ladder.py --task sentiment --samples 300 --out docs/data/ladder.json

Layers at the edge are left out by block influence on training texts; those at the device are put
into 8 bits. One CPU thread; nothing is read from the cache of results.
"""

import argparse
import json
import time
from pathlib import Path

import torch

from models.backbone import load_backbone
from models.codecs.evaluate import evaluate_offline
from models.codecs.llm_token import LlmTokenCodec
from models.codecs.weights import load_weights
from models.compression.variants import block_influence, compress, weight_bytes
from models.tasks import get_task


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--task", default="sentiment")
    parser.add_argument("--samples", type=int, default=300)
    parser.add_argument("--rung", default="d16-int4")
    parser.add_argument("--out", type=Path, default=Path("build/ladder.json"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    task, weights = get_task(options.task), load_weights("llm-token", options.task)
    cut, last = weights.cut, weights.last
    plain = load_backbone()
    influence = block_influence(plain, [s.text for s in task.train[:64]])
    order = sorted(range(cut, last), key=lambda n: influence[n])
    device = tuple(range(cut))
    versions = {
        "bf16": (plain, (), ()),
        "fp32": (load_backbone(precision="float32"), (), ()),
        "int8 at the device": (compress(plain, int8_layers=device), (), device),
    }
    for count in (1, 2, 3):
        drop = tuple(sorted(order[:count]))
        versions[f"without layers {', '.join(map(str, drop))}"] = (
            compress(plain, drop=drop), drop, ()
        )  # fmt: skip
    rows = {}
    for name, (model, drop, int8) in versions.items():
        codec = LlmTokenCodec(on_disk=False, model=model)
        started = time.process_time()
        codec.encode(task.test[: options.samples], task=task.name, rung=options.rung)
        encode_ms = 1e3 * (time.process_time() - started) / options.samples
        started = time.process_time()
        got = evaluate_offline(codec, task.name, options.samples, rung=options.rung)
        edge_ms = 1e3 * (time.process_time() - started) / options.samples
        kept = [n for n in range(cut, last) if n not in drop]
        rows[name] = {
            "accuracy": round(got.accuracy, 4),
            "low": round(got.low, 4),
            "high": round(got.high, 4),
            "n": got.n,
            "device_weight_bytes": weight_bytes(model if not int8 else plain, device, int8),
            "edge_weight_bytes": weight_bytes(model, kept, ()),
            "device_cpu_ms": round(encode_ms, 2),
            "edge_cpu_ms": round(edge_ms, 2),
        }
        print(name, rows[name], flush=True)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    out = {"task": task.name, "rung": options.rung, "block_influence": influence, "versions": rows}
    options.out.write_text(json.dumps(out, indent=2) + "\n")


if __name__ == "__main__":
    main()
