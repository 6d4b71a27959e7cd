# SPDX-License-Identifier: MIT
"""What the place of the cut costs: accuracy, and work and memory at both ends.

    python benchmarks/models/cuts.py FOLDER... --samples 400

Each folder has weights of codec "llm-token" that were trained for a cut of its own:

    python -m models.training.train_llm_token --task sentiment --cut 2 --out FOLDER

Operations and traffic are of an average test message, as a run charges them to the devices.
"""

import argparse
import json
from pathlib import Path

import torch

from models.codecs.evaluate import evaluate_offline
from models.codecs.llm_token import LlmTokenCodec
from models.codecs.weights import load_weights
from models.tasks import get_task


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--task", default="sentiment")
    parser.add_argument("--samples", type=int, default=400)
    parser.add_argument("--rung", default="d16-int4")
    parser.add_argument("--lost", type=float, nargs="+", default=[0.0, 0.5])
    options = parser.parse_args()
    torch.set_num_threads(1)
    samples = get_task(options.task).test[: options.samples]
    for folder in options.folders:
        codec = LlmTokenCodec(folder=folder, on_disk=False)
        weights = load_weights(codec.name, options.task, folder)
        messages = codec.encode(samples, task=options.task, rung=options.rung)
        edge = [codec.decode_cost(m, task=options.task, rung=options.rung) for m in messages]
        geometry = codec._model.geometry
        layer_bytes = geometry.parameters_per_layer * geometry.bytes_per_weight
        row: dict[str, object] = {
            "backbone": weights.meta["backbone"],
            "cut": weights.cut,
            "last": weights.last,
            "n": len(samples),
            "device_operations": sum(m.operations for m in messages) / len(messages),
            "device_traffic_bytes": sum(m.memory_bytes for m in messages) / len(messages),
            "device_layers_bytes": weights.cut * layer_bytes,
            "edge_operations": sum(operations for operations, _ in edge) / len(edge),
            "edge_layers_bytes": (weights.last - weights.cut) * layer_bytes,
        }
        for share in options.lost:
            got = evaluate_offline(
                codec, options.task, len(samples), rung=options.rung, lost_share=share
            )
            row[f"lost {share}"] = [round(v, 4) for v in (got.accuracy, got.low, got.high)]
            row["bytes"] = round(got.bytes_mean, 1)
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
