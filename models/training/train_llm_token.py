# SPDX-License-Identifier: MIT
"""Train the weights of both text codecs for one task, on a CPU, from a seed.

    python -m models.training.train_llm_token --task sentiment
    python -m models.training.train_llm_token --task sentiment --backbone MODEL --out FOLDER

MODEL is a folder with a causal model or an encoder of Hugging Face's transformers, or its name on
their hub. The weight files name it, and codecs load it.

First the baseline's edge model: low-rank changes and head on the clean residual stream. The
gradients that its answers send back to the cut say which directions and which tokens matter: they
set the bottleneck's first values and fit the linear score of a token's importance. Then bottleneck,
low-rank changes and head of the split codec are trained together under random rungs and random
loss of tokens, taught by the labels and by the baseline's own answers. Last, confidence and
threshold are set on validation data.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from models.backbone import DEFAULT_BACKBONE, BackboneError, count_layers, lasting_name
from models.codecs.base import CodecError
from models.codecs.quantiser import parse_rung
from models.codecs.weights import SHIPPED, load_weights
from models.tasks import get_task
from models.training.config import CALIBRATION_RUNG, RUNG_CHANCES, Config, changed_options
from models.training.text_trainer import Trainer, accuracy


def save(path: Path, tensors: dict[str, Tensor], meta: dict[str, Any]) -> None:
    """Write a weight file; low-rank changes and matrices in bfloat16, what is small in float32."""
    packed = {
        name: (value.to(torch.bfloat16) if value.ndim == 2 and "head" not in name else value)
        for name, value in tensors.items()
    }
    packed = {name: value.contiguous() for name, value in packed.items()}
    save_file(packed, path, metadata={"semcosim": json.dumps(meta, sort_keys=True)})


def where_to_cut(layers: int, cut: int | None, last: int | None) -> tuple[int, int]:
    """Return (layers at the device, layers at both ends) of a model.

    What is not given: twelve layers, or all of a smaller model; a third of them at the device.

    Args:
        layers: of the model.
        cut: as asked for.
        last: as asked for.

    Raises:
        BackboneError: the model has no such layers, or none is left for one of the ends.
    """
    if last is None:
        last = min(Config.last, layers)
    if not 2 <= last <= layers:
        raise BackboneError(f"--last {last}: the model has {layers} layers, 2 to {layers} work")
    if cut is None:
        cut = max(1, last * Config.cut // Config.last)
    if not 1 <= cut < last:
        raise BackboneError(
            f"--cut {cut}: 1 to {last - 1} of the {last} layers (--last) can be at the device"
        )
    return cut, last


def _command(task: str, config: Config, backbone: str, *, reuse: bool) -> str:
    """Return the command that repeats a run from the project's root, without local paths."""
    parts = ["python", "-m", "models.training.train_llm_token", "--task", task]
    if backbone != DEFAULT_BACKBONE:
        parts += ["--backbone", backbone]
    parts += changed_options(config)
    return " ".join([*parts, "--clean-from", "models/weights"] if reuse else parts)


def _trainer(options: argparse.Namespace, config: Config, backbone: str) -> Trainer:
    torch.set_num_threads(options.threads)
    torch.manual_seed(config.seed)
    return Trainer(get_task(options.task), config, backbone=backbone, allow_hub=options.allow_hub)


def main(arguments: Sequence[str] | None = None) -> None:
    """Train and write models/weights/{llm-token,raw-text}-TASK.safetensors."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--task", required=True)
    parser.add_argument("--out", type=Path, default=SHIPPED)
    parser.add_argument(
        "--clean-from", type=Path, help="folder with the baseline's weights: do not train them"
    )
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--backbone",
        default=DEFAULT_BACKBONE,
        help="language model: a folder of transformers' files, or a name on the Hugging Face hub",
    )
    parser.add_argument("--allow-hub", action="store_true", help="fetch it from there if need be")
    for name, value in asdict(Config()).items():
        default = None if name in ("cut", "last") else value
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=default)
    options = parser.parse_args(arguments)
    name = lasting_name(options.backbone)
    if name != DEFAULT_BACKBONE and options.out.resolve() == SHIPPED:
        parser.error("--out: a folder of your own for the weights of another language model")
    try:
        layers = count_layers(name, allow_hub=options.allow_hub)
        options.cut, options.last = where_to_cut(layers, options.cut, options.last)
        config = Config(**{name: getattr(options, name) for name in asdict(Config())})
        trainer = _trainer(options, config, name)
    except BackboneError as error:
        parser.error(str(error))
    task, valid = trainer.task, trainer.valid
    options.out.mkdir(parents=True, exist_ok=True)
    command = _command(task.name, config, options.backbone, reuse=options.clean_from is not None)
    base: dict[str, Any] = {
        "command": command,
        "config": asdict(config),
        "task": task.name,
        "labels": list(task.labels),
        "data_hash": task.data_hash,
        "backbone": name,
        "backbone_fingerprint": trainer.backbone.fingerprint,
        "cut": config.cut,
        "last": config.last,
        "prior_label": task.prior_label,
        "prior_probability": task.prior_probability,
    }

    if options.clean_from:
        clean = trainer.new_edge()
        known = load_weights("raw-text", task.name, options.clean_from)
        try:
            known.check_backbone(trainer.backbone)
        except CodecError as error:
            parser.error(f"--clean-from: {error}")
        clean.read(known.tensors)
    else:
        clean = trainer.train_clean()
    scores = trainer.scores(clean, valid, None, None, 0.0)
    temperature, threshold = trainer.calibrate(scores, valid.labels)
    reached = accuracy(scores, valid.labels)
    trainer.say(f"raw-text: validation {reached:.4f}, T {temperature:.2f}, accept {threshold:.3f}")
    meta: dict[str, Any] = {"validation_accuracy": reached, "validation_n": len(valid)}
    meta |= {"temperature": temperature, "threshold": threshold}
    save(options.out / f"raw-text-{task.name}.safetensors", clean.tensors(), base | meta)

    probe = trainer.probe(clean)
    edge, bottleneck = trainer.train_token(clean, probe)
    table = {}
    for name in RUNG_CHANCES:
        for share in (0.0, 0.5):
            got = trainer.scores(edge, valid, bottleneck, parse_rung(name), share)
            table[f"{name} loss {share}"] = round(accuracy(got, valid.labels), 4)
    trainer.say(f"llm-token: validation {table}")
    default = parse_rung(CALIBRATION_RUNG)
    mixed = [trainer.scores(edge, valid, bottleneck, default, share) for share in (0.0, 0.3, 0.6)]
    temperature, threshold = trainer.calibrate(torch.cat(mixed), valid.labels.repeat(3))
    tensors = edge.tensors() | bottleneck.tensors()
    # the importance score is applied to deviations from the bottleneck's mean
    offset = probe.offset + (bottleneck.mean - probe.mean) @ probe.weights
    tensors |= {"importance": probe.weights, "importance_bias": offset}
    meta = {"validation_accuracy": table, "validation_n": len(valid)}
    meta |= {"temperature": temperature, "threshold": threshold}
    save(options.out / f"llm-token-{task.name}.safetensors", tensors, base | meta)
    trainer.say("done")


if __name__ == "__main__":
    main()
