# SPDX-License-Identifier: MIT
"""Learn the codebooks of codec "llm-multi": product vector quantisation of its values.

    python -m models.training.train_codebooks

Values are taken four at a time; each group has 256 entries, found by Lloyd's algorithm (k-means) on
training samples, separately for picture positions and for tokens (H. Jégou et al., "Product
quantization", IEEE TPAMI 33(1), 2011).
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from models.codecs.llm_multi import LlmMultiCodec
from models.codecs.multi_edge import CODEBOOKS
from models.codecs.quantiser import GROUP, MAX_DIMENSIONS
from models.codecs.weights import SHIPPED
from models.tasks import get_task
from models.vision.efficientnet import POSITIONS

ENTRIES = 256
SEED = 1


def lloyd(points: Tensor, generator: torch.Generator, rounds: int = 20) -> Tensor:
    """Return `ENTRIES` centres of points, shape [entries, GROUP]."""
    centres = points[torch.randperm(len(points), generator=generator)[:ENTRIES]].clone()
    for _ in range(rounds):
        mine = torch.cdist(points, centres).argmin(1)
        count = torch.bincount(mine, minlength=ENTRIES).clamp_min(1)
        sums = torch.zeros_like(centres).index_add_(0, mine, points)
        # a centre without points stays where it is
        used = torch.bincount(mine, minlength=ENTRIES) > 0
        centres[used] = sums[used] / count[used, None]
    return centres


def main(arguments: Sequence[str] | None = None) -> None:
    """Write models/weights/llm-multi-codebooks.safetensors."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, default=SHIPPED)
    parser.add_argument("--samples", type=int, default=150)
    options = parser.parse_args(arguments)
    torch.manual_seed(SEED)
    generator = torch.Generator().manual_seed(SEED)
    codec = LlmMultiCodec(on_disk=False)
    rows: dict[str, list[Tensor]] = {"vision": [], "text": []}
    for name in codec._ends.weights.meta["tasks"]:
        task = get_task(name)
        seen = POSITIONS if task.modality != "text" else 0
        for first in range(0, options.samples, 32):
            batch = task.train[first : min(first + 32, options.samples)]
            for values in codec.values(batch, task=name, rung=f"d{MAX_DIMENSIONS}-int8"):
                rows["vision"].append(torch.from_numpy(values[:seen]).float())
                rows["text"].append(torch.from_numpy(values[seen:]).float())
    tensors = {}
    for kind, parts in rows.items():
        points = torch.cat(parts)
        groups = range(0, MAX_DIMENSIONS, GROUP)
        books = torch.stack([lloyd(points[:, g : g + GROUP], generator) for g in groups])
        tensors[kind] = books.to(torch.bfloat16).contiguous()
        print(f"{kind}: {len(points)} rows", flush=True)
    meta = {
        "command": f"python -m models.training.train_codebooks --samples {options.samples}",
        "weights": codec._ends.weights.fingerprint,
        "seed": SEED,
    }
    save_file(
        tensors,
        options.out / f"{CODEBOOKS}.safetensors",
        metadata={"semcosim": json.dumps(meta, sort_keys=True)},
    )


if __name__ == "__main__":
    main()
