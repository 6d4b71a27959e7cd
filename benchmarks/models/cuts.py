# SPDX-License-Identifier: MIT
"""What the place of the cut costs: work and memory at both ends, and accuracy.

    python benchmarks/models/cuts.py --cuts 1 2 4 6 8
    python benchmarks/models/cuts.py --weights FOLDER... --samples 400

The first command needs no weights: operations and traffic of an average test message follow from
the model's sizes, as a run charges them to the devices. The second measures accuracy, too. Each
folder has weights of codec "llm-token" that were trained for a cut of its own:

    python -m models.training.train_llm_token --task sentiment --cut 2 --out FOLDER
"""

import argparse
import json
from pathlib import Path

import torch

from models.backbone import Backbone, load_backbone
from models.codecs.evaluate import evaluate_offline
from models.codecs.llm_token import MAX_TOKENS, LlmTokenCodec
from models.codecs.quantiser import MAX_DIMENSIONS
from models.codecs.weights import load_weights
from models.tasks import get_task


def costs(model: Backbone, texts: list[str], cut: int, last: int) -> dict[str, float]:
    """Return means over texts: floating-point operations, bytes of traffic and of the layers."""
    geometry = model.geometry
    matrix = (MAX_DIMENSIONS + 1) * geometry.hidden  # the bottleneck and the importance
    tokens = [len(model.tokenizer.encode_some(text, MAX_TOKENS)) for text in texts]
    device = [geometry.cost(count, cut) for count in tokens]
    edge = [geometry.cost(count, last - cut) for count in tokens]
    per_layer = geometry.parameters_per_layer * geometry.bytes_per_weight
    count, total = len(texts), sum(tokens)
    return {
        "device_operations": (sum(o for o, _ in device) + 2.0 * total * matrix) / count,
        "device_traffic_bytes": sum(t for _, t in device) / count + 4.0 * matrix,
        "device_layers_bytes": cut * per_layer,
        "edge_operations": sum(o for o, _ in edge) / count
        + 2.0 * total / count * MAX_DIMENSIONS * geometry.hidden,
        "edge_layers_bytes": (last - cut) * per_layer,
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--cuts", type=int, nargs="+", default=[])
    parser.add_argument("--last", type=int, default=12)
    parser.add_argument("--weights", type=Path, nargs="+", default=[])
    parser.add_argument("--task", default="sentiment")
    parser.add_argument("--samples", type=int, default=400)
    parser.add_argument("--rung", default="d16-int4")
    parser.add_argument("--lost", type=float, nargs="+", default=[0.0, 0.5])
    options = parser.parse_args()
    torch.set_num_threads(1)
    texts = [sample.text for sample in get_task(options.task).test[: options.samples]]
    for cut in options.cuts:
        row = {"cut": cut, "n": len(texts)}
        print(json.dumps(row | costs(load_backbone(), texts, cut, options.last)), flush=True)
    for folder in options.weights:
        codec = LlmTokenCodec(folder=folder, on_disk=False)
        weights = load_weights(codec.name, options.task, folder)
        found = {"cut": weights.cut, "last": weights.last, "backbone": weights.meta["backbone"]}
        found |= costs(codec._model, texts, weights.cut, weights.last)
        for share in options.lost:
            got = evaluate_offline(
                codec, options.task, len(texts), rung=options.rung, lost_share=share
            )
            found[f"lost {share}"] = [round(v, 4) for v in (got.accuracy, got.low, got.high)]
            found["bytes"] = round(got.bytes_mean, 1)
        print(json.dumps(found | {"n": len(texts)}), flush=True)


if __name__ == "__main__":
    main()
