# SPDX-License-Identifier: MIT
"""Count levels and positions of training samples for the entropy coder of codec "llm-multi".

python -m models.training.count_levels
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from models.codecs.llm_multi import LlmMultiCodec
from models.codecs.multi_edge import FREQUENCIES
from models.codecs.quantiser import MAX_DIMENSIONS, STEPS, nearest, quantise
from models.codecs.unit_coder import POSITIONS
from models.codecs.weights import SHIPPED
from models.tasks import get_task
from models.vision.efficientnet import POSITIONS as PICTURE


def counted(levels: Tensor, size: int) -> Tensor:
    """Return how often each level stands in each column, shape [columns, size]."""
    return torch.stack([torch.bincount(column, minlength=size) for column in levels.T])


def main(arguments: Sequence[str] | None = None) -> None:
    """Write models/weights/llm-multi-frequencies.safetensors."""
    parser = argparse.ArgumentParser(description="Count levels and positions.")
    parser.add_argument("--out", type=Path, default=SHIPPED)
    parser.add_argument("--samples", type=int, default=150)
    options = parser.parse_args(arguments)
    codec = LlmMultiCodec(on_disk=False)
    rows: dict[str, list[Tensor]] = {"vision": [], "text": []}
    out: dict[str, Tensor] = {}
    for name in codec._ends.weights.meta["tasks"]:
        task = get_task(name)
        seen = PICTURE if task.modality != "text" else 0
        places = torch.zeros(POSITIONS, dtype=torch.long)
        for first in range(0, options.samples, 32):
            batch = task.train[first : min(first + 32, options.samples)]
            for values in codec.values(batch, task=name, rung=f"d{MAX_DIMENSIONS}-int8"):
                places[: len(values)] += 1
                rows["vision"].append(torch.from_numpy(values[:seen]).float())
                rows["text"].append(torch.from_numpy(values[seen:]).float())
        # A longer text than any of these may come.
        out[f"{name}.positions"] = places + 1
    books = codec._ends.codebooks
    for kind, parts in rows.items():
        points = torch.cat(parts)
        for bits in STEPS:
            out[f"{kind}.int{bits}"] = counted(quantise(points, bits), 1 << bits)
        out[f"{kind}.vq"] = counted(nearest(points, books[kind]), books[kind].shape[1])
        print(f"{kind}: {len(points)} rows", flush=True)
    meta = {
        "command": f"python -m models.training.count_levels --samples {options.samples}",
        "weights": codec._ends.weights.fingerprint,
    }
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / f"{FREQUENCIES}.safetensors"
    save_file(
        {name: value.to(torch.int32).contiguous() for name, value in out.items()},
        path,
        metadata={"semcosim": json.dumps(meta, sort_keys=True)},
    )
    path.chmod(0o644)


if __name__ == "__main__":
    main()
