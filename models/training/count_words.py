# SPDX-License-Identifier: MIT
"""Counts what codec "word-units" codes with: tokens, and tokens a word, of the training split.

python -m models.training.count_words --task text-reconstruction

There is nothing random in it. Only counts are written, no text.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import save_file

from models.codecs.weights import SHIPPED
from models.codecs.word_units import MAX_WORD_TOKENS, words_of
from models.tasks import get_task

VOCABULARY = 49_152


def main(arguments: Sequence[str] | None = None) -> None:
    """Count and write the tables."""
    parser = argparse.ArgumentParser(description="Count tokens for codec word-units.")
    parser.add_argument("--task", default="text-reconstruction")
    parser.add_argument("--out", type=Path, default=SHIPPED)
    options = parser.parse_args(arguments)
    task = get_task(options.task)
    tokens = torch.zeros(VOCABULARY, dtype=torch.int32)
    lengths = torch.zeros(MAX_WORD_TOKENS, dtype=torch.int32)
    for sample in task.train:
        for word in words_of(sample.text):
            lengths[len(word) - 1] += 1
            for token in word:
                tokens[token] += 1
    meta = {
        "codec": "word-units",
        "task": task.name,
        "data_hash": task.data_hash,
        "command": f"python -m models.training.count_words --task {task.name}",
    }
    save_file(
        {"tokens": tokens.clamp(max=32_767).short(), "lengths": lengths},
        options.out / f"word-units-{task.name}.safetensors",
        metadata={"semcosim": json.dumps(meta, sort_keys=True)},
    )


if __name__ == "__main__":
    main()
