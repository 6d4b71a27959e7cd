# SPDX-License-Identifier: MIT
"""Trains codec "picture-units": an autoencoder whose maps are nested, under unit dropout.

python -m models.training.train_pictures --task picture-reconstruction

A step draws for each picture which maps arrive: all, the first k (O. Rippel, M. Gelbart, R. Adams,
"Learning ordered representations with nested dropout", ICML 2014), or each by itself with a drawn
probability. Rounding is stood for by uniform noise (J. Ballé et al., "End-to-end optimized image
compression", ICLR 2017); a small price on log2(1 + |level|) keeps levels cheap to code. The levels'
frequencies over training pictures, by map, ship with the weights: they are the coder's tables.
The learning rate falls with the steps, never with the clock: on one machine the same command gives
the same bytes.
"""

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from models.codecs.picture_net import LARGEST, MAPS, PictureDecoder, PictureEncoder
from models.codecs.picture_units import load_ends
from models.codecs.weights import SHIPPED, load_weights
from models.tasks import Sample, get_task

_BATCH = 32
_RATE = 2e-3
_PRICE = 2e-5
"""MSE (of pixels in 0 to 1) that one bit of a level's size is worth, unless asked otherwise."""


def pixels_of(samples: Sequence[Sample]) -> Tensor:
    """Return pictures in 0 to 1, shape [n, 3, h, w]."""
    rows = []
    for sample in samples:
        assert sample.picture is not None
        flat = np.frombuffer(sample.picture.pixels, np.uint8)
        rows.append(flat.reshape(sample.picture.height, sample.picture.width, 3))
    return torch.from_numpy(np.stack(rows)).permute(0, 3, 1, 2).float() / 255


def arrivals(count: int, generator: torch.Generator, singly: float) -> Tensor:
    """Return which maps arrive, shape [count, MAPS], 1 or 0; `singly`: share of the third kind."""
    kind = torch.rand(count, 1, generator=generator)
    first = torch.randint(1, MAPS + 1, (count, 1), generator=generator)
    nested = (torch.arange(MAPS) < first).float()
    share = torch.rand(count, 1, generator=generator)
    single = (torch.rand(count, MAPS, generator=generator) < share).float()
    return torch.where(
        kind < singly,
        single,
        torch.where(kind < singly + 0.35, nested, torch.ones(count, MAPS)),
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, write the weights and print validation PSNR over the maps kept."""
    parser = argparse.ArgumentParser(description="Train codec picture-units.")
    parser.add_argument("--task", default="picture-reconstruction")
    parser.add_argument("--steps", type=int, default=8000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--price", type=float, default=_PRICE)
    parser.add_argument("--singly", type=float, default=0.35)
    parser.add_argument("--go-on", action="store_true", help="from the weights that are there")
    parser.add_argument("--out", type=Path, default=SHIPPED)
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    torch.manual_seed(options.seed)
    generator = torch.Generator().manual_seed(options.seed)
    task = get_task(options.task)
    train, validation = pixels_of(task.train), pixels_of(task.validation[:200])
    encoder, decoder = PictureEncoder(), PictureDecoder()
    before = ""
    if options.go_on:
        known = load_weights("picture-units", task.name, options.out)
        before = f"{known.meta['command']} && "
        load_ends(known, encoder, decoder)
    weights = [*encoder.parameters(), *decoder.parameters()]
    optimiser = torch.optim.Adam(weights, _RATE)
    started = time.monotonic()
    for step in range(options.steps):
        progress = step / options.steps
        for part in optimiser.param_groups:
            part["lr"] = _RATE * (1 - progress) + 2e-5
        batch = train[torch.randint(len(train), (_BATCH,), generator=generator)]
        levels = encoder(batch)
        noisy = levels + torch.rand(levels.shape, generator=generator) - 0.5
        back = decoder(noisy, arrivals(_BATCH, generator, options.singly))
        size = torch.log2(1 + levels.abs()).mean()
        loss = (back - batch).square().mean() + options.price * size
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimiser.step()
        if (step + 1) % 200 == 0:
            spent = time.monotonic() - started
            print(f"{spent:.0f} s, step {step + 1}: {float(loss.detach()):.5f}", flush=True)
    with torch.no_grad():
        counts = np.zeros((MAPS, 2 * LARGEST + 1), np.int64)
        for first in range(0, len(train), 64):
            rows = encoder(train[first : first + 64]).round().long() + LARGEST
            for number in range(MAPS):
                counts[number] += np.bincount(rows[:, number].flatten(), minlength=len(counts[0]))
        levels = encoder(validation).round()
        reached = {}
        for kept in (1, 2, 4, 8, 12, 16):
            there = (torch.arange(MAPS) < kept).float().expand(len(levels), -1)
            error = (decoder(levels, there).clamp(0, 1) - validation).square().mean((1, 2, 3))
            reached[str(kept)] = round(float((-10 * error.log10()).mean()), 3)
    print(reached, flush=True)
    meta = {
        "codec": "picture-units",
        "task": task.name,
        "data_hash": task.data_hash,
        "command": f"{before}python -m models.training.train_pictures --task {task.name} "
        f"--seed {options.seed} --steps {options.steps} "
        f"--price {options.price:g} --singly {options.singly:g}"
        + (" --go-on" if options.go_on else ""),
        "seed": options.seed,
        "steps": options.steps,
        "width": int(train.shape[3]),
        "height": int(train.shape[2]),
        "validation_psnr_db_of_first_maps": reached,
    }
    tensors = {f"encoder.{n}": v.half().contiguous() for n, v in encoder.state_dict().items()}
    tensors |= {f"decoder.{n}": v.half().contiguous() for n, v in decoder.state_dict().items()}
    tensors["counts"] = torch.from_numpy(counts)
    save_file(
        tensors,
        options.out / f"picture-units-{task.name}.safetensors",
        metadata={"semcosim": json.dumps(meta, sort_keys=True)},
    )


if __name__ == "__main__":
    main()
