# SPDX-License-Identifier: MIT
"""Distil the device's student: one linear map for the last layers before the cut.

    python -m models.training.distil_student

Closed form (`models.compression.variants.linear_student`), so nothing in it is random; training
texts of both text tasks, never validation or test texts. The same texts say which of the device's
layers has the least block influence, for device model "drop".
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import save_file

from models.backbone import load_backbone
from models.compression.device_models import STUDENT
from models.compression.variants import block_influence, linear_student
from models.tasks import get_task

TASKS = ("sentiment", "topic")


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the student's file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--texts", type=int, default=600, help="of each task")
    parser.add_argument("--first", type=int, default=2, help="layers that stay")
    parser.add_argument("--last", type=int, default=4, help="the cut")
    parser.add_argument("--out", type=Path, default=STUDENT)
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    backbone = load_backbone(layers=options.last, precision="float32")
    tasks = [get_task(name) for name in TASKS]
    texts = [s.text for task in tasks for s in task.train[: options.texts]]
    influence = block_influence(backbone, texts)
    student = linear_student(backbone, options.first, options.last, texts)
    meta = {
        "command": "python -m models.training.distil_student"
        f" --texts {options.texts} --first {options.first} --last {options.last}",
        "backbone": backbone.name,
        "backbone_fingerprint": backbone.fingerprint,
        "data_hashes": {task.name: task.data_hash for task in tasks},
        "first": options.first,
        "last": options.last,
        "influence": [round(value, 4) for value in influence],
        "drop": min(range(options.last), key=lambda n: influence[n]),
    }
    save_file(
        {"student": student.to(torch.bfloat16)},
        options.out,
        metadata={"semcosim": json.dumps(meta, sort_keys=True)},
    )
    print(json.dumps(meta, indent=1, sort_keys=True))


if __name__ == "__main__":
    main()
